"""What the generator composites: an element is alpha plus the two fields from which its colour is mixed later.

Elements are drawn once and used in many samples, each time with other colours, scale, rotation and background.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.strands import SUPERSAMPLING
from gossamer.data.textures import fractal_noise
from gossamer.image.image import FloatArray

__all__ = [
    "Element",
    "body_fields",
    "fill_outside",
    "from_fields",
    "from_strand_canvas",
    "motion_kernel",
    "over_fields",
]


@dataclass(frozen=True, eq=False)
class Element:
    """A pre-rendered foreground."""

    layers: NDArray[np.uint8]
    """S x S x C, straight (not premultiplied), 0..255, alpha last. C = 3: light, mix, alpha. C = 4: R, G, B
    (sRGB-encoded), alpha, for elements taken from photographs."""
    kind: str

    @property
    def has_color(self) -> bool:
        """Whether the colours are its own and not to be mixed."""
        return bool(self.layers.shape[2] == 4)


def fill_outside(layers: FloatArray, alpha: FloatArray) -> FloatArray:
    """Divide premultiplied fields by alpha and continue them smoothly to where alpha vanishes.

    Args:
        layers: H x W x C premultiplied.
        alpha: H x W, same scale as the layers' own alpha, 0..1.

    Returns:
        H x W x C straight. Where alpha is small the value is an average of the surroundings, as LSA's foreground
        refinement makes it, so that the colours stay smooth there.
    """
    result = np.zeros_like(layers)
    missing = np.ones_like(alpha)
    for sigma, floor in ((0.6, 0.25), (2.5, 0.08), (10.0, 0.02), (40.0, 1e-4)):
        step = 1 if sigma < 2 else int(sigma // 1.2)
        height, width = alpha.shape
        small = (max(width // step, 1), max(height // step, 1))
        color = cv2.resize(layers, small, interpolation=cv2.INTER_AREA) if step > 1 else layers
        weight = cv2.resize(alpha, small, interpolation=cv2.INTER_AREA) if step > 1 else alpha
        color = cv2.GaussianBlur(color, (0, 0), sigma / step)
        weight = cv2.GaussianBlur(weight, (0, 0), sigma / step)
        color = np.atleast_3d(color) / np.maximum(weight, 1e-5)[..., None]
        if step > 1:
            color = np.atleast_3d(cv2.resize(color, (width, height)))
            weight = cv2.resize(weight, (width, height))
        share = missing * np.clip(weight / floor, 0, 1)
        result += share[..., None] * color
        missing = missing - share
    return np.asarray(result / np.maximum(1 - missing, 1e-4)[..., None], np.float32)


def from_fields(light: FloatArray, mix: FloatArray, alpha: FloatArray, kind: str) -> Element:
    """An element from straight fields, each S x S in 0..1."""
    stacked = np.stack([light, mix, alpha], -1)
    return Element(np.round(np.clip(stacked, 0, 1) * 255).astype(np.uint8), kind)


def over_fields(front: FloatArray, back: FloatArray) -> FloatArray:
    """``over`` for premultiplied S x S x 3 pictures of light, mix and alpha."""
    return np.asarray(front + (1 - front[..., 2:]) * back, np.float32)


def from_strand_canvas(canvas: NDArray[np.uint8], body: FloatArray | None, kind: str) -> Element:
    """An element from a drawn strand canvas over an optional body.

    Args:
        canvas: fine S*k x S*k x 3 as ``draw_strands`` leaves it.
        body: S x S x 3 premultiplied light, mix, alpha in 0..1.
        kind: name for statistics.
    """
    size = canvas.shape[0] // SUPERSAMPLING
    fields: FloatArray = np.asarray(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), np.float32)
    fields = fields * np.float32(1 / 255)
    if body is not None:
        fields = over_fields(fields, body)
    straight = fill_outside(np.ascontiguousarray(fields[..., :2]), np.ascontiguousarray(fields[..., 2]))
    return from_fields(straight[..., 0], straight[..., 1], fields[..., 2], kind)


def motion_kernel(rng: np.random.Generator, length: float) -> FloatArray:
    """Kernel of a straight or slightly curved motion during the exposure; sums to 1."""
    side = int(length) // 2 * 2 + 3
    angle, bend = rng.uniform(0, np.pi), rng.normal(0, 0.4)
    t = np.linspace(-0.5, 0.5, max(4, int(length * 3)))
    x = side / 2 - 0.5 + length * (t * np.cos(angle) - bend * (t**2 - 0.08) * np.sin(angle))
    y = side / 2 - 0.5 + length * (t * np.sin(angle) + bend * (t**2 - 0.08) * np.cos(angle))
    kernel = np.zeros((side, side), np.float32)
    np.add.at(kernel, (np.clip(np.round(y), 0, side - 1).astype(int), np.clip(np.round(x), 0, side - 1).astype(int)), 1)
    soft = cv2.GaussianBlur(kernel, (0, 0), 0.5)
    return np.asarray(soft / soft.sum(), np.float32)


def body_fields(rng: np.random.Generator, mask: NDArray[np.uint8], light: FloatArray) -> FloatArray:
    """Straight light and mix of a body, S x S x 2: inflated shading, plus spots, patches or nothing in the mix."""
    size = mask.shape[0]
    kind = rng.random()
    if kind < 0.35:
        mix = np.full((size, size), 0.5, np.float32) + 0.12 * fractal_noise(rng, size, size, cells=rng.uniform(2, 6))
    elif kind < 0.75:
        mix = 0.5 + 0.25 * fractal_noise(rng, size, size, cells=rng.uniform(2, 10), octaves=3)
    else:
        field = fractal_noise(rng, size, size, cells=rng.uniform(5, 22), octaves=2, persistence=0.4)
        mix = 0.5 + 0.5 * np.tanh(field * np.float32(rng.uniform(2, 9)))
    grain = rng.uniform(0, 0.16) * fractal_noise(rng, size, size, cells=size / rng.uniform(2, 9), octaves=2)
    return np.stack([np.clip(light + grain, 0, 1), np.clip(mix, 0, 1)], -1).astype(np.float32)
