"""The moving average of the weights, which is what a run publishes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Exponential moving average of all floating-point state of a model, warm-started.

    Early on the decay is shorter than asked, ``(1 + n) / (10 + n)`` after n updates, so that the random start is
    forgotten at once.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._updates = 0
        self._state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the present weights."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        for key, value in model.state_dict().items():
            mine = self._state[key]
            if mine.dtype.is_floating_point:
                mine.lerp_(value.detach(), 1 - decay)
            else:
                mine.copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights under the model's own names."""
        return self._state

    def checkpoint(self) -> dict[str, object]:
        """What :meth:`restore` needs."""
        return {"updates": self._updates, "state": self._state}

    def restore(self, values: dict[str, object]) -> None:
        """Go on from :meth:`checkpoint`."""
        self._updates = int(values["updates"])  # type: ignore[call-overload]
        saved = values["state"]
        assert isinstance(saved, dict)
        for key, value in saved.items():
            self._state[key].copy_(value)
