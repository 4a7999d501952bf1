"""The matting equation as a loss."""

from __future__ import annotations

from torch import Tensor, nn

from gossamer.losses.precision import in_full_precision

__all__ = ["CompositionLoss", "composition_loss"]

EPSILON = 1e-6 / 255
"""Rounds the corner of the absolute value: GFM adds 1e-12 under the root, with colours 0..255."""


@in_full_precision
def composition_loss(
    prediction: Tensor,
    foreground: Tensor,
    background: Tensor,
    plate: Tensor,
    weight: Tensor | None = None,
) -> Tensor:
    """Mean over pixels of ``sum_c |alpha F_c + (1 - alpha) B_c - I_c|`` (GFM, Li et al. 2022).

    The channels are added, not averaged, as published.

    Args:
        prediction: N 1 H W alpha.
        foreground: N 3 H W, 0..1, unpremultiplied.
        background: N 3 H W, 0..1.
        plate: N 3 H W, 0..1, in the same encoding as the two.
        weight: N 1 H W, or None; the mean is then weighted by it, 0 where it is 0 everywhere.
    """
    difference = prediction * foreground + (1 - prediction) * background - plate
    error = (difference.square() + EPSILON**2).sqrt().sum(dim=1, keepdim=True)
    if weight is None:
        return error.mean()
    weight = weight.to(error.dtype).expand_as(error)
    return (error * weight).sum() / weight.sum().clamp(min=1e-6)


class CompositionLoss(nn.Module):
    """:func:`composition_loss`."""

    def forward(
        self, prediction: Tensor, foreground: Tensor, background: Tensor, plate: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        return composition_loss(prediction, foreground, background, plate, weight)
