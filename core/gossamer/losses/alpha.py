"""GFM's rounded absolute difference of mattes, over the unknown region or the whole picture."""

from __future__ import annotations

from torch import Tensor, nn

from gossamer.losses.known import is_unknown
from gossamer.losses.precision import in_full_precision

__all__ = ["UnknownAlphaLoss", "WholeAlphaLoss", "unknown_alpha_loss", "whole_alpha_loss"]

EPSILON = 1e-12
"""Under the root: keeps the gradient finite where the mattes agree."""


@in_full_precision
def unknown_alpha_loss(prediction: Tensor, target: Tensor, trimap: Tensor) -> Tensor:
    """``sum sqrt(((p - a) M)^2 + 1e-12) / (sum M + 1)``, M the unknown region (GFM, Li et al. 2022).

    All tensors N 1 H W; trimap of 0, 0.5 and 1.
    """
    region = is_unknown(trimap).to(prediction.dtype)
    return (((prediction - target) * region).square() + EPSILON).sqrt().sum() / (region.sum() + 1)


@in_full_precision
def whole_alpha_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """``mean sqrt((p - a)^2 + 1e-12)`` over N 1 H W mattes (GFM, Li et al. 2022)."""
    return ((prediction - target).square() + EPSILON).sqrt().mean()


class UnknownAlphaLoss(nn.Module):
    """:func:`unknown_alpha_loss`."""

    def forward(self, prediction: Tensor, target: Tensor, trimap: Tensor) -> Tensor:
        return unknown_alpha_loss(prediction, target, trimap)


class WholeAlphaLoss(nn.Module):
    """:func:`whole_alpha_loss`."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return whole_alpha_loss(prediction, target)
