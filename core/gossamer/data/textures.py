"""Procedural noise and textures: the material of backgrounds and foregrounds when no photograph is used."""

from __future__ import annotations

import cv2
import numpy as np

from gossamer.image.image import FloatArray

__all__ = ["colored_texture", "fractal_noise", "random_color", "shaded_gradient", "unit_range"]


def fractal_noise(
    rng: np.random.Generator, height: int, width: int, *, cells: float, octaves: int = 1, persistence: float = 0.5
) -> FloatArray:
    """Smooth random field: octaves of cubic-interpolated white noise.

    Args:
        rng: source of randomness.
        height: rows of the result.
        width: columns of the result.
        cells: number of noise cells across the longer side in the first octave; each further octave doubles it.
        octaves: how many are summed.
        persistence: weight of an octave relative to the one before.

    Returns:
        H x W, zero mean and unit variance in expectation (values mostly within -3..3).
    """
    longest = max(height, width)
    total = np.zeros((height, width), np.float32)
    power = 0.0
    for octave in range(octaves):
        count = min(cells * 2.0**octave, longest)
        # Two cells more than needed, cut away after resizing: cubic interpolation repeats its border.
        rows = max(2, round(count * height / longest)) + 3
        columns = max(2, round(count * width / longest)) + 3
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        scale_y, scale_x = height / (rows - 3), width / (columns - 3)
        matrix = np.array([[1 / scale_x, 0, 1], [0, 1 / scale_y, 1]])
        weight = persistence**octave
        total += weight * cv2.warpAffine(
            grid, matrix, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
        )
        # Interpolation lowers the variance of white noise to about 0.55.
        power += 0.55 * weight * weight
    return total / np.float32(np.sqrt(power))


def unit_range(field: FloatArray) -> FloatArray:
    """Stretch a field to exactly 0..1; a constant one becomes 0.5."""
    low, high = float(field.min()), float(field.max())
    if high - low < 1e-6:
        return np.full_like(field, 0.5)
    return np.asarray((field - low) * np.float32(1 / (high - low)), np.float32)


def random_color(rng: np.random.Generator) -> FloatArray:
    """One sRGB-encoded colour, 3 values in 0..1: mostly muted, often warm, sometimes saturated or nearly grey."""
    kind = rng.random()
    hue = float(rng.normal(25, 22)) if rng.random() < 0.45 else float(rng.uniform(0, 360))
    value = 0.06 + 0.92 * float(rng.beta(1.2, 1.2))
    if kind < 0.2:
        saturation = float(rng.uniform(0, 0.12))
    elif kind < 0.75:
        saturation = float(rng.uniform(0.12, 0.6))
    else:
        saturation = float(rng.uniform(0.5, 0.95))
    sector = (hue % 360) / 60
    ramp = np.array([abs(sector - 3) - 1, 2 - abs(sector - 2), 2 - abs(sector - 4)]).clip(0, 1)
    return np.asarray(value * (1 - saturation * (1 - ramp)), np.float32)


def shaded_gradient(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """H x W x 3, encoded 0..1: a wall or sky, two to four colours mixed by a ramp and very low-frequency noise."""
    angle = rng.uniform(0, 2 * np.pi)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    field = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    field = field * rng.uniform(0, 1) + rng.uniform(0.1, 0.8) * fractal_noise(
        rng, height, width, cells=rng.uniform(1, 3)
    )
    first = random_color(rng)
    near = rng.random() < 0.6
    stops = [first]
    for _ in range(int(rng.integers(1, 4))):
        stops.append((first + rng.normal(0, 0.12, 3).astype(np.float32)).clip(0, 1) if near else random_color(rng))
    place = (1 / (1 + np.exp(-1.5 * field))) * (len(stops) - 1)
    lower = np.minimum(place.astype(np.int32), len(stops) - 2)
    weight = (place - lower)[..., None].astype(np.float32)
    table = np.stack(stops)
    return np.asarray(table[lower] * (1 - weight) + table[lower + 1] * weight, np.float32)


def colored_texture(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """H x W x 3, encoded 0..1: fractal noise, stripes, checks or blotches in a few colours, softly shaded."""
    base = shaded_gradient(rng, height, width)
    kind = int(rng.integers(0, 5))
    longest = max(height, width)
    if kind == 0:
        return base
    if kind == 1:
        field = fractal_noise(rng, height, width, cells=longest / rng.uniform(6, 60), octaves=4, persistence=0.6)
    elif kind == 2:
        angle, period = rng.uniform(0, np.pi), rng.uniform(5, 60)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        warp = rng.uniform(0, 0.5) * period * fractal_noise(rng, height, width, cells=4)
        phase = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) + warp) * np.float32(2 * np.pi / period)
        field = np.tanh(np.sin(phase) * np.float32(rng.uniform(0.8, 6)))
    elif kind == 3:
        period = rng.uniform(8, 60)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        field = np.tanh(4 * np.sin(x * np.float32(np.pi / period)) * np.sin(y * np.float32(np.pi / period)))
    else:
        field = np.tanh(
            np.float32(rng.uniform(1, 6))
            * fractal_noise(rng, height, width, cells=longest / rng.uniform(15, 90), octaves=3)
        )
    other = random_color(rng) if rng.random() < 0.5 else base.mean((0, 1)) * np.float32(rng.uniform(0.4, 1.5))
    weight = (0.5 + 0.5 * np.clip(field, -1.5, 1.5)) * np.float32(rng.uniform(0.15, 1))
    return np.asarray((base + (other - base) * weight[..., None]).clip(0, 1), np.float32)
