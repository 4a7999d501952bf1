"""Parts of a picture at full size, side by side for every model: what a mean hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.evaluation.pictures import Bytes, error_map, grey, paint_text, to_bytes, trimap_overlay
from gossamer.image.image import Window

__all__ = ["comparison_sheet", "cut", "hardest_windows"]

_GAP = 6
_LABEL = 22
_GROUND = 38
_NOTHING = 1e-6  # differences of running sums leave rounding errors of this order


def hardest_windows(disagreement: NDArray[Any], *, size: int, count: int = 1) -> tuple[Window, ...]:
    """The ``count`` squares of side ``size`` with the largest sums of ``disagreement``, worst first, without overlap.

    Args:
        disagreement: H x W, 0 or more; for instance the mean absolute error over all models.
        size: side in pixels; cut to the picture where that is smaller.
        count: how many. Fewer are returned when nothing is left to show.
    """
    height, width = disagreement.shape
    rows, columns = min(size, height), min(size, width)
    table = cv2.integral(disagreement.astype(np.float64))
    sums = table[rows:, columns:] - table[:-rows, columns:] - table[rows:, :-columns] + table[:-rows, :-columns]
    windows: list[Window] = []
    while len(windows) < count and sums.max() > _NOTHING:
        y, x = (int(i) for i in np.unravel_index(int(np.argmax(sums)), sums.shape))
        windows.append(Window(x, y, columns, rows))
        sums[max(0, y - rows + 1) : y + rows, max(0, x - columns + 1) : x + columns] = 0  # all that would overlap
    return tuple(windows)


def cut(picture: NDArray[Any], window: Window) -> NDArray[Any]:
    """The pixels of ``picture`` inside ``window``, not scaled."""
    return picture[window.y : window.y + window.height, window.x : window.x + window.width]


def comparison_sheet(
    plate: NDArray[Any],
    trimap: NDArray[Any],
    mattes: Mapping[str, NDArray[Any]],
    *,
    truth: NDArray[Any] | None = None,
    windows: Sequence[Window] | None = None,
    size: int = 256,
    count: int = 3,
    zoom: int = 1,
) -> Bytes:
    """One picture to look at mattes by eye: a row for each window, and in it plate, trimap, truth and every matte.

    With a truth, a second line below each row shows the error maps.

    Args:
        plate: H x W x 3, display-encoded, 0..1.
        trimap: H x W of {0, 0.5, 1}.
        mattes: by name, H x W, 0..1.
        truth: H x W, 0..1.
        windows: parts to show; None takes the ``count`` squares of side ``size`` where the mattes are farthest from
            the truth, or from one another if there is no truth.
        size: side of those squares in pixels of the plate.
        count: how many of them.
        zoom: pixels are repeated this often in both directions, never smoothed.

    Returns:
        H x W x 3, RGB, uint8.
    """
    if windows is None:
        windows = hardest_windows(_disagreement(mattes, truth), size=size, count=count)
        # Mattes that agree everywhere are still worth a look: at the unknown band.
        windows = windows or hardest_windows((trimap > 0) & (trimap < 1), size=size, count=count)
        height, width = trimap.shape
        windows = windows or (Window(0, 0, min(size, width), min(size, height)),)
    upper: list[tuple[str, Bytes]] = [("plate", to_bytes(plate)), ("trimap", trimap_overlay(plate, trimap))]
    lower: list[tuple[str, Bytes] | None] = [None, None]
    if truth is not None:
        upper.append(("truth", grey(truth)))
        lower.append(None)
    for name, alpha in mattes.items():
        upper.append((name, grey(alpha)))
        if truth is not None:
            lower.append((f"{name} error", error_map(alpha, truth)))
    lines = []
    for window in windows:
        lines.append([_tile(entry, window, zoom) for entry in upper])
        if truth is not None:
            lines.append([_tile(entry, window, zoom) for entry in lower])
    return np.concatenate([np.concatenate(line, axis=1) for line in lines], axis=0)


def _disagreement(mattes: Mapping[str, NDArray[Any]], truth: NDArray[Any] | None) -> NDArray[np.float64]:
    stack = np.stack([alpha.astype(np.float64) for alpha in mattes.values()])
    if truth is not None:
        return np.asarray(np.abs(stack - truth).mean(axis=0))
    return np.asarray(stack.max(axis=0) - stack.min(axis=0))


def _tile(entry: tuple[str, Bytes] | None, window: Window, zoom: int) -> Bytes:
    """One labelled part on the sheet's ground."""
    height, width = window.height * zoom, window.width * zoom
    tile = np.full((height + _LABEL + _GAP, width + _GAP, 3), _GROUND, np.uint8)
    if entry is not None:
        label, picture = entry
        tile[_LABEL : _LABEL + height, :width] = cut(picture, window).repeat(zoom, axis=0).repeat(zoom, axis=1)
        paint_text(tile, f"{label} {window.x},{window.y}" if label == "plate" else label, at=(2, _LABEL - 7))
    return tile
