"""Temporal error: does the matte change from frame to frame as the truth does? Chatter shows here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import DataError
from gossamer.metrics.regions import Region, compare

__all__ = ["dtssd"]


def dtssd(
    alphas: NDArray[Any], truths: NDArray[Any], trimaps: NDArray[Any] | None = None, *, region: Region = "unknown"
) -> float:
    """100 times the root mean square of (change of alpha - change of truth) from frame to frame.

    The mean is taken over all pairs of neighbouring frames (dtSSD of Erofeev et al., BMVC 2015, in the per-pixel form
    and unit in which video matting papers print it). A pixel counts for a pair if it is in the region in either frame.

    Args:
        alphas: T x H x W, 0..1, consecutive frames.
        truths: T x H x W, 0..1.
        trimaps: T x H x W of {0, 0.5, 1}; not needed for ``whole``.
        region: the pixels that count.

    Raises:
        DataError: fewer than two frames, different sizes, a missing trimap, or no pixel of the region in any frame.
    """
    if alphas.ndim != 3 or alphas.shape != truths.shape or (trimaps is not None and trimaps.shape != alphas.shape):
        raise DataError("dtSSD needs mattes, truths and trimaps of one shape T x H x W.")
    if len(alphas) < 2:
        raise DataError("dtSSD needs at least two frames.")
    errors = []
    before = compare(alphas[0], truths[0], None if trimaps is None else trimaps[0], region, "official", "mad")
    for index in range(1, len(alphas)):
        trimap = None if trimaps is None else trimaps[index]
        now = compare(alphas[index], truths[index], trimap, region, "official", "mad")
        is_counted = now.counted | before.counted
        if is_counted.any():
            change = (now.alpha - before.alpha) - (now.truth - before.truth)
            errors.append(100 * float(np.sqrt((change[is_counted] ** 2).mean())))
        before = now
    if not errors:
        raise DataError(f"The region {region!r} holds no pixel in any frame; choose another region or trimap.")
    return float(np.mean(errors))
