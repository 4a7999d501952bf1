"""Recorded losses of the published code, and how they are compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

PARITY = Path(__file__).parents[2] / "data" / "parity"

VALUE_RELATIVE = 1e-5
"""The values were recorded in float32."""
GRADIENT_ABSOLUTE = 1e-7
"""Gradients lie between 1e-4 and 1e-1."""


class Recorded:
    """One parity folder."""

    def __init__(self, name: str) -> None:
        folder = PARITY / name
        with np.load(folder / "input.npz") as file:
            self.inputs = {key: torch.from_numpy(file[key]) for key in file}
        with np.load(folder / "output.npz") as file:
            self.outputs = {key: torch.from_numpy(file[key]) for key in file}
        self.values: dict[str, float] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["values"]

    def plane(self, name: str) -> Tensor:
        """An H W input as 1 1 H W: bytes over 255."""
        value = self.inputs[name]
        return (value.float() / 255 if value.dtype == torch.uint8 else value)[None, None]

    def trimap(self, bytes_: Tensor | None = None) -> Tensor:
        """1 1 H W of 0, 0.5, 1."""
        value = (self.inputs["trimap"] if bytes_ is None else bytes_)[None, None]
        return torch.where(value == 255, 1.0, torch.where(value == 0, 0.0, 0.5))

    def check(self, loss: Callable[[Tensor], Tensor], prediction: Tensor, value: str, gradient: str | None) -> None:
        """``loss`` gives the recorded value and, in the prediction, the recorded gradient."""
        prediction = prediction.clone().requires_grad_()
        measured = loss(prediction)
        assert measured.item() == pytest.approx(self.values[value], rel=VALUE_RELATIVE)
        if gradient is None:
            return
        measured.backward()  # type: ignore[no-untyped-call]
        assert prediction.grad is not None
        torch.testing.assert_close(prediction.grad[0, 0], self.outputs[gradient], rtol=1e-4, atol=GRADIENT_ABSOLUTE)


@pytest.fixture
def recorded() -> Callable[[str], Recorded]:
    return Recorded
