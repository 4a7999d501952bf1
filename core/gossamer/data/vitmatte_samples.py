"""ViTMatte's training samples (Yao et al. 2024; algorithms.md C.2)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gossamer.data.crops import INTERPOLATIONS, LayerSample, cut_square, enlarge_to, place_square, resize_to
from gossamer.data.jitter import jitter_hsv
from gossamer.data.layer_source import LayerSource
from gossamer.data.paper_trimaps import draw_erosion, ellipse_trimap
from gossamer.errors import SettingError
from gossamer.image.image import FloatArray

__all__ = ["ViTMattePipeline", "ViTMatteSamples"]


@dataclass(frozen=True)
class ViTMatteSamples:
    """Pipeline ``vitmatte``."""

    second: float = 0.5
    """Chance of a second foreground behind the first."""
    shrink: float = 0.25
    """Chance that the foreground is first brought to ``shrunk`` x ``shrunk``."""
    shrunk: int = 640
    rotation: float = 30.0
    """Largest angle in degrees; none for a foreground whose longer side is below ``turned_from``."""
    turned_from: int = 1024
    scale: tuple[float, float] = (0.8, 1.25)
    """Per axis."""
    shear: float = 10.0
    """Largest angle in degrees."""
    jitter: bool = True
    """Change of hue, saturation and value of the foreground."""

    def __post_init__(self) -> None:
        for name in ("second", "shrink"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"samples.{name} is {getattr(self, name)}; give 0 to 1.")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise SettingError(f"samples.scale is {list(self.scale)}; give two rising factors above 0.")
        if self.shrunk < 32:
            raise SettingError(f"samples.shrunk is {self.shrunk}; give at least 32 pixels.")


class ViTMattePipeline:
    """Samples by number. ``sample(i)`` depends on source, settings, seed and ``i`` only."""

    def __init__(self, source: LayerSource, settings: ViTMatteSamples, *, size: int, seed: int) -> None:
        self._source, self._settings, self._size, self._seed = source, settings, size, seed

    def sample(self, index: int) -> LayerSample:
        """Make one sample; one background after another, each with a random foreground or two.

        Raises:
            GossamerError: a file cannot be read.
        """
        settings, size = self._settings, self._size
        rng = np.random.default_rng([self._seed, 4, index])

        def interpolation() -> int:
            return INTERPOLATIONS[int(rng.integers(len(INTERPOLATIONS)))]

        foreground, alpha = self._source.foreground(rng)
        if rng.random() < settings.second:
            foreground, alpha = self._merge(rng, foreground, alpha, interpolation())
        if rng.random() < settings.shrink:
            how = interpolation()
            foreground, alpha = (
                resize_to(layer, (settings.shrunk, settings.shrunk), how) for layer in (foreground, alpha)
            )
        matrix = self._affine(rng, alpha.shape)
        how = interpolation()
        foreground, alpha = _warp(foreground, matrix, how), _warp(alpha, matrix, how)
        alpha, foreground = enlarge_to((alpha, foreground), size, interpolation())
        trimap = ellipse_trimap(alpha, draw_erosion(rng))
        place = place_square(rng, (trimap == 0.5).astype(np.float32), size)
        alpha, foreground, trimap = (cut_square(layer, place, size) for layer in (alpha, foreground, trimap))
        if settings.jitter:
            foreground = jitter_hsv(rng, foreground, alpha)
        background = resize_to(self._source.background(rng, index), (size, size), interpolation())
        cover = alpha[..., None]
        plate = np.asarray(foreground * cover + background * (1 - cover), np.float32)
        return LayerSample(plate, trimap, alpha, foreground, np.ascontiguousarray(background, np.float32))

    def _merge(
        self, rng: np.random.Generator, foreground: FloatArray, alpha: FloatArray, how: int
    ) -> tuple[FloatArray, FloatArray]:
        """A second foreground behind the first; left out if the two cover everything."""
        other, other_alpha = self._source.foreground(rng)
        other, other_alpha = (resize_to(layer, alpha.shape, how) for layer in (other, other_alpha))
        total = 1 - (1 - alpha) * (1 - other_alpha)
        if not (total < 1 - 0.5 / 255).any():
            return foreground, alpha
        cover = alpha[..., None]
        return np.asarray(cover * foreground + (1 - cover) * other, np.float32), np.asarray(total, np.float32)

    def _affine(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Turn, shear, scale and mirror about the centre; 2 x 3, from source to result."""
        settings = self._settings
        height, width = shape
        angle = rng.uniform(-settings.rotation, settings.rotation)
        if max(height, width) < settings.turned_from:
            angle = 0.0
        scale = rng.uniform(*settings.scale, 2) * np.where(rng.random(2) < 0.5, -1, 1)
        shear = np.tan(np.deg2rad(rng.uniform(-settings.shear, settings.shear)))
        turn = np.deg2rad(angle)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        linear = rotation @ np.array([[1, shear], [0, 1]]) @ np.diag(scale)
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        return np.asarray(np.concatenate([linear, (centre - linear @ centre)[:, None]], axis=1), np.float32)


def _warp(layer: FloatArray, matrix: FloatArray, how: int) -> FloatArray:
    size = (layer.shape[1], layer.shape[0])
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(layer), matrix, size, flags=how).clip(0, 1), np.float32)
