"""Mean squared error."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from gossamer.metrics.regions import Region, Variant, compare, mean_over

__all__ = ["mse"]


def mse(
    alpha: NDArray[Any],
    truth: NDArray[Any],
    trimap: NDArray[Any] | None = None,
    *,
    region: Region = "unknown",
    variant: Variant = "official",
) -> float:
    """Mean of (alpha - truth)^2 over ``region``, not scaled (Rhemann et al., CVPR 2009).

    Tables often print 1000 times it.

    Args:
        alpha: H x W, 0..1, the matte to judge.
        truth: H x W, 0..1.
        trimap: H x W of {0, 0.5, 1}; not needed for ``whole``.
        region: the pixels that count.
        variant: ``gfm`` and ``lsa`` over ``unknown`` set known pixels of the matte to the trimap, sum over the picture
            and divide by the number of unknown pixels.

    Raises:
        SettingError: the variant does not define the region.
        DataError: sizes differ, the trimap is missing, or the region holds no pixel.
    """
    pair = compare(alpha, truth, trimap, region, variant, "mse")
    return mean_over(pair, (pair.alpha - pair.truth) ** 2)
