"""Alpha in the compositing equation (Porter and Duff 1984). Nothing is clamped."""

from __future__ import annotations

import numpy as np

from gossamer.image.image import FloatArray

__all__ = ["over", "premultiply", "unpremultiply"]


def premultiply(color_unpremult: FloatArray, alpha: FloatArray) -> FloatArray:
    """Colour times alpha. H x W x C and H x W, scene-linear. Colour under alpha 0 becomes 0, even where it is NaN."""
    with np.errstate(invalid="ignore"):
        result: FloatArray = color_unpremult * alpha[..., None]
    result[alpha == 0] = 0.0
    return result


def unpremultiply(color_premult: FloatArray, alpha: FloatArray) -> FloatArray:
    """Colour divided by alpha. Where alpha is 0 there is no answer and the colour stays as it is."""
    divisor = np.where(alpha == 0, np.float32(1), alpha).astype(np.float32, copy=False)
    result: FloatArray = color_premult / divisor[..., None]
    return result


def over(a_premult: FloatArray, alpha: FloatArray, b: FloatArray) -> FloatArray:
    """A over B: ``A + (1 - alpha) B``.

    Args:
        a_premult: H x W x 3, premultiplied, scene-linear.
        alpha: H x W, coverage of A.
        b: H x W x 3, scene-linear.
    """
    result: FloatArray = a_premult + (np.float32(1) - alpha)[..., None] * b
    return result
