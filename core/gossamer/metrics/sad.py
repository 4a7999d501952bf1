"""Sum of absolute differences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer.metrics.regions import Region, Variant, compare

__all__ = ["sad"]


def sad(
    alpha: NDArray[Any],
    truth: NDArray[Any],
    trimap: NDArray[Any] | None = None,
    *,
    region: Region = "unknown",
    variant: Variant = "official",
) -> float:
    """Sum of |alpha - truth| over ``region``, divided by 1000 (Rhemann et al., CVPR 2009).

    Args:
        alpha: H x W, 0..1, the matte to judge.
        truth: H x W, 0..1.
        trimap: H x W of {0, 0.5, 1}; not needed for ``whole``.
        region: the pixels that count.
        variant: ``gfm`` and ``lsa`` over ``unknown`` set known pixels of the matte to the trimap and sum over the
            picture, so that truth that contradicts the trimap adds to the error.

    Raises:
        SettingError: the variant does not define the region.
        DataError: sizes differ or the trimap is missing.
    """
    pair = compare(alpha, truth, trimap, region, variant, "sad")
    return float(np.abs(pair.alpha - pair.truth)[pair.counted].sum() / 1000)
