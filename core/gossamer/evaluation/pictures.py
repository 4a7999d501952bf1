"""Mattes, errors and comps as 8-bit pictures to look at. Arrays in, RGB uint8 out; numpy and OpenCV only."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FULL_ERROR", "Bytes", "cutout", "error_map", "grey", "paint_text", "shrink", "to_bytes", "trimap_overlay"]

Bytes = NDArray[np.uint8]
"""H x W x 3 (RGB) or H x W x 4 (RGB unpremultiplied, alpha)."""

FULL_ERROR = 0.3
"""An error of this size or more has the full colour in an error map."""

_TOO_SOLID = np.array([255, 138, 30], np.float32) / 255
_TOO_THIN = np.array([40, 150, 255], np.float32) / 255
_UNKNOWN_TINT = np.array([0.25, 0.1, 0.0], np.float32)


def to_bytes(values: NDArray[Any]) -> Bytes:
    """0..1 to 0..255, rounded; values outside are cut off."""
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)


def grey(plane: NDArray[Any]) -> Bytes:
    """A matte or trimap, H x W in 0..1, as a grey picture."""
    return np.repeat(to_bytes(plane)[..., None], 3, axis=-1)


def error_map(alpha: NDArray[Any], truth: NDArray[Any]) -> Bytes:
    """Where and which way ``alpha`` is wrong: orange where it is too solid, blue where too thin, over a faint truth.

    The colour grows with the square root of the error and is full from ``FULL_ERROR`` on.
    """
    error = alpha.astype(np.float32) - truth.astype(np.float32)
    strength = np.sqrt(np.minimum(np.abs(error) / FULL_ERROR, 1))[..., None]
    colour = np.where(error[..., None] > 0, _TOO_SOLID, _TOO_THIN)
    faint = (truth.astype(np.float32) * np.float32(0.2))[..., None]
    return to_bytes(faint + strength * (colour - faint))


def trimap_overlay(plate: NDArray[Any], trimap: NDArray[Any]) -> Bytes:
    """The plate with its known background darkened and its unknown band tinted, to judge how the trimap lies."""
    light = np.select([trimap <= 0, trimap >= 1], [0.35, 1.0], 0.8)[..., None].astype(np.float32)
    is_unknown = ((trimap > 0) & (trimap < 1))[..., None]
    tint = is_unknown * _UNKNOWN_TINT
    return to_bytes(plate * light + tint)


def cutout(foreground: NDArray[Any], alpha: NDArray[Any]) -> Bytes:
    """RGBA, unpremultiplied: the foreground cut out, for putting over any colour.

    Args:
        foreground: H x W x 3, display-encoded; values outside 0..1 are cut off.
        alpha: H x W, 0..1.
    """
    return np.dstack([to_bytes(foreground), to_bytes(alpha)])


def shrink(picture: Bytes, width: int) -> Bytes:
    """Scale down to ``width`` by averaging; a picture that is narrower stays as it is."""
    height, old_width = picture.shape[:2]
    if old_width <= width:
        return picture
    size = (width, max(1, round(height * width / old_width)))
    if picture.shape[2] == 3:
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    # Averaged premultiplied, so that colours under alpha 0 do not bleed in.
    values = picture.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255
    small = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
    small[..., :3] = small[..., :3] / np.maximum(small[..., 3:] / 255, 1e-3)
    return np.asarray(np.rint(np.clip(small, 0, 255)), np.uint8)


def paint_text(picture: Bytes, text: str, *, at: tuple[int, int], size: float = 0.45) -> None:
    """Write ``text`` (ASCII) into ``picture`` with its baseline starting at x, y ``at``."""
    plain = text.encode("ascii", "replace").decode("ascii")
    cv2.putText(picture, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, (225, 225, 225), 1, cv2.LINE_AA)
