"""The sizes at which GFM's test strategies look at a plate, and how they get there. No torch.

Source: Li et al., "Bridging Composite and Real" (2022), section 5, and the published test script. Resizing is that of
scikit-image's ``resize`` with its defaults, as in the script: linear, mirrored border, Gaussian blur of deviation
(factor - 1) / 2 before shrinking.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import ModelError
from gossamer.image.image import FloatArray

__all__ = ["FOCUS_RATIO", "GLANCE_RATIO", "reduced_size", "resize_matrix", "resize_picture"]

LARGEST_SIDE = 1600
GLANCE_RATIO = 1 / 3
FOCUS_RATIO = 1 / 2


@lru_cache(maxsize=16)
def resize_matrix(before: int, after: int) -> NDArray[np.float64]:
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


def resize_picture(x: FloatArray, height: int, width: int) -> FloatArray:
    """N C H W to N C height width, as scikit-image's ``resize`` does with its defaults."""
    rows = resize_matrix(x.shape[-2], height).astype(np.float32)
    columns = resize_matrix(x.shape[-1], width).astype(np.float32)
    resized: FloatArray = np.ascontiguousarray(rows @ x @ columns.T, np.float32)
    return resized


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
