"""Test-time strategies of GFM: where the whole subject is seen small and its details larger.

Source: Li et al., "Bridging Composite and Real" (2022), section 5, and the published test script. RESIZE runs one
pass at half size. HYBRID, the default, takes the glance from a third of the size and the focus from half. RIM networks
run one pass at a third, whatever the strategy.

Resizing is that of scikit-image's ``resize`` with its defaults, as in the script: linear, mirrored border, Gaussian
blur of deviation (factor - 1) / 2 before shrinking.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gossamer.errors import ModelError
from gossamer.models.convention import obey_trimap
from gossamer.models.gfm import Gfm, GfmRim

__all__ = ["HybridMatte", "matte_hybrid", "matte_resize", "resize_antialiased", "reduced_size"]

LARGEST_SIDE = 1600
GLANCE_RATIO = 1 / 3
FOCUS_RATIO = 1 / 2
HALF_LEVEL = 0.5 / 255


class HybridMatte(NamedTuple):
    """What HYBRID answers, N 1 H W at the plate's size."""

    alpha: Tensor
    """0..1."""
    glance: Tensor
    """Class map: 0, 128/255 and 1 for background, transition and foreground (``tt``), 0 and 1 (``ft``, ``bt``), and
    values between where resizing blends them."""
    focus: Tensor
    """0..1."""


