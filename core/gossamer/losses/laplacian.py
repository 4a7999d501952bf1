"""Differences of Laplacian pyramids, in the two forms of the papers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.errors import SettingError
from gossamer.losses.precision import in_full_precision

__all__ = ["GfmLaplacianLoss", "LaplacianLoss", "gfm_laplacian_kernel", "gfm_laplacian_loss", "laplacian_loss"]


def _check_size(prediction: Tensor, levels: int, smallest: int) -> None:
    """The last level has to be ``smallest`` pixels at least, or its blur would reach past the picture."""
    needed = smallest * 2 ** (levels - 1)
    height, width = prediction.shape[-2:]
    if levels < 1 or min(height, width) < needed:
        raise SettingError(
            f"A Laplacian loss of {levels} levels needs at least one level and a crop of at least "
            f"{max(needed, smallest)} pixels a side; this crop is {width}x{height}. Raise the crop or lower the levels."
        )


def _blur(x: Tensor, kernel: Tensor, padding: str) -> Tensor:
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode=padding), kernel)


def _binomial(x: Tensor) -> Tensor:
    """The 5x5 binomial kernel with reflected borders, as sums of shifted pictures.

    A convolution of one channel costs the CPU more than all the rest of the loss.
    """
    x = F.pad(x, (2, 2, 2, 2), mode="reflect")
    x = (x[..., :-4] + x[..., 4:] + 4 * (x[..., 1:-3] + x[..., 3:-1]) + 6 * x[..., 2:-2]) / 16
    return (x[..., :-4, :] + x[..., 4:, :] + 4 * (x[..., 1:-3, :] + x[..., 3:-1, :]) + 6 * x[..., 2:-2, :]) / 16


def _mean(difference: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return difference.abs().mean()
    return (difference.abs() * weight).sum() / weight.sum().clamp(min=1e-6)


@in_full_precision
def laplacian_loss(prediction: Tensor, target: Tensor, weight: Tensor | None = None, levels: int = 5) -> Tensor:
    """``sum_l 2^l mean|L_l(prediction) - L_l(target)| / levels`` (ViTMatte, Yao et al. 2023).

    The pyramid blurs with the 5x5 binomial kernel and reflected borders; odd sizes lose their last row or column.

    Args:
        prediction: N 1 H W alpha.
        target: N 1 H W, 0..1.
        weight: N 1 H W, or None. Each level then takes the mean weighted by ``weight`` averaged to its size, so that a
            region's loss does not shrink with the region; 0 where the weight is 0 everywhere.
        levels: number of levels; a side has to be at least ``4 * 2**(levels - 1)`` pixels.

    Raises:
        SettingError: the crop is too small for the levels.
    """
    _check_size(prediction, levels, 4)
    # Both pyramids are linear in the picture: the pyramid of the difference is their difference.
    x = prediction - target
    weight = None if weight is None else weight.to(x.dtype).expand_as(x)
    total = x.new_zeros(())
    for level in range(levels):
        height, width = (side - side % 2 for side in x.shape[-2:])
        x = x[..., :height, :width]
        down = _binomial(x)[..., ::2, ::2]
        spread = x.new_zeros(x.shape)
        spread[..., ::2, ::2] = down * 4
        if weight is not None:
            weight = weight[..., :height, :width]
        total = total + 2**level * _mean(x - _binomial(spread), weight)
        x = down
        weight = None if weight is None else F.avg_pool2d(weight, 2)
    return total / levels


def gfm_laplacian_kernel(like: Tensor) -> Tensor:
    """GFM's 5x5 kernel, 1 1 5 5: proportional to ``h(i) + h(j)``, ``h(t) = exp(-(t-2)^2)``; a sum, not a product."""
    h = torch.exp(-((torch.arange(5, dtype=like.dtype, device=like.device) - 2) ** 2))
    kernel = h[:, None] + h[None, :]
    return (kernel / kernel.sum())[None, None]


@in_full_precision
def gfm_laplacian_loss(prediction: Tensor, target: Tensor, mask: Tensor | None = None, levels: int = 5) -> Tensor:
    """Sum over ``levels`` bands and the last residual of the mean absolute difference (GFM, Li et al. 2022).

    Args:
        prediction: N 1 H W alpha.
        target: N 1 H W, 0..1.
        mask: N 1 H W of 0 and 1, or None. Both mattes are multiplied by it before the pyramid, so its border shows.
        levels: number of bands.

    Raises:
        SettingError: the crop is too small for the levels.
    """
    _check_size(prediction, levels, 2)
    kernel = gfm_laplacian_kernel(prediction)
    x = prediction - target
    if mask is not None:
        x = x * mask.to(x.dtype)
    total = x.new_zeros(())
    for _ in range(levels):
        blurred = _blur(x, kernel, "replicate")
        total = total + (x - blurred).abs().mean()
        x = F.avg_pool2d(blurred, 2)
    return total + x.abs().mean()


class LaplacianLoss(nn.Module):
    """:func:`laplacian_loss` with its settings."""

    def __init__(self, levels: int = 5) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return laplacian_loss(prediction, target, weight, self.levels)


class GfmLaplacianLoss(nn.Module):
    """:func:`gfm_laplacian_loss` with its settings."""

    def __init__(self, levels: int = 5) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return gfm_laplacian_loss(prediction, target, mask, self.levels)
