"""Colour of foregrounds and backgrounds. Foregrounds vary slowly, as LSA assumes and photographs of objects show."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.photos import PhotoLibrary
from gossamer.data.textures import colored_texture, fractal_noise, random_color, shaded_gradient
from gossamer.image.image import FloatArray

__all__ = ["crop_photo", "match_mean", "paint", "random_background", "to_encoded", "to_linear"]

_STEPS = 4096
_grid = np.linspace(0, 1, _STEPS + 1)
_TO_LINEAR = np.where(_grid <= 0.04045, _grid / 12.92, ((_grid + 0.055) / 1.055) ** 2.4).astype(np.float32)
# Indexed by the square root of the linear value: the curve is steep near black.
_square = _grid**2
_TO_ENCODED = np.where(_square <= 0.0031308, _square * 12.92, 1.055 * _square ** (1 / 2.4) - 0.055).astype(np.float32)


def to_linear(color: FloatArray) -> FloatArray:
    """sRGB decoding of values in 0..1, by a table of 4096 steps."""
    return np.asarray(_TO_LINEAR[(color.clip(0, 1) * _STEPS + 0.5).astype(np.uint16)])


def to_encoded(color: FloatArray) -> FloatArray:
    """sRGB encoding of values in 0..1, by a table of 4096 steps."""
    return np.asarray(_TO_ENCODED[(np.sqrt(color.clip(0, 1)) * _STEPS + 0.5).astype(np.uint16)])


def crop_photo(
    rng: np.random.Generator, photo: NDArray[np.uint8], size: int, *, zoom: tuple[float, float] = (0.45, 1.4)
) -> FloatArray:
    """A square piece of one photograph near its natural scale, H x W x 3 encoded 0..1.

    Args:
        rng: draws scale, place, flip and a small rotation.
        photo: H x W x 3.
        size: side of the piece.
        zoom: range of output pixels per photograph pixel.
    """
    height, width = photo.shape[:2]
    smallest = min(height, width)
    scale = float(np.exp(rng.uniform(np.log(zoom[0]), np.log(zoom[1]))))
    tiled = smallest <= 160
    if not tiled:
        # Never leave the picture: enlarge a little more instead.
        scale = max(scale, size / (smallest - 2))
    half = size / 2 / scale
    if smallest > 2 * half:
        x, y = rng.uniform(half, width - half), rng.uniform(half, height - half)
    else:
        x, y = width / 2, height / 2
    angle = rng.normal(0, 0.06) if rng.random() < 0.3 else 0.0
    flip = -1 if rng.random() < 0.5 else 1
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    center = (size - 1) / 2
    inverse = np.array([
        [flip * cosine, -sine, x - flip * cosine * center + sine * center],
        [flip * sine, cosine, y - flip * sine * center - cosine * center],
    ])  # fmt: skip
    source = photo
    if scale < 0.8:
        low_x, high_x = int(max(0, x - 1.5 * half - 4)), int(min(width, x + 1.5 * half + 5))
        low_y, high_y = int(max(0, y - 1.5 * half - 4)), int(min(height, y + 1.5 * half + 5))
        if not tiled:
            source = photo[low_y:high_y, low_x:high_x]
            inverse[:, 2] -= (low_x, low_y)
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.4 / scale), np.uint8)
    border = cv2.BORDER_WRAP if tiled else cv2.BORDER_REFLECT_101
    piece = cv2.warpAffine(
        source, inverse, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return np.asarray(piece, np.float32) * np.float32(1 / 255)


def random_background(rng: np.random.Generator, size: int, photos: PhotoLibrary) -> FloatArray:
    """S x S x 3 encoded: mostly one photograph in one piece, more often out of focus than not; else walls, patterns."""
    if photos and rng.random() < 0.8:
        background = crop_photo(rng, photos.draw(rng), size)
        focus = rng.random()
        if focus < 0.7:
            sigma = float(np.exp(rng.uniform(np.log(0.8), np.log(4 if focus < 0.4 else 14))))
            background = _blur(background, sigma)
    elif rng.random() < 0.5:
        background = shaded_gradient(rng, size, size)
    else:
        background = colored_texture(rng, size, size)
        if rng.random() < 0.5:
            background = _blur(background, float(rng.uniform(0.6, 4)))
    contrast = float(np.exp(rng.normal(-0.15, 0.25)))
    mean = np.array(cv2.mean(background)[:3], np.float32)
    lift = rng.normal(0, 0.05, 3).astype(np.float32)
    return np.asarray((mean + (background - mean) * contrast + lift).clip(0, 1), np.float32)


def _blur(color: FloatArray, sigma: float) -> FloatArray:
    """Gaussian blur, wide ones at a quarter of the resolution."""
    if sigma < 4:
        return np.asarray(cv2.GaussianBlur(color, (0, 0), sigma), np.float32)
    height, width = color.shape[:2]
    small = cv2.resize(color, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / 4)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1), np.float32)


def _slow_color(rng: np.random.Generator, size: int, photos: PhotoLibrary) -> FloatArray:
    """A colour that drifts over the picture: S x S x 3."""
    if photos and rng.random() < 0.35:
        piece = crop_photo(rng, photos.draw(rng), size, zoom=(0.5, 2.5))
        return _blur(piece, float(np.exp(rng.uniform(np.log(5), np.log(30)))))
    color = random_color(rng)
    cells = float(rng.uniform(1, 4))
    drift = cv2.resize(
        np.stack([fractal_noise(rng, 32, 32, cells=cells) for _ in range(3)], -1), (size, size)
    ) * np.float32(rng.uniform(0, 0.07))
    shared = cv2.resize(fractal_noise(rng, 32, 32, cells=cells), (size, size)) * np.float32(rng.uniform(0, 0.1))
    return np.asarray(color + drift + shared[..., None], np.float32)


def _many_colors(rng: np.random.Generator, mix: FloatArray) -> FloatArray:
    """Three to eight unrelated colours, one after the other along ``mix``, with hard or soft changes: S x S x 3."""
    count = int(rng.integers(3, 9))
    table = np.stack([random_color(rng) for _ in range(count)])
    # From end to end and back, so that a narrow range of ``mix`` shows several colours as well.
    turns = float(rng.choice([1, 2, 4], p=[0.6, 0.3, 0.1]))
    place = (mix * np.float32(turns) + np.float32(rng.random())) % 2
    place = np.minimum(place, 2 - place) * np.float32(count - 1)
    lower = np.minimum(place.astype(np.int32), count - 2)
    weight = (place - lower - np.float32(0.5)) * np.float32(rng.choice([1, 4])) + np.float32(0.5)
    weight = weight.clip(0, 1)[..., None]
    return np.asarray(table[lower] * (1 - weight) + table[lower + 1] * weight, np.float32)


def paint(
    rng: np.random.Generator, light: FloatArray, mix: FloatArray, photos: PhotoLibrary, *, many_colors: float = 0.1
) -> FloatArray:
    """Foreground colour from an element's fields.

    Two slowly varying colours are mixed by ``mix`` and shaded by ``light``; one time in five the base is a
    photograph's texture instead, and sometimes ``mix`` chooses among several unrelated colours.

    Args:
        rng: source of randomness.
        light: S x S, 0..1, 0.5 neutral.
        mix: S x S, 0..1.
        photos: may be empty.
        many_colors: probability of several unrelated colours, as threads of a fringe have them, or things in a basket.

    Returns:
        S x S x 3 encoded 0..1.
    """
    size = light.shape[0]
    texture = rng.random()
    if rng.random() < many_colors:
        base = _many_colors(rng, mix)
        gain = rng.uniform(0.7, 3.0)
    elif texture < 0.22:
        if photos:
            base = crop_photo(rng, photos.draw(rng), size)
            if rng.random() < 0.5:
                base = _blur(base, float(rng.uniform(0.5, 3)))
        else:
            base = colored_texture(rng, size, size)
        gain = rng.uniform(0, 1.2)
    else:
        base = _slow_color(rng, size, photos)
        relation = rng.random()
        if relation < 0.6:
            other = base * np.exp(rng.normal(0, 0.3)) + rng.normal(0, 0.06, 3)
        else:
            other = _slow_color(rng, size, photos)
        strength = np.float32(rng.uniform(0.1, 1) if relation < 0.85 else rng.uniform(0, 0.2))
        base = base + (other - base).astype(np.float32) * (mix * strength)[..., None]
        gain = rng.uniform(0.7, 3.0)
    shaded = base * np.exp(np.float32(gain) * (light - 0.5))[..., None]
    if rng.random() < 0.4:
        # Highlights take the lamp's colour, not the body's.
        lamp = np.array([1, rng.uniform(0.85, 1), rng.uniform(0.65, 1)], np.float32) * np.float32(rng.uniform(0.1, 0.5))
        shaded = shaded + np.clip((light - 0.68) * 2.5, 0, 1)[..., None] * lamp
    return np.asarray(shaded.clip(0, 1), np.float32)


def match_mean(color: FloatArray, weight: FloatArray, target: FloatArray, amount: float) -> FloatArray:
    """Shift a colour so that its weighted mean moves towards a target: what makes F and B alike.

    Args:
        color: S x S x 3.
        weight: S x S, not negative.
        target: 3.
        amount: 0 leaves it, 1 moves the mean all the way.
    """
    total = float(weight.sum())
    if total < 1:
        return color
    mean = weight.ravel() @ color.reshape(-1, 3) / np.float32(total)
    return np.asarray((color + np.float32(amount) * (target - mean)).clip(0, 1), np.float32)


def color_near_edge(rng: np.random.Generator, color: FloatArray, edge: FloatArray) -> FloatArray:
    """The mean colour of a small patch some 25 pixels away from a random point of an object's edge.

    Args:
        rng: source of randomness.
        color: H x W x 3, the background.
        edge: H * W, how much of an edge each pixel is; sums to 1.

    Returns:
        3.
    """
    height, width = color.shape[:2]
    place = int(np.searchsorted(np.cumsum(edge, dtype=np.float64), rng.random()))
    y, x = np.array(divmod(min(place, edge.size - 1), width)) + np.round(rng.normal(0, 25, 2)).astype(int)
    y, x = int(np.clip(y, 0, height - 1)), int(np.clip(x, 0, width - 1))
    patch = color[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
    return np.asarray(patch.mean((0, 1)), np.float32)
