"""LSA-Matting's training samples, both published profiles (Wang et al. 2021; algorithms.md B.3).

What of the published code is different here: colours are floats, so that gamma does not truncate; and alpha that has no
value between 0 and 1 gets its hard edges for an unknown region.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from gossamer.data.augmentation import alpha_gamma, augment_color
from gossamer.data.crops import LayerSample, cut_square, enlarge_to, place_square, resize_to
from gossamer.data.jitter import jitter_color
from gossamer.data.layer_source import LayerSource
from gossamer.data.trimaps import lsa_trimap
from gossamer.errors import SettingError
from gossamer.image.image import FloatArray

__all__ = ["LsaOnlineSamples", "LsaPipeline", "LsaSamples"]

_TRIES = 5
_ENOUGH = 0.8
_SHIFT = 10
_CENTRE_ANGLE = 180


@dataclass(frozen=True)
class LsaSamples:
    """Pipeline ``lsa``: the profile that the shipped training script uses. Probabilities are 0..1."""

    crop: tuple[int, int] = (480, 800)
    """Smallest and largest side of the crop in pixels, before it is brought to the recipe's size (640)."""
    rotation: float = 0.5
    """Foreground and background each, by any whole angle."""
    gamma: float = 0.3
    """Change of alpha."""
    color: float = 0.3
    """Each of the changes of the foreground's colour; 0 turns colour augmentation off."""
    mix: bool = True
    """The first of them, the mix with one colour."""
    blur: float = 0.0
    """Gaussian blur of both layers, sides 3 to 7."""
    rescale: float = 0.0
    """Detour over another size, each layer."""
    jitter: float = 0.0
    """Largest change of brightness, contrast and saturation, each layer."""
    radius: int = 24
    """Largest distance by which the unknown region grows."""

    def __post_init__(self) -> None:
        for name in ("rotation", "gamma", "color", "blur", "rescale", "jitter"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"samples.{name} is {getattr(self, name)}; give 0 to 1.")
        if not 16 <= self.crop[0] <= self.crop[1]:
            raise SettingError(f"samples.crop is {list(self.crop)}; give two rising sides from 16 pixels on.")
        if self.radius < 1:
            raise SettingError(f"samples.radius is {self.radius}; give at least 1.")


@dataclass(frozen=True)
class LsaOnlineSamples(LsaSamples):
    """Pipeline ``lsa-online``: the second published profile."""

    mix: bool = False
    blur: float = 0.3
    rescale: float = 0.3
    jitter: float = 0.2


