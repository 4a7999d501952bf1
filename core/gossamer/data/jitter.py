"""Changes of colour that keep a picture plausible: ViTMatte's in HSV, and those of LSA's second profile."""

from __future__ import annotations

import cv2
import numpy as np

from gossamer.image.image import FloatArray

__all__ = ["jitter_color", "jitter_hsv"]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def jitter_color(rng: np.random.Generator, color: FloatArray, amount: float) -> FloatArray:
    """Brightness, contrast and saturation in random order, each by a factor of 1 - ``amount`` to 1 + ``amount``.

    Args:
        rng: decides.
        color: H x W x 3, 0..1.
        amount: 0..1.
    """
    factors = rng.uniform(1 - amount, 1 + amount, 3).astype(np.float32)
    for kind in rng.permutation(3):
        factor = factors[kind]
        if kind == 0:
            base: FloatArray | np.float32 = np.float32(0)
        elif kind == 1:
            base = np.float32((color @ _LUMA).mean())
        else:
            base = (color @ _LUMA)[..., None]
        color = np.asarray((base + factor * (color - base)).clip(0, 1), np.float32)
    return color


def jitter_hsv(rng: np.random.Generator, color: FloatArray, weight: FloatArray, *, hue: float = 40.0) -> FloatArray:
    """Turn the hue and shift saturation and value a little (ViTMatte, Yao et al. 2023).

    The shifts lie within a tenth of 1.1 less the mean over the object: what is dull or dark may change more. What
    leaves 0..1 is mirrored back.

    Args:
        rng: decides.
        color: H x W x 3, 0..1.
        weight: H x W, above 0 where the means are taken.
        hue: largest turn in degrees.
    """
    hsv = np.asarray(cv2.cvtColor(np.ascontiguousarray(color, np.float32), cv2.COLOR_RGB2HSV), np.float32)
    turn = rng.uniform(-hue, hue)
    shifts = rng.random(2)
    hsv[..., 0] = np.remainder(hsv[..., 0] + turn, 360)
    inside = weight > 0
    for channel, draw in zip((1, 2), shifts, strict=True):
        plane = hsv[..., channel]
        mean = float(plane[inside].mean()) if inside.any() else 0.5
        reach = (1.1 - mean) / 10
        plane = np.abs(plane + np.float32((2 * draw - 1) * reach))
        hsv[..., channel] = np.where(plane > 1, 2 - plane, plane)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).clip(0, 1), np.float32)
