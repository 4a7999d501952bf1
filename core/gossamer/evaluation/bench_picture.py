"""The picture that ``gossamer bench`` solves: made up, the same on every machine, of any size and band."""

from __future__ import annotations

import cv2
import numpy as np

from gossamer.image.image import FloatArray

__all__ = ["make_plate", "make_trimap"]

SUBJECT = 0.3
"""Part of the picture that the subject covers: a person from the waist up, roughly."""
FRAYED = 0.3
"""Widest fringe, as a band; wider ones hold plain foreground and background too, as generous trimaps do."""
LOBES = ((5, 0.10, 0.4), (13, 0.05, 1.9), (29, 0.02, 4.1))
"""Waves of the subject's outline: how many around it, amplitude against the radius, phase."""


def _edge_distance(width: int, height: int) -> FloatArray:
    """H x W, negative inside the subject; -1 and 1 are the points of either side that lie farthest from the outline."""
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2)[None, :]
    y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2)[:, None]
    angle = np.arctan2(y, x)
    radius = np.ones_like(angle)
    for count, amplitude, phase in LOBES:
        radius += np.float32(amplitude) * np.sin(count * angle + np.float32(phase))
    del angle
    # Round, unless the picture is too narrow for that.
    half = np.sqrt(SUBJECT * width * height / np.pi)
    across, along = min(half, 0.4 * width), min(half, 0.4 * height)
    inside = (np.hypot(x / np.float32(across), y / np.float32(along)) < radius).astype(np.uint8)
    del radius
    distance: FloatArray = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance /= max(float(distance.max()), 1.0)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    depth /= max(float(depth.max()), 1.0)
    distance -= depth
    return distance


def make_trimap(width: int, height: int, band: float) -> FloatArray:
    """A wavy closed outline with an unknown band around it.

    The band's width is the one at which ``band`` of the picture is unknown. Distances count against the largest on
    their side of the outline, so that known foreground and background remain for every ``band`` below 1.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        band: part of the picture that is unknown, above 0 and up to 1.

    Returns:
        H x W of 0, 0.5 and 1.
    """
    signed = _edge_distance(width, height)
    count = min(max(round(band * signed.size), 1), signed.size)
    reach = np.partition(np.abs(signed), count - 1, axis=None)[count - 1]
    trimap = (signed < 0).astype(np.float32)
    trimap[np.abs(signed) <= reach] = 0.5
    return trimap


def make_plate(width: int, height: int, band: float) -> FloatArray:
    """A subject with a frayed edge inside the unknown band, over a background of soft patches; both with grain.

    Args:
        width: pixels.
        height: pixels.
        band: as for :func:`make_trimap`; the edge frays no farther than in a band of FRAYED.

    Returns:
        H x W x 3, scene-linear Rec.709, about 0.001..0.85.
    """
    random = np.random.default_rng(1)
    trimap = make_trimap(width, height, min(band, FRAYED))

    def patches(columns: int, rows: int, channels: int, low: float, high: float) -> FloatArray:
        """Noise of ``columns`` x ``rows`` values, drawn out smoothly over the picture."""
        grid = random.uniform(low, high, (max(rows, 2), max(columns, 2), channels)).astype(np.float32)
        drawn = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
        return drawn.reshape(height, width, channels)

    # A slope from one side of the band to the other, frayed by strands a few pixels wide.
    to_background, to_foreground = (
        cv2.distanceTransform((trimap != known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) for known in (0, 1)
    )
    slope = to_background / np.maximum(to_background + to_foreground, np.float32(1))
    del to_background, to_foreground
    alpha = 2 * slope - np.float32(0.5) + patches(width // 4, height // 48, 1, -0.4, 0.4)[..., 0]
    alpha = np.where(trimap == 0.5, np.clip(alpha, 0, 1), trimap)[..., None]
    del slope
    plate = patches(12, 8, 3, 0.02, 0.25)
    plate *= 1 - alpha
    plate += alpha * patches(20, 30, 3, 0.4, 0.8)
    plate += random.standard_normal((height, width, 1), np.float32) * np.float32(0.01)
    return np.maximum(plate, np.float32(0.001))