class LsaPipeline:
    """Samples by number. ``sample(i)`` depends on source, settings, seed and ``i`` only."""

    def __init__(self, source: LayerSource, settings: LsaSamples, *, size: int, seed: int) -> None:
        self._source, self._settings, self._size, self._seed = source, settings, size, seed

    def sample(self, index: int) -> LayerSample:
        """Make one sample; one background after another, each with a random foreground.

        Raises:
            GossamerError: a file cannot be read.
        """
        settings, size = self._settings, self._size
        rng = np.random.default_rng([self._seed, 3, index])
        foreground, alpha = self._source.foreground(rng)
        background = self._source.background(rng, index)
        foreground, alpha = _mirror_pad(foreground, size), _mirror_pad(alpha, size)
        background = resize_to(background, alpha.shape, cv2.INTER_CUBIC)
        if rng.random() < settings.rotation:
            turn = _rotation(rng, alpha.shape)
            alpha, foreground = _warp(alpha, turn), _warp(foreground, turn)
        if rng.random() < settings.rotation:
            background = _warp(background, _rotation(rng, alpha.shape))
        side = int(rng.integers(settings.crop[0], settings.crop[1] + 1))
        alpha, foreground, background = enlarge_to((alpha, foreground, background), side, cv2.INTER_CUBIC)
        place = _place(rng, alpha, side)
        alpha, foreground, background = (cut_square(layer, place, side) for layer in (alpha, foreground, background))
        if rng.random() < 0.5:
            alpha, foreground = alpha[:, ::-1], foreground[:, ::-1]
        if rng.random() < 0.5:
            background = background[:, ::-1]
        alpha, foreground, background = (
            resize_to(layer, (size, size), cv2.INTER_CUBIC) for layer in (alpha, foreground, background)
        )
        if rng.random() < settings.gamma:
            gamma = rng.uniform(0.5, 1) if rng.random() < 0.5 else rng.uniform(1, 2)
            alpha = alpha_gamma(alpha, gamma, from_above=rng.random() < 0.5)
        foreground, background = self._change_colors(rng, foreground, background)
        outer, inner = (int(value) for value in rng.integers(1, settings.radius + 1, 2))
        trimap = lsa_trimap(alpha, outer, inner).astype(np.float32) / 255
        cover = alpha[..., None]
        plate = foreground * cover + background * (1 - cover)
        return LayerSample(
            np.asarray(plate, np.float32),
            np.where((trimap > 0) & (trimap < 1), np.float32(0.5), trimap),
            np.ascontiguousarray(alpha, np.float32),
            np.ascontiguousarray(foreground, np.float32),
            np.ascontiguousarray(background, np.float32),
        )

    def _change_colors(
        self, rng: np.random.Generator, foreground: FloatArray, background: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        settings = self._settings
        if rng.random() < settings.blur:
            sides = 2 * rng.integers(1, 4, 2) + 1
            foreground = np.asarray(cv2.GaussianBlur(foreground, (int(sides[0]), int(sides[0])), 0), np.float32)
            background = np.asarray(cv2.GaussianBlur(background, (int(sides[1]), int(sides[1])), 0), np.float32)
        if rng.random() < settings.rescale:
            # 960 or 320 at the published 640.
            foreground, background = (
                _detour(layer, round(self._size * float(rng.choice([1.5, 0.5])))) for layer in (foreground, background)
            )
        if settings.jitter:
            foreground, background = (jitter_color(rng, layer, settings.jitter) for layer in (foreground, background))
        if settings.color:
            foreground = augment_color(rng, foreground, settings.color, mix=settings.mix)
        return foreground, background


def _mirror_pad(layer: FloatArray, side: int) -> FloatArray:
    """Mirrored on all sides by what is missing to ``side``."""
    rows, columns = max(0, side - layer.shape[0]), max(0, side - layer.shape[1])
    if not rows and not columns:
        return layer
    padded = cv2.copyMakeBorder(np.ascontiguousarray(layer), rows, rows, columns, columns, cv2.BORDER_REFLECT_101)
    return np.asarray(padded, np.float32)


def _rotation(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """By a whole angle about the centre, which is shifted a little; 2 x 3."""
    angle = int(rng.integers(-_CENTRE_ANGLE, _CENTRE_ANGLE + 1))
    dx, dy = (int(value) for value in rng.integers(-_SHIFT, _SHIFT + 1, 2))
    return np.asarray(cv2.getRotationMatrix2D((shape[1] / 2 + dx, shape[0] / 2 + dy), angle, 1.0), np.float32)


def _warp(layer: FloatArray, matrix: FloatArray) -> FloatArray:
    size = (layer.shape[1], layer.shape[0])
    return np.asarray(
        cv2.warpAffine(np.ascontiguousarray(layer), matrix, size, flags=cv2.INTER_CUBIC).clip(0, 1), np.float32
    )


def _place(rng: np.random.Generator, alpha: FloatArray, side: int) -> tuple[int, int]:
    """Around a pixel of the object, with about as many mixed pixels as the whole picture has."""
    mixed = ((alpha > 0.5 / 255) & (alpha < 1 - 0.5 / 255)).astype(np.float32)
    wanted = _ENOUGH * float(mixed.mean())
    place = (0, 0)
    for _ in range(_TRIES):
        place = place_square(rng, alpha, side)
        if float(cut_square(mixed, place, side).mean()) >= wanted:
            break
    return place


def _detour(layer: FloatArray, side: int) -> FloatArray:
    height, width = layer.shape[:2]
    small = resize_to(layer, (math.ceil(side * height / width), side), cv2.INTER_LINEAR)
    return resize_to(small, (height, width), cv2.INTER_LINEAR)
