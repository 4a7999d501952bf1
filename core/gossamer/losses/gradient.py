"""Sobel gradients of the matte in the unknown region."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.losses.known import is_unknown
from gossamer.losses.precision import in_full_precision

__all__ = ["GradientPenalty", "gradient_penalty"]


def _sobel(x: Tensor) -> Tensor:
    """N 1 H W to N 2 H W: unscaled 3x3 Sobel responses along x and y, zeros outside the picture."""
    x = F.pad(x, (1, 1, 1, 1))
    # Sums of shifted pictures: a convolution of one channel is slow on the CPU.
    rows = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    columns = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    return torch.cat([rows[..., 2:] - rows[..., :-2], columns[..., 2:, :] - columns[..., :-2, :]], dim=1)


@in_full_precision
def gradient_penalty(
    prediction: Tensor,
    target: Tensor,
    trimap: Tensor,
    *,
    smoothness: float = 0.01,
    reference_side: int | None = None,
) -> Tensor:
    """Mean absolute difference of Sobel responses where the trimap is unknown (ViTMatte, Yao et al. 2023).

    ``sum over x, y of mean|Sp - Sa| + smoothness mean|Sp|``; 0 without unknown pixels.

    Args:
        prediction: N 1 H W alpha.
        target: N 1 H W, 0..1.
        trimap: N 1 H W of 0, 0.5 and 1.
        smoothness: weight of the matte's own gradient.
        reference_side: see :func:`gossamer.losses.known.regional_l1_loss`.
    """
    region = is_unknown(trimap).to(prediction.dtype)
    ours, theirs = _sobel(prediction), _sobel(target)
    terms = ((ours - theirs).abs() + smoothness * ours.abs()) * region
    penalty = terms.sum() / region.sum().clamp(min=1e-6)
    if reference_side is None:
        return penalty
    return penalty * (reference_side**2 / (prediction.shape[-2] * prediction.shape[-1]))


class GradientPenalty(nn.Module):
    """:func:`gradient_penalty` with its settings."""

    def __init__(self, *, smoothness: float = 0.01, reference_side: int | None = None) -> None:
        super().__init__()
        self.smoothness = smoothness
        self.reference_side = reference_side

    def forward(self, prediction: Tensor, target: Tensor, trimap: Tensor) -> Tensor:
        return gradient_penalty(
            prediction, target, trimap, smoothness=self.smoothness, reference_side=self.reference_side
        )