@lru_cache(maxsize=16)
def _resize_matrix(before: int, after: int) -> NDArray[np.float64]:
    """after x before: the weights of scikit-image's resize along one axis."""
    factor = before / after
    sigma = max(0.0, (factor - 1) / 2)
    radius = int(4 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2) if radius else np.ones(1)
    kernel /= kernel.sum()

    def mirror(index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Reflection about the centres of the first and last pixel, as often as it takes."""
        period = max(2 * (before - 1), 1)
        folded = np.abs(index) % period
        return np.minimum(folded, period - folded) if before > 1 else np.zeros_like(index)

    center = (np.arange(after) + 0.5) * factor - 0.5
    left = np.floor(center).astype(np.int64)
    matrix = np.zeros((after, before))
    rows = np.arange(after)[:, None]
    for neighbour, weight in ((left, 1 - (center - left)), (left + 1, center - left)):
        columns = mirror(mirror(neighbour)[:, None] + offsets[None])
        np.add.at(matrix, (rows, columns), weight[:, None] * kernel[None])
    return matrix


def resize_antialiased(x: Tensor, height: int, width: int) -> Tensor:
    """N C H W to N C height width, as scikit-image's ``resize`` does with its defaults."""
    rows = torch.from_numpy(_resize_matrix(x.shape[-2], height)).to(x)
    columns = torch.from_numpy(_resize_matrix(x.shape[-1], width)).to(x)
    return rows @ x @ columns.T


def _enlarge_exactly(x: Tensor, height: int, width: int) -> Tensor:
    """The same for enlarging, with the rounding of scipy's ``zoom`` in float64 that the script relies on.

    The script asks whether the enlarged glance is exactly 255. Between neighbours that all are, scipy gives a last
    digit less at some pixels (1 % of the recorded picture), and there the focus decides.
    """

    def taps(before: int, after: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        center = ((torch.arange(after, dtype=torch.float64) + 0.5) * (before / after) - 0.5).abs()
        left = center.floor()
        right = before - 1 - (left + 2 - before).abs()  # mirrored at the far border
        part = center - left
        return (left.long(), 1 - part), (right.long(), part)

    source, total = x.double().cpu(), torch.zeros((), dtype=torch.float64)
    for row, row_weight in taps(x.shape[-2], height):
        for column, column_weight in taps(x.shape[-1], width):
            total = total + source[..., row, :][..., column] * row_weight[:, None] * column_weight
    return total.clamp(0, 1).to(x.device)


def reduced_size(height: int, width: int, ratio: float, *, compat: bool) -> tuple[int, int]:
    """Height and width of a pass at ``ratio`` of the plate's size.

    No side is longer than 1600. ``compat`` rounds each side down to a multiple of 32 and limits it by itself, as the
    published script does, which squeezes the picture a little; otherwise its shape is kept, and the network pads.

    Raises:
        ModelError: ``compat`` leaves nothing of a side.
    """
    if compat:
        high, wide = (min(LARGEST_SIDE, int(side * ratio) // 32 * 32) for side in (height, width))
        if not high or not wide:
            raise ModelError(
                f"GFM's published strategies cannot reduce a plate of {width}x{height} pixels to multiples of 32; "
                "leave out compat."
            )
        return high, wide
    ratio = min(ratio, LARGEST_SIDE / max(height, width))
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def matte_resize(
    network: Gfm | GfmRim,
    plate: Tensor,
    trimap: Tensor | None = None,
    *,
    ratio: float = FOCUS_RATIO,
    compat: bool = False,
) -> Tensor:
    """RESIZE: one pass at a part of the plate's size, the matte resized back.

    Args:
        network: in eval mode.
        plate: N 3 H W, sRGB-encoded, 0..1.
        trimap: N 1 H W, 0, 0.5, 1: its known pixels are obeyed, at full size; None: the network's own glance decides.
        ratio: size of the pass; RIM networks were meant for 1/3.
        compat: sizes of the published script; see :func:`reduced_size`.

    Returns:
        Alpha N 1 H W in 0..1.
    """
    height, width = plate.shape[-2:]
    small = resize_antialiased(plate, *reduced_size(height, width, ratio, compat=compat))
    # The reduced trimap has blended values: only its pixels that stay close to known count as known.
    small_trimap = None
    if trimap is not None:
        small_trimap = resize_antialiased(trimap, *small.shape[-2:])
        small_trimap = (1 + (small_trimap > 0.99).to(trimap) - (small_trimap < 0.01).to(trimap)) / 2
    alpha = resize_antialiased(network.forward_matte(small, small_trimap), height, width).clamp(0, 1)
    return alpha if trimap is None else obey_trimap(alpha, trimap)


def matte_hybrid(network: Gfm, plate: Tensor, trimap: Tensor | None = None, *, compat: bool = False) -> HybridMatte:
    """HYBRID: glance from a third of the plate's size, focus from half, fused at full size.

    Args:
        network: ``tt``, ``ft`` or ``bt``, in eval mode.
        plate: N 3 H W, sRGB-encoded, 0..1.
        trimap: N 1 H W, 0, 0.5, 1, or None; overrules the glance as in ``collaborative_matting``.
        compat: sizes of the published script, and its test of the resized glance for exactly 0 and 1, rounding errors
            included, in place of one with a tolerance of half a grey level.
    """
    height, width = plate.shape[-2:]
    rosta = network.config.rosta
    small = resize_antialiased(plate, *reduced_size(height, width, GLANCE_RATIO, compat=compat))
    classes = network(small).glance.argmax(dim=1, keepdim=True).to(plate.dtype)
    # The script's own grey levels: 128 is not halfway.
    levels = (torch.where(classes == 1, 128.0, classes * 127.5) if rosta == "tt" else classes * 255) / 255
    glance = resize_antialiased(levels, height, width).clamp(0, 1)
    larger = resize_antialiased(plate, *reduced_size(height, width, FOCUS_RATIO, compat=compat))
    focus = resize_antialiased(network(larger).focus, height, width).clamp(0, 1)
    if rosta == "tt":
        if trimap is not None:
            is_foreground, is_background = trimap > 0.75, trimap < 0.25
        elif compat:
            exact = _enlarge_exactly(levels, height, width) * 255
            is_foreground, is_background = exact == 255, exact == 0
        else:
            is_foreground, is_background = glance > 1 - HALF_LEVEL, glance < HALF_LEVEL
        alpha = torch.where(is_foreground | is_background, is_foreground.to(focus.dtype), focus)
    elif rosta == "ft":
        alpha = (glance + focus).clamp(max=1)
    else:
        alpha = (glance - focus).clamp(min=0)
    if trimap is not None:
        alpha = obey_trimap(alpha, trimap)
    return HybridMatte(alpha, glance, focus)
