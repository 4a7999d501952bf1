"""Hair and fur: grow strands as polylines, and draw them as exact coverage with their own shading."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.image.image import FloatArray

__all__ = ["SUPERSAMPLING", "StrandStyle", "Tuft", "draw_strands", "drawn_width", "grow_strands"]

SUPERSAMPLING = 4
"""Strands are drawn this many times larger than the element and averaged down."""
_SHIFT = 4
_PIECES = ((0.0, 0.4), (0.4, 0.7), (0.7, 1.0))
"""A strand is drawn as three pieces that meet in a point, so that width and shading can change from root to tip."""

_LAYER = 400
"""Strands drawn in one go; layer lies on layer, within one the order is by look."""
_SHADES = (32, 12)
"""Steps of light and mix that a drawn strand can have."""


@dataclass(frozen=True)
class StrandStyle:
    """How the strands of one element look. Lengths are in element pixels, angles in radians."""

    length: float
    length_spread: float = 0.3
    """Standard deviation of the logarithm of the length."""
    points: int = 10
    spread: float = 0.3
    """Standard deviation of the starting direction."""
    bend: float = 0.5
    """Standard deviation of the total turn from root to tip, one value a strand."""
    wander: float = 0.3
    """Random turning along the way."""
    curl: float = 0.0
    """Radius of curls in pixels; 0 is straight."""
    curl_turns: float = 2.0
    pull: tuple[float, float] = (0.0, 0.0)
    """Gravity or wind, added to the unit direction at the tip."""
    clumps: int = 0
    """Strands gather towards this many guides; 0 is none."""
    clumping: float = 0.7
    """How far the tips have moved to their guide, 0..1."""


@dataclass(frozen=True)
class Tuft:
    """Strands ready to draw."""

    points: FloatArray
    """N x P x 2, x then y, element pixels; pixel centres lie at whole numbers."""
    width: FloatArray
    """N, element pixels at the root."""
    shade: FloatArray
    """N x 2, 0..1: light and mix of the strand (see Element)."""
    tip_shade: FloatArray
    """N x 2, added towards the tip."""
    taper: float = 0.5
    """Width at the tip over width at the root."""


def grow_strands(
    rng: np.random.Generator, roots: NDArray[np.floating], directions: NDArray[np.floating], style: StrandStyle
) -> FloatArray:
    """Polylines from roots.

    Args:
        rng: source of randomness.
        roots: N x 2, x then y, element pixels.
        directions: N x 2, need not be of unit length.
        style: how they grow.

    Returns:
        N x P x 2 with P = ``style.points``.
    """
    count, steps = len(roots), style.points
    length = style.length * np.exp(rng.normal(0, style.length_spread, count))
    heading = np.arctan2(directions[:, 1], directions[:, 0]) + rng.normal(0, style.spread, count)
    t = np.linspace(0, 1, steps)
    turning = rng.normal(0, style.bend, (count, 1)) * t + rng.normal(
        0, style.wander / steps**0.5, (count, steps)
    ).cumsum(1)
    angle = heading[:, None] + turning
    unit = np.stack([np.cos(angle), np.sin(angle)], -1)
    unit += np.asarray(style.pull) * t[None, :, None]
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True) + 1e-6
    step = (length / (steps - 1))[:, None, None]
    points = np.asarray(roots)[:, None, :] + np.concatenate(
        [np.zeros((count, 1, 2)), (unit[:, :-1] * step).cumsum(1)], axis=1
    )
    if style.clumps and count > style.clumps:
        guides = rng.choice(count, style.clumps, replace=False)
        distance = ((np.asarray(roots)[:, None, :] - np.asarray(roots)[guides][None]) ** 2).sum(-1)
        guide = points[guides[distance.argmin(1)]]
        pull = style.clumping * np.exp(rng.normal(0, 0.2, count)).clip(0, 1.2)[:, None, None]
        points = points + (guide - points) * np.minimum(pull * t[None, :, None] ** 1.3, 1)
    if style.curl > 0:
        radius = style.curl * np.exp(rng.normal(0, 0.4, count))[:, None]
        phase = rng.uniform(0, 2 * np.pi, (count, 1))
        turns = style.curl_turns * np.exp(rng.normal(0, 0.3, (count, 1)))
        wave = 2 * np.pi * turns * t[None] + phase
        side = np.stack([-unit[..., 1], unit[..., 0]], -1)
        grow = np.minimum(4 * t, 1)[None]
        points = points + (radius * grow * np.sin(wave))[..., None] * side
        points = points + (0.7 * radius * grow * (np.cos(wave) - np.cos(phase)))[..., None] * unit
    return np.asarray(points, np.float32)


def drawn_width(thickness: int) -> float:
    """Width in fine pixels of the antialiased line that OpenCV draws (measured; means over all directions)."""
    return 1.32 if thickness <= 1 else 1.32 + 2 * ((thickness + 1) // 2)


def draw_strands(canvas: NDArray[np.uint8], tuft: Tuft) -> None:
    """Draw strands over a picture, in the order given.

    Args:
        canvas: S x S x 3 at ``SUPERSAMPLING`` times the element's size: light and mix, both premultiplied by
            coverage, and coverage. Changed in place; the antialiased lines accumulate as ``over``.
        tuft: what to draw.
    """
    points = tuft.points.shape[1]
    # Pixel centres: fine coordinate = coarse * k + (k - 1) / 2.
    fine = np.round((tuft.points * SUPERSAMPLING + (SUPERSAMPLING - 1) / 2) * 2**_SHIFT).astype(np.int32)
    for below in range(0, len(fine), _LAYER):
        layer = slice(below, below + _LAYER)
        for number, (start, end) in enumerate(_PIECES):
            middle = number / (len(_PIECES) - 1)
            thickness = _thicknesses(tuft.width[layer] * (1 + (tuft.taper - 1) * middle))
            shade = np.clip(tuft.shade[layer] + middle * tuft.tip_shade[layer], 0, 1)
            # Few calls draw many strands: equal look within a layer goes together.
            look = np.concatenate([np.round(shade * _SHADES).astype(np.int64), thickness[:, None]], 1)
            looks, group = np.unique(look, axis=0, return_inverse=True)
            first, last = round(start * (points - 1)), round(end * (points - 1)) + 1
            lines = fine[layer, first:last]
            order = np.argsort(group.ravel(), kind="stable")
            for members, (light, mix, thick) in zip(
                np.split(order, np.cumsum(np.bincount(group.ravel()))[:-1]), looks.tolist(), strict=True
            ):
                color = (light * 255 / _SHADES[0], mix * 255 / _SHADES[1], 255.0)
                cv2.polylines(canvas, list(lines[members]), False, color, thick, cv2.LINE_AA, _SHIFT)


def _thicknesses(width: FloatArray) -> NDArray[np.int64]:
    """OpenCV's thickness for each width in element pixels; drawn widths come in steps of half an element pixel."""
    steps = np.round((width * SUPERSAMPLING - drawn_width(1)) / 2).astype(int)
    return np.where(steps < 1, 1, steps * 2).astype(np.int64)
