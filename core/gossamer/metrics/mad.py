"""Mean absolute difference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer.metrics.regions import Region, Variant, compare, mean_over

__all__ = ["mad"]


def mad(
    alpha: NDArray[Any],
    truth: NDArray[Any],
    trimap: NDArray[Any] | None = None,
    *,
    region: Region = "unknown",
    variant: Variant = "official",
) -> float:
    """Mean of |alpha - truth| over ``region`` (GFM, "Bridging Composite and Real", IJCV 2022, calls it MAD).

    Args:
        alpha: H x W, 0..1, the matte to judge.
        truth: H x W, 0..1.
        trimap: H x W of {0, 0.5, 1}; not needed for ``whole``.
        region: the pixels that count.
        variant: ``gfm`` over ``unknown`` sets known pixels of the matte to the trimap, sums over the picture and
            divides by the number of unknown pixels. ``lsa`` and ``alpha_free`` do not define it.

    Raises:
        SettingError: the variant does not define the region.
        DataError: sizes differ, the trimap is missing, or the region holds no pixel.
    """
    pair = compare(alpha, truth, trimap, region, variant, "mad")
    return mean_over(pair, np.abs(pair.alpha - pair.truth))
