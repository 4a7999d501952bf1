"""GFM's test-time strategy HYBRID: the whole subject is seen small, its details larger.

Source: Li et al., "Bridging Composite and Real" (2022), section 5, and the published test script. HYBRID takes the
glance from a third of the size and the focus from half. The other strategy, RESIZE, is one pass at half size (for RIM
at a third) and needs nothing of the network but its matte: ``inference/whole_pictures.py`` has it for every backend.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gossamer.models.convention import obey_trimap
from gossamer.models.gfm import Gfm
from gossamer.models.gfm_sizes import FOCUS_RATIO, GLANCE_RATIO, reduced_size, resize_matrix

__all__ = ["HybridMatte", "matte_hybrid", "resize_antialiased"]

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


def resize_antialiased(x: Tensor, height: int, width: int) -> Tensor:
    """N C H W to N C height width, as scikit-image's ``resize`` does with its defaults."""
    # Under autocast the products would have the 8 bits of bfloat16: bands in every soft edge.
    with torch.autocast(x.device.type, enabled=False):
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        rows = torch.from_numpy(resize_matrix(x.shape[-2], height)).to(x)
        columns = torch.from_numpy(resize_matrix(x.shape[-1], width)).to(x)
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
