"""Synthetic trimaps: by rule, painted with discs, wide, and sloppy. Values 0, 128, 255."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.textures import fractal_noise
from gossamer.image.image import FloatArray

__all__ = ["BACKGROUND", "FOREGROUND", "UNKNOWN", "disc_trimap", "lsa_trimap", "random_trimap", "sloppy_trimap"]

BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255


def _is_mixed(alpha: FloatArray, tolerance: float = 0.5 / 255) -> NDArray[np.bool_]:
    return np.asarray((alpha > tolerance) & (alpha < 1 - tolerance))


def _mixed_with_hard_edges(alpha: FloatArray, tolerance: float) -> NDArray[np.uint8]:
    """Pixels with 0 < alpha < 1, plus both sides of a jump from 0 to 1."""
    opaque = (alpha >= 1 - tolerance).astype(np.uint8)
    mixed = _is_mixed(alpha, tolerance).astype(np.uint8)
    edge = np.asarray(cv2.morphologyEx(opaque, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)
    return np.asarray(mixed | edge, np.uint8)


def _assemble(alpha: FloatArray, unknown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    trimap = np.where(alpha > 0.5, FOREGROUND, BACKGROUND).astype(np.uint8)
    trimap[unknown] = UNKNOWN
    return trimap


def lsa_trimap(alpha: FloatArray, outer: int, inner: int, *, tolerance: float = 0.5 / 255) -> NDArray[np.uint8]:
    """LSA's rule: unknown = 0 < alpha < 1, grown by ``outer`` pixels (where alpha < 1) and ``inner`` (where alpha = 1).

    Known pixels have alpha 0 or 1 to the tolerance (half a step of 8 bits).
    """
    mixed = _is_mixed(alpha, tolerance).astype(np.uint8)
    if not mixed.any():
        mixed = _mixed_with_hard_edges(alpha, tolerance)
    if not mixed.any():
        return _assemble(alpha, np.zeros(alpha.shape, np.bool_))
    distance = cv2.distanceTransform(1 - mixed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    opaque = alpha >= 1 - tolerance
    return _assemble(alpha, (mixed > 0) | ((distance <= outer) & ~opaque) | ((distance <= inner) & opaque))


def disc_trimap(
    rng: np.random.Generator, alpha: FloatArray, margin: float, brush: tuple[float, float], *, tolerance: float
) -> NDArray[np.uint8]:
    """Painted as by hand: everything mixed within a small margin, then discs of random size along it.

    Args:
        rng: places the discs.
        alpha: H x W.
        margin: pixels around mixed alpha that are surely unknown.
        brush: smallest and largest radius of the discs.
        tolerance: alpha this close to 0 or 1 may be left out, as artists do with the faintest tips. Known pixels
            are then only true to this tolerance.
    """
    mixed = _mixed_with_hard_edges(alpha, tolerance)
    unknown = mixed.copy()
    if not mixed.any():
        return _assemble(alpha, unknown > 0)
    if margin >= 1:
        unknown = (cv2.distanceTransform(1 - mixed, cv2.DIST_L2, cv2.DIST_MASK_3) <= margin).astype(np.uint8)
    places = np.flatnonzero(mixed)
    radius = rng.uniform(*brush)
    count = int(min(1.2 * len(places) / max(radius, 2) + 1, 400))
    chosen = rng.choice(places, count)
    y, x = np.divmod(chosen, alpha.shape[1])
    radii = np.clip(radius * np.exp(rng.normal(0, 0.2, count)), 1, None)
    offset = rng.normal(0, 0.35 * radius, (count, 2))
    for px, py, r in zip(x + offset[:, 0], y + offset[:, 1], radii, strict=True):
        cv2.circle(unknown, (int(px), int(py)), int(r), 1, -1)
    return _assemble(alpha, unknown > 0)


def sloppy_trimap(rng: np.random.Generator, alpha: FloatArray, width: float, *, tolerance: float) -> NDArray[np.uint8]:
    """Roughly outlined: a smoothed band of uneven width, computed at a quarter of the resolution."""
    height, columns = alpha.shape
    mixed = _mixed_with_hard_edges(alpha, tolerance)
    small = cv2.resize(
        mixed.astype(np.float32), (max(columns // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA
    )
    # Where no pixel is mixed, OpenCV's distance is the largest float there is.
    distance = np.minimum(cv2.distanceTransform((small <= 0).astype(np.uint8), cv2.DIST_L2, 5), 1e6) * 4
    uneven = fractal_noise(rng, *small.shape, cells=rng.uniform(3, 9)) * width * 0.35
    band = cv2.GaussianBlur((width + uneven - distance).astype(np.float32), (0, 0), rng.uniform(0.5, 3))
    band = cv2.resize(band, (columns, height), interpolation=cv2.INTER_LINEAR)
    return _assemble(alpha, (band > 0) | (mixed > 0))


def random_trimap(rng: np.random.Generator, alpha: FloatArray, *, coarse: float = 0.1) -> NDArray[np.uint8]:
    """One of the sorts above, from tight to very wide; sometimes small known islands inside are covered as well.

    Args:
        rng: source of randomness.
        alpha: H x W.
        coarse: probability that also larger islands are covered: nobody marks the meshes of a net one by one.
    """
    kind = rng.random()
    tolerance = 0.5 / 255 if rng.random() < 0.6 else float(rng.uniform(1, 8)) / 255
    if kind < 0.25:
        reach = 12 if rng.random() < 0.6 else 24 if rng.random() < 0.75 else 60
        trimap = lsa_trimap(alpha, int(rng.integers(1, reach + 1)), int(rng.integers(1, reach + 1)))
    elif kind < 0.75:
        wide = rng.random()
        ranges = ((2, 6), (5, 11), (9, 24))
        radius = rng.uniform(*ranges[0 if wide < 0.6 else 1 if wide < 0.9 else 2])
        trimap = disc_trimap(
            rng, alpha, rng.uniform(0.3, 0.8) * radius, (0.8 * radius, 1.3 * radius), tolerance=tolerance
        )
    else:
        width = float(np.exp(rng.uniform(np.log(3), np.log(20))))
        trimap = sloppy_trimap(rng, alpha, width, tolerance=tolerance)
    if rng.random() < 0.5:
        # Artists keep the sure foreground well away from the edge.
        trimap = _shrink_foreground(trimap, float(rng.uniform(1, 9)))
    if rng.random() < coarse:
        trimap = _cover_islands(trimap, int(np.exp(rng.uniform(np.log(6), np.log(40)))))
    elif rng.random() < 0.35:
        trimap = _cover_islands(trimap, int(np.exp(rng.uniform(np.log(1.5), np.log(14)))))
    return trimap


def _shrink_foreground(trimap: NDArray[np.uint8], reach: float) -> NDArray[np.uint8]:
    """Foreground within a distance of unknown pixels becomes unknown."""
    distance = cv2.distanceTransform((trimap != UNKNOWN).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    result = trimap.copy()
    result[(trimap == FOREGROUND) & (distance <= reach)] = UNKNOWN
    return result


def _cover_islands(trimap: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Known regions too small for an artist to mark become unknown (closing of the unknown region)."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1)) if size < 6 else None
    unknown = (trimap == UNKNOWN).astype(np.uint8)
    if kernel is not None:
        closed = cv2.morphologyEx(unknown, cv2.MORPH_CLOSE, kernel)
    else:
        grown = cv2.distanceTransform(1 - unknown, cv2.DIST_L2, 3) <= size
        closed = (cv2.distanceTransform(grown.astype(np.uint8), cv2.DIST_L2, 3) > size).astype(np.uint8) | unknown
    result = trimap.copy()
    result[closed > 0] = UNKNOWN
    return result
