"""Reading a tile's window off a picture, and adding up the tiles' answers into one matte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gossamer.image.image import FloatArray, Window
from gossamer.inference.tiling import FEATHER, Tile

__all__ = ["TileMerger", "read_window"]


def _reflected(start: int, count: int, size: int) -> NDArray[np.intp]:
    """Indices ``start .. start + count`` folded back into ``0 .. size`` at the edges, the edge not repeated."""
    if size == 1:
        return np.zeros(count, np.intp)
    period = 2 * (size - 1)
    index = np.arange(start, start + count) % period
    return np.minimum(index, period - index)


def read_window(picture: FloatArray, window: Window) -> FloatArray:
    """The part of ``picture`` (H x W or H x W x C) under ``window``, as a copy; reflected outside the picture."""
    height, width = picture.shape[:2]
    inside = window.x >= 0 and window.y >= 0
    if inside and window.x + window.width <= width and window.y + window.height <= height:
        return picture[window.y : window.y + window.height, window.x : window.x + window.width].copy()
    rows = _reflected(window.y, window.height, height)
    columns = _reflected(window.x, window.width, width)
    part: FloatArray = picture[rows[:, None], columns[None, :]]
    return part


def _ramp(start: int, count: int, core_start: int, core_count: int) -> FloatArray:
    """Weights of pixels ``start .. start + count`` along one axis: 1 in the core, falling to 0 over FEATHER pixels."""
    centre = np.arange(start, start + count, dtype=np.float32) + np.float32(0.5)
    outside = np.maximum(core_start - centre, centre - (core_start + core_count))
    ramp: FloatArray = np.clip(1.0 - outside / FEATHER, 0.0, 1.0).astype(np.float32)
    return ramp


class TileMerger:
    """Adds up tiles into one picture, weighted so that one passes smoothly into the next.

    The weights of a pixel are divided by their sum, so they always add up to 1. Memory is taken where tiles are: the
    sums start as untouched zero pages.
    """

    def __init__(self, height: int, width: int):
        self._sum: FloatArray = np.zeros((height, width), np.float32)
        self._weight: FloatArray = np.zeros((height, width), np.float32)

    def add(self, tile: Tile, values: FloatArray) -> None:
        """Add ``values`` (H x W of ``tile.window``)."""
        support, window = tile.support, tile.window
        height, width = self._sum.shape
        x0, x1 = max(support.x, window.x, 0), min(support.x + support.width, window.x + window.width, width)
        y0, y1 = max(support.y, window.y, 0), min(support.y + support.height, window.y + window.height, height)
        weight = (
            _ramp(y0, y1 - y0, tile.core.y, tile.core.height)[:, None]
            * _ramp(x0, x1 - x0, tile.core.x, tile.core.width)[None, :]
        )
        self._weight[y0:y1, x0:x1] += weight
        self._sum[y0:y1, x0:x1] += weight * values[y0 - window.y : y1 - window.y, x0 - window.x : x1 - window.x]

    def at(self, where: NDArray[np.bool_]) -> FloatArray:
        """The merged values of the pixels in the mask ``where``, in row order. All of them must lie in a core."""
        merged: FloatArray = self._sum[where]
        merged /= self._weight[where]
        return merged
