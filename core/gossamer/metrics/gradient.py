"""Gradient error: does the matte have its edges where the truth has them?"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.metrics.regions import Region, Variant, compare

__all__ = ["gradient_error"]

_SIGMA = 1.4
_OFFICIAL_REACH = math.ceil(_SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * _SIGMA * 0.01)))
_LSA_REACH = 3
_GFM_REACH = int(4 * _SIGMA + 0.5)


def gradient_error(
    alpha: NDArray[Any],
    truth: NDArray[Any],
    trimap: NDArray[Any] | None = None,
    *,
    region: Region = "unknown",
    variant: Variant = "official",
) -> float:
    """Sum over ``region`` of the squared difference of gradient magnitudes, divided by 1000.

    Gradients are taken on the whole picture with derivatives of a Gaussian (sigma 1.4 pixels, 9 x 9, L2 norm 1, edges
    replicated), so pixels near the border of the region see their neighbours outside it (Rhemann et al., CVPR 2009).

    Args:
        alpha: H x W, 0..1, the matte to judge.
        truth: H x W, 0..1.
        trimap: H x W of {0, 0.5, 1}; not needed for ``whole``.
        region: the pixels that count.
        variant: ``gfm`` has a kernel of unit integral, 13 x 13, mirrored edges, and divides by 10
            (reads about 3 % higher); ``lsa`` sets known pixels of the matte to the trimap and cuts the kernel to 7 x 7.

    Raises:
        SettingError: the variant does not define the region.
        DataError: sizes differ or the trimap is missing.
    """
    pair = compare(alpha, truth, trimap, region, variant, "grad")
    difference = _magnitude(pair.alpha, variant) - _magnitude(pair.truth, variant)
    total = float((difference[pair.counted] ** 2).sum())
    return total / 10 if variant == "gfm" else total / 1000


def _magnitude(plane: NDArray[np.float64], variant: Variant) -> NDArray[np.float64]:
    """Length of the gradient at each pixel, in the unit of the variant's kernel."""
    reach = {"gfm": _GFM_REACH, "lsa": _LSA_REACH}.get(variant, _OFFICIAL_REACH)
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    smooth = np.exp(-(x**2) / (2 * _SIGMA**2))
    smooth /= smooth.sum()
    derive = x / _SIGMA**2 * smooth
    border = cv2.BORDER_REFLECT
    if variant != "gfm":
        # The kernel is an outer product, so its L2 norm is the product of the two norms.
        smooth /= np.linalg.norm(smooth)
        derive /= np.linalg.norm(derive)
        border = cv2.BORDER_REPLICATE
    across = cv2.sepFilter2D(plane, cv2.CV_64F, derive, smooth, borderType=border)
    down = cv2.sepFilter2D(plane, cv2.CV_64F, smooth, derive, borderType=border)
    return np.hypot(across, down)
