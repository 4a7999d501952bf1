"""Connectivity error: do parts of the matte hang together as they do in the truth?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.metrics.regions import Region, Variant, compare

__all__ = ["connectivity_error"]

_STEPS = 10
_TOLERANCE = 0.15


def connectivity_error(
    alpha: NDArray[Any],
    truth: NDArray[Any],
    trimap: NDArray[Any] | None = None,
    *,
    region: Region = "unknown",
    variant: Variant = "official",
) -> float:
    """Sum over ``region`` of the difference in connectedness, divided by 1000 (Rhemann et al., CVPR 2009).

    At each threshold t = 0.1, 0.2 .. 1 the source is the largest 4-connected part where both mattes reach t. A pixel
    that leaves the source at t is connected up to l = t - 0.1. Its connectedness is 1 - (value - l), or 1 where
    value - l is below 0.15. The source is found on the whole picture, whatever the region.

    Args:
        alpha: H x W, 0..1, the matte to judge.
        truth: H x W, 0..1.
        trimap: H x W of {0, 0.5, 1}; not needed for ``whole``.
        region: the pixels that count.
        variant: ``gfm`` and ``lsa`` pass over thresholds that no pixel reaches (officially every pixel leaves at
            the first of them); ``lsa`` also sets known pixels of the matte to the trimap; ``alpha_free`` takes the most
            frequent label as the source even where that is the background, which reads too high.

    Raises:
        SettingError: the variant does not define the region.
        DataError: sizes differ or the trimap is missing.
    """
    pair = compare(alpha, truth, trimap, region, variant, "conn")
    level = _connected_level(pair.alpha, pair.truth, variant)
    difference = _connectedness(pair.alpha, level) - _connectedness(pair.truth, level)
    return float(np.abs(difference)[pair.counted].sum() / 1000)


def _connectedness(values: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = values - level
    return 1 - distance * (distance >= _TOLERANCE)


def _connected_level(alpha: NDArray[np.float64], truth: NDArray[np.float64], variant: Variant) -> NDArray[np.float64]:
    """The highest threshold up to which each pixel belongs to the source; 1 where it never leaves."""
    # The papers' scripts step by 0.1, which makes 0.6 a hair more than 0.6 and so drops the 8-bit value 153.
    thresholds = np.arange(_STEPS + 1) / _STEPS if variant == "official" else np.arange(_STEPS + 1) * 0.1
    level = np.ones(alpha.shape)
    is_connected = np.ones(alpha.shape, bool)
    reached = np.minimum(alpha, truth)
    for below, threshold in pairwise(thresholds):
        source = _source(reached >= threshold, variant)
        if source is None:
            continue
        leaves = is_connected & ~source
        level[leaves] = below
        is_connected &= source
    return level


def _source(is_above: NDArray[np.bool_], variant: Variant) -> NDArray[np.bool_] | None:
    """The part that others must hang together with; None: the variant passes over this threshold."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(is_above.astype(np.uint8), connectivity=4)
    sizes = statistics[:, cv2.CC_STAT_AREA]
    if variant == "alpha_free":
        return np.asarray(labels == np.argmax(sizes))
    if not is_above.any():
        return None if variant in ("gfm", "lsa") else is_above
    return np.asarray(labels == 1 + np.argmax(sizes[1:]))
