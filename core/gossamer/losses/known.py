"""Absolute difference over one region of the trimap."""

from __future__ import annotations

from torch import Tensor, nn

from gossamer.losses.precision import in_full_precision

__all__ = ["KnownL1Loss", "UnknownL1Loss", "is_unknown", "known_l1_loss", "regional_l1_loss", "unknown_l1_loss"]


def is_unknown(trimap: Tensor) -> Tensor:
    """True where a trimap of 0, 0.5 and 1 is unknown; 128/255 counts as 0.5."""
    return (trimap > 0.25) & (trimap < 0.75)


@in_full_precision
def regional_l1_loss(
    prediction: Tensor, target: Tensor, region: Tensor, *, reference_side: int | None = None
) -> Tensor:
    """Mean of |prediction - target| over ``region``; 0 for an empty region.

    Args:
        prediction: N 1 H W alpha.
        target: N 1 H W, 0..1.
        region: N 1 H W, true or 1 where a pixel counts; weights in between are allowed.
        reference_side: multiply by ``reference_side**2 / (H W)``. ViTMatte's code scales by a crop of 512 and divides
            by the crop there is, which is the mean over the region at 512 only.
    """
    region = region.to(prediction.dtype)
    difference = ((prediction - target).abs() * region).sum() / region.sum().clamp(min=1e-6)
    if reference_side is None:
        return difference
    return difference * (reference_side**2 / (prediction.shape[-2] * prediction.shape[-1]))


def unknown_l1_loss(prediction: Tensor, target: Tensor, trimap: Tensor, *, reference_side: int | None = None) -> Tensor:
    """Mean of |prediction - target| where the trimap is unknown (ViTMatte, Yao et al. 2023).

    All tensors N 1 H W; trimap of 0, 0.5 and 1. See :func:`regional_l1_loss` for ``reference_side``.
    """
    return regional_l1_loss(prediction, target, is_unknown(trimap), reference_side=reference_side)


def known_l1_loss(prediction: Tensor, target: Tensor, trimap: Tensor, *, reference_side: int | None = None) -> Tensor:
    """Mean of |prediction - target| where the trimap is known.

    Training without alpha labels (DDC, Liu et al.) gives the trimap as target; training with labels gives the alpha.
    """
    return regional_l1_loss(prediction, target, ~is_unknown(trimap), reference_side=reference_side)


class UnknownL1Loss(nn.Module):
    """:func:`unknown_l1_loss` with its settings."""

    def __init__(self, *, reference_side: int | None = None) -> None:
        super().__init__()
        self.reference_side = reference_side

    def forward(self, prediction: Tensor, target: Tensor, trimap: Tensor) -> Tensor:
        return unknown_l1_loss(prediction, target, trimap, reference_side=self.reference_side)


class KnownL1Loss(nn.Module):
    """:func:`known_l1_loss` with its settings."""

    def __init__(self, *, reference_side: int | None = None) -> None:
        super().__init__()
        self.reference_side = reference_side

    def forward(self, prediction: Tensor, target: Tensor, trimap: Tensor) -> Tensor:
        return known_l1_loss(prediction, target, trimap, reference_side=self.reference_side)
