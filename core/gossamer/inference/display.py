"""The network's view of a plate, converted only where the network looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gossamer.image.color import to_display
from gossamer.image.image import FloatArray, Window

__all__ = ["display_plate"]

BLOCK = 64
"""Pixels are converted in blocks of this side."""
STRIP = 256
"""Rows converted at a time where everything is needed: bounds the memory of the conversion's copies."""


def display_plate(pixels: FloatArray, space: str, windows: Sequence[Window] | None) -> FloatArray:
    """sRGB-encoded 0..1 of a plate, H x W x 3, in the parts under ``windows`` (None: all); 0 elsewhere.

    Colour conversion costs about as much as reading a frame, so it follows the band as the network does. The untouched
    rest stays zero pages, which take no memory.
    """
    height, width = pixels.shape[:2]
    shown: FloatArray = np.zeros((height, width, 3), np.float32)
    if windows is None:
        parts: Iterator[tuple[slice, slice]] = (
            (slice(y, min(y + STRIP, height)), slice(0, width)) for y in range(0, height, STRIP)
        )
    else:
        parts = _runs(_blocks(windows, height, width), height, width)
    for rows, columns in parts:
        shown[rows, columns] = to_display(pixels[rows, columns], space)
    return shown


def _blocks(windows: Sequence[Window], height: int, width: int) -> NDArray[np.bool_]:
    """Which blocks of the picture the windows touch; one block more around for what is reflected at the border."""
    needed = np.zeros((-(-height // BLOCK), -(-width // BLOCK)), np.bool_)
    for window in windows:
        top, left = max(window.y // BLOCK - 1, 0), max(window.x // BLOCK - 1, 0)
        bottom, right = -(-(window.y + window.height) // BLOCK) + 1, -(-(window.x + window.width) // BLOCK) + 1
        needed[top : max(bottom, 0), left : max(right, 0)] = True
    return needed


def _runs(needed: NDArray[np.bool_], height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Needed blocks as pixel rectangles, neighbours in a row together."""
    for row, blocks in enumerate(needed):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], blocks, [False]]).astype(np.int8)))
        for start, end in edges.reshape(-1, 2).tolist():
            yield (
                slice(row * BLOCK, min((row + 1) * BLOCK, height)),
                slice(start * BLOCK, min(end * BLOCK, width)),
            )
