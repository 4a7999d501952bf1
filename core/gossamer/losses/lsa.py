"""LSA's multi-scale loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.errors import SettingError
from gossamer.losses.known import is_unknown
from gossamer.losses.precision import in_full_precision

__all__ = ["MultiscaleLoss", "multiscale_loss"]


@in_full_precision
def multiscale_loss(prediction: Tensor, target: Tensor, trimap: Tensor, *, scales: int = 5) -> Tensor:
    """``sum_i 2^-i sum(sqrt(e_i^2 + 1e-6) W_i) / (sum W_i + 1)`` over averaged errors (LSA-Matting).

    ``e`` is the error and ``W`` the unknown region, each halved by averaging from scale to scale. A prediction beyond 1
    where the target is 1, or below 0 where it is 0, is no error: the matte is clamped afterwards.

    Args:
        prediction: N 1 H W raw alpha, not clamped.
        target: N 1 H W, 0..1.
        trimap: N 1 H W of 0, 0.5 and 1.
        scales: number of scales; a side has to be at least ``2**(scales - 1)`` pixels.

    Raises:
        SettingError: the crop is too small for the scales.
    """
    if scales < 1 or min(prediction.shape[-2:]) < 2 ** (scales - 1):
        raise SettingError(
            f"A loss of {scales} scales needs at least one scale and a crop of at least {2 ** max(scales - 1, 0)} "
            f"pixels a side; this crop is {prediction.shape[-1]}x{prediction.shape[-2]}. Raise the crop or lower the "
            "scales."
        )
    overshoots = ((target > 0.999) & (prediction > 1)) | ((target < 0.001) & (prediction < 0))
    # The target follows the prediction there, so that the error is 0 while the coarser scales can still move the pixel.
    error = prediction - torch.where(overshoots, prediction.detach(), target)
    region = is_unknown(trimap).to(error.dtype)
    total = error.new_zeros(())
    for scale in range(scales):
        if scale:
            error, region = F.avg_pool2d(error, 2), F.avg_pool2d(region, 2)
        total = total + 2.0**-scale * ((error.square() + 1e-6).sqrt() * region).sum() / (region.sum() + 1)
    return total


class MultiscaleLoss(nn.Module):
    """:func:`multiscale_loss` with its settings."""

    def __init__(self, *, scales: int = 5) -> None:
        super().__init__()
        self.scales = scales

    def forward(self, prediction: Tensor, target: Tensor, trimap: Tensor) -> Tensor:
        return multiscale_loss(prediction, target, trimap, scales=self.scales)
