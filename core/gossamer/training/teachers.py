"""Networks that were trained before, whose mean matte another one learns: one network for the price of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gossamer.models.gossamer_s import GossamerS
from gossamer.models.prior import ColorPrior
from gossamer.models.registry import create_model
from gossamer.training.starting import load_start

__all__ = ["Teachers"]


class Teachers(nn.Module):
    """Several ``gossamer-s`` that answer together (Hinton, Vinyals and Dean, "Distilling the Knowledge", 2015)."""

    def __init__(self, weights: Sequence[str]) -> None:
        """Args: weights: as ``start_from`` names them; what is named twice counts twice.

        Raises:
            ModelError: there are none by that name, or they are another network's.
        """
        super().__init__()
        counts = Counter(weights)
        self._shares = [count / len(weights) for count in counts.values()]
        self._networks = nn.ModuleList()
        for name in counts:
            network = create_model("gossamer-s")
            load_start(network, name, "gossamer-s")
            self._networks.append(network.eval().requires_grad_(False))

    def forward(self, plate: Tensor, trimap: Tensor, prior: ColorPrior) -> Tensor:
        """Mean of their mattes.

        Args:
            plate: N 3 H W, sRGB-encoded, 0..1; H and W multiples of 32.
            trimap: N 1 H W in {0, 0.5, 1}.
            prior: of both.

        Returns:
            N 1 H W, 0..1; meaningless where the trimap knows.
        """
        mean = torch.zeros_like(trimap)
        for share, network in zip(self._shares, self._networks, strict=True):
            assert isinstance(network, GossamerS)
            mean += share * network(plate, trimap, prior).clamp(0, 1)
        return mean
