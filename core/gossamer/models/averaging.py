"""Test-time averaging over mirrored, transposed and resized views of a plate.

Source: Wang et al., "Improving Deep Image Matting via Local Smoothness Assumption" (2021), and the published script for
alphamatting.com: eight views at each of the scales 0.8, 1 and 1.25, then the mean of the three. Works for any network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gossamer.models.convention import obey_trimap

__all__ = ["SCALES", "SolveTensor", "average_dihedral", "average_scales", "average_views"]

SCALES = (0.8, 1.0, 1.25)

SolveTensor = Callable[[Tensor, Tensor | None], Tensor]
"""Plate N 3 H W and trimap N 1 H W or None to alpha N 1 H W in 0..1: a network's ``forward_matte``, for instance."""


def _view(x: Tensor, flips: tuple[int, ...], transposed: bool) -> Tensor:
    x = x.transpose(-2, -1) if transposed else x
    return x.flip(flips) if flips else x


def average_dihedral(solve: SolveTensor, plate: Tensor, trimap: Tensor | None) -> Tensor:
    """Mean of eight answers: as it is, mirrored in either direction or both, and the same four transposed.

    Args:
        solve: called eight times.
        plate: N 3 H W, sRGB-encoded, 0..1.
        trimap: N 1 H W, 0, 0.5, 1, or None.

    Returns:
        Alpha N 1 H W in 0..1.
    """
    views: list[tuple[tuple[int, ...], bool]] = [
        (flips, transposed) for transposed in (False, True) for flips in ((), (-1,), (-2,), (-2, -1))
    ]
    total = torch.zeros_like(plate[:, :1])
    for flips, transposed in views:
        seen = None if trimap is None else _view(trimap, flips, transposed)
        alpha = solve(_view(plate, flips, transposed), seen)
        alpha = alpha.flip(flips) if flips else alpha
        total = total + (alpha.transpose(-2, -1) if transposed else alpha)
    return total / len(views)


def average_scales(
    solve: SolveTensor, plate: Tensor, trimap: Tensor | None, *, scales: Sequence[float] = SCALES
) -> Tensor:
    """Mean of the answers at several scales, each resized back.

    The plate and the answers are resized by cubic interpolation and clamped to 0..1, the trimap by the nearest pixel.

    Args:
        solve: called once a scale.
        plate: N 3 H W, sRGB-encoded, 0..1.
        trimap: N 1 H W, 0, 0.5, 1, or None; its known pixels are obeyed in the mean.
        scales: factors of both sides, rounded to whole pixels.

    Returns:
        Alpha N 1 H W in 0..1.
    """
    height, width = plate.shape[-2:]
    total = torch.zeros_like(plate[:, :1])
    for scale in scales:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        if size == (height, width):
            total = total + solve(plate, trimap)
            continue
        resized = F.interpolate(plate, size=size, mode="bicubic", align_corners=False).clamp(0, 1)
        seen = None if trimap is None else F.interpolate(trimap, size=size, mode="nearest")
        alpha = F.interpolate(solve(resized, seen), size=(height, width), mode="bicubic", align_corners=False)
        total = total + alpha.clamp(0, 1)
    mean = total / len(scales)
    return mean if trimap is None else obey_trimap(mean, trimap)


def average_views(solve: SolveTensor, plate: Tensor, trimap: Tensor | None) -> Tensor:
    """The published averaging: eight views at each of three scales, 24 passes. Arguments as above."""
    return average_scales(lambda p, t: average_dihedral(solve, p, t), plate, trimap)
