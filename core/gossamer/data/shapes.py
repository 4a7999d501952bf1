"""Outlines and masks of the solid bodies that hair, fur, leaves and rims grow from."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.textures import fractal_noise
from gossamer.image.image import FloatArray

__all__ = ["fill_outlines", "inflate", "outward_normals", "random_body", "random_gaps"]

Points = NDArray[np.float64]
"""N x 2, x then y, in pixels."""

_SHIFT = 4
"""Fractional bits of OpenCV's drawing coordinates: a sixteenth of a pixel."""


def fill_outlines(outlines: Sequence[Points], size: int) -> NDArray[np.uint8]:
    """Union of filled polygons as coverage.

    Args:
        outlines: each (N, 2), x then y in pixels; pixel centres lie at whole numbers.
        size: side of the square picture.

    Returns:
        size x size, 0..255, antialiased by 3x3 supersampling.
    """
    canvas = np.zeros((size * 3, size * 3), np.uint8)
    for outline in outlines:
        fine = np.round((np.asarray(outline) * 3 + 1) * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(canvas, [fine], 255, cv2.LINE_8, _SHIFT)
    return np.asarray(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def random_body(rng: np.random.Generator, size: int) -> list[Points]:
    """Outlines of one random body that covers a good part of a square picture.

    One of: smooth blob, superformula, limbs, animal-like silhouette, rounded polygon, or a large body whose contour
    crosses the picture as in a close-up.
    """
    kind = rng.choice(6, p=[0.24, 0.1, 0.14, 0.16, 0.1, 0.26])
    center = size * (0.5 + rng.uniform(-0.14, 0.14, 2))
    radius = size * rng.uniform(0.16, 0.34)
    if kind == 0:
        return [_blob(rng, center, radius)]
    if kind == 1:
        return [_superformula(rng, center, radius * 1.2)]
    if kind == 2:
        return _limbs(rng, center, radius)
    if kind == 3:
        return _animal(rng, center, radius)
    if kind == 4:
        return [_polygon(rng, center, radius)]
    angle = rng.uniform(0, 2 * np.pi)
    far = size * rng.uniform(0.35, 1.2)
    reach = far - size * rng.uniform(-0.05, 0.2)
    shifted = size * 0.5 + far * np.array([np.cos(angle), np.sin(angle)])
    return [_blob(rng, shifted, max(reach, 0.2 * size), roughness=0.35)]


def random_gaps(rng: np.random.Generator, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Openings inside of a body, as between petals, legs and stalks: slits that taper at both ends, and holes.

    Args:
        rng: draws their number, place and shape.
        alpha: S x S, 0..255.

    Returns:
        S x S coverage, 0..255; nothing where alpha has no opaque inside.
    """
    size = alpha.shape[0]
    depth = cv2.distanceTransform((alpha[::4, ::4] > 250).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    places = np.flatnonzero(depth > 2)
    outlines: list[Points] = []
    if len(places):
        for place in rng.choice(places, min(1 + int(rng.geometric(0.4)), 8)):
            y, x = np.divmod(int(place), depth.shape[1])
            center = np.array([4.0 * x, 4.0 * y])
            if rng.random() < 0.65:
                outlines.append(_slit(rng, center, size))
            else:
                outlines.append(_blob(rng, center, size * float(np.exp(rng.uniform(np.log(0.005), np.log(0.06))))))
    return fill_outlines(outlines, size)


def random_thing(rng: np.random.Generator, size: int, middle: Points | None = None) -> list[Points]:
    """Outlines of something that lies in a basket: a rod through ``middle`` (x, y; anywhere without), or a body."""
    if rng.random() < 0.4:
        return random_body(rng, size)
    angle = rng.uniform(0, np.pi)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    if middle is None:
        middle = size * rng.uniform(0.2, 0.8, 2)
    length, width = size * rng.uniform(0.25, 0.9), size * rng.uniform(0.01, 0.07)
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    return [np.array([middle + a * length * along + b * width * across for a, b in corners])]


def _slit(rng: np.random.Generator, center: Points, size: int) -> Points:
    length = size * float(np.exp(rng.uniform(np.log(0.03), np.log(0.3))))
    width = length * float(np.exp(rng.uniform(np.log(0.04), np.log(0.35))))
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    t = np.linspace(-0.5, 0.5, 40)[:, None]
    spine = center + length * t * along + length * rng.normal(0, 0.3) * (t**2 - 0.08) * across
    side = np.cos(np.pi * t) * width / 2
    wave = np.sin(t * rng.uniform(4, 25) + rng.uniform(0, 6.3)) * rng.uniform(0, 0.25)
    return np.asarray(np.concatenate([spine + side * (1 + wave) * across, (spine - side * (1 - wave) * across)[::-1]]))


def _blob(rng: np.random.Generator, center: Points, radius: float, *, roughness: float = 1.0) -> Points:
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    wave = np.zeros_like(angle)
    for order in range(1, 9):
        wave += rng.normal(0, 0.22 * roughness / order**1.1) * np.cos(order * angle + rng.uniform(0, 6.3))
    squash = np.exp(rng.normal(0, 0.25))
    length = radius * np.exp(np.clip(wave, -0.9, 0.6))
    points = np.stack([np.cos(angle) * length * squash, np.sin(angle) * length / squash], 1)
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray(points @ rotation.T + center)


def _superformula(rng: np.random.Generator, center: Points, radius: float) -> Points:
    # Gielis 2003: r = (|cos(m a / 4)|^n2 + |sin(m a / 4)|^n3)^(-1 / n1).
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    lobes = int(rng.integers(3, 13))
    n1, n2, n3 = rng.uniform(0.8, 4), rng.uniform(0.8, 4), rng.uniform(0.8, 4)
    value = np.abs(np.cos(lobes * angle / 4)) ** n2 + np.abs(np.sin(lobes * angle / 4)) ** n3
    length = value ** (-1 / n1)
    length = radius * np.clip(length / length.max(), 0.12, 1)
    turn = rng.uniform(0, 6.3)
    return np.stack([center[0] + np.cos(angle + turn) * length, center[1] + np.sin(angle + turn) * length], 1)


def _polygon(rng: np.random.Generator, center: Points, radius: float) -> Points:
    count = int(rng.integers(3, 8))
    angle = np.sort(rng.uniform(0, 2 * np.pi, count))
    corners = center + radius * rng.uniform(0.8, 1.4, (count, 1)) * np.stack([np.cos(angle), np.sin(angle)], 1)
    # Chaikin's corner cutting rounds the corners a little.
    for _ in range(int(rng.integers(0, 4))):
        after = np.roll(corners, -1, 0)
        corners = np.stack([0.85 * corners + 0.15 * after, 0.15 * corners + 0.85 * after], 1).reshape(-1, 2)
    return np.asarray(corners)


def _limb(start: Points, end: Points, bend: Points, thick: float, thin: float) -> Points:
    t = np.linspace(0, 1, 24)[:, None]
    spine = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
    tangent = np.gradient(spine, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    half = (thick * (1 - t) + thin * t) / 2
    turn = np.linspace(0, np.pi, 10)[1:-1, None]
    forward = tangent[-1] / (np.linalg.norm(tangent[-1]) + 1e-9)
    cap = end + thin / 2 * (np.cos(turn) * normal[-1] + np.sin(turn) * forward)
    return np.concatenate([spine + normal * half, cap, (spine - normal * half)[::-1]])


def _limbs(rng: np.random.Generator, center: Points, radius: float) -> list[Points]:
    outlines = [_blob(rng, center, radius * rng.uniform(0.3, 0.7))]
    for _ in range(int(rng.integers(2, 7))):
        angle = rng.uniform(0, 2 * np.pi)
        end = center + radius * rng.uniform(1.0, 2.0) * np.array([np.cos(angle), np.sin(angle)])
        bend = (center + end) / 2 + rng.normal(0, 0.35 * radius, 2)
        thick = radius * rng.uniform(0.1, 0.6)
        outlines.append(_limb(center, end, bend, thick, thick * rng.uniform(0.15, 0.9)))
    return outlines


def _animal(rng: np.random.Generator, center: Points, radius: float) -> list[Points]:
    """Body, head, ears, legs, tail: rounded parts that overlap as in a soft toy."""
    body = center + np.array([0, 0.5 * radius])
    head = center - np.array([rng.uniform(-0.5, 0.5) * radius, 0.55 * radius])
    skull = radius * rng.uniform(0.45, 0.75)
    outlines = [_blob(rng, body, radius * 0.9, roughness=0.4), _blob(rng, head, skull, roughness=0.3)]
    ear = radius * rng.uniform(0.2, 1.0)
    for side in (-1, 1):
        root = head + skull * np.array([0.6 * side, -0.6])
        tip = root + ear * np.array([side * rng.uniform(-0.2, 0.9), -rng.uniform(0.4, 1)])
        width = radius * rng.uniform(0.15, 0.35)
        outlines.append(_limb(root - 0.2 * (tip - root), tip, (root + tip) / 2 + side * width / 2, width, width * 0.7))
        foot = body + radius * np.array([side * rng.uniform(0.3, 0.8), rng.uniform(0.8, 1.6)])
        outlines.append(_limb(body, foot, (body + foot) / 2, radius * 0.45, radius * rng.uniform(0.2, 0.4)))
    if rng.random() < 0.6:
        side = rng.choice([-1, 1])
        tail = body + radius * np.array([side * rng.uniform(1.1, 1.8), -rng.uniform(-0.3, 1.2)])
        bend = body + radius * np.array([side * 1.4, 0.4])
        outlines.append(_limb(body, tail, bend, radius * 0.25, radius * rng.uniform(0.08, 0.3)))
    return outlines


def _depth(inside: NDArray[np.bool_]) -> FloatArray:
    """Distance to the nearest pixel outside; at most the side, where OpenCV answers 3e38 if nothing is outside."""
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return np.asarray(np.minimum(distance, inside.shape[0]), np.float32)


def inflate(rng: np.random.Generator, mask: NDArray[np.uint8]) -> FloatArray:
    """Shading of a mask as if it were a rounded body under one lamp.

    Args:
        rng: draws the direction of the light, how round the body is, and its dents.
        mask: S x S, 0..255.

    Returns:
        S x S, about 0..1 with 0.5 for a surface that faces the camera; continued smoothly outside the mask.
    """
    size = mask.shape[0]
    small = cv2.resize(mask, (size // 4, size // 4), interpolation=cv2.INTER_AREA)
    # A border of zeros would make bodies that leave the picture bend away at its edge.
    distance = _depth(small > 127)
    rim = max(2.0, float(rng.uniform(0.15, 0.7)) * float(distance.max()))
    ratio = np.minimum(distance / rim, 1)
    height = rim * np.sqrt(np.maximum(1 - (1 - ratio) ** 2, 0))
    height = height + rim * rng.uniform(0, 0.5) * fractal_noise(rng, size // 4, size // 4, cells=rng.uniform(3, 10))
    height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), max(1.0, 0.12 * rim))
    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125)
    angle, slant = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.0)
    light = slant * (np.cos(angle) * dx + np.sin(angle) * dy) + np.sqrt(1 - min(slant, 0.95) ** 2)
    shade = light / np.sqrt(1 + dx * dx + dy * dy)
    return np.asarray(cv2.resize(np.clip(0.5 * shade + 0.25, 0, 1), (size, size)), np.float32)


def outward_normals(mask: NDArray[np.uint8], blur: float) -> FloatArray:
    """Directions that lead out of a mask: S/4 x S/4 x 2 (x, y), unit length where the mask varies within ``blur``."""
    size = mask.shape[0]
    small = cv2.resize(mask, (size // 4, size // 4), interpolation=cv2.INTER_AREA).astype(np.float32)
    field = cv2.GaussianBlur(_depth(small <= 127) - _depth(small > 127), (0, 0), max(blur / 4, 0.8))
    normal = np.stack([cv2.Sobel(field, cv2.CV_32F, 1, 0), cv2.Sobel(field, cv2.CV_32F, 0, 1)], -1)
    return np.asarray(normal / (np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6), np.float32)
