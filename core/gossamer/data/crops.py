"""Squares cut out of pictures, and the interpolation that ViTMatte draws anew each time."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from gossamer.image.image import FloatArray

__all__ = ["INTERPOLATIONS", "LayerSample", "TrimapSample", "cut_square", "enlarge_to", "place_square", "resize_to"]

INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


class LayerSample(NamedTuple):
    """One sample with its layers, S x S (x 3) float32, 0..1, colours sRGB-encoded."""

    plate: FloatArray
    trimap: FloatArray
    """0, 0.5, 1."""
    alpha: FloatArray
    foreground: FloatArray
    background: FloatArray


class TrimapSample(NamedTuple):
    """One sample without its truth, S x S (x 3) float32."""

    plate: FloatArray
    """sRGB-encoded, 0..1."""
    trimap: FloatArray
    """0, 0.5, 1."""


def resize_to(pixels: FloatArray, shape: tuple[int, ...], interpolation: int) -> FloatArray:
    """Resize to height and width ``shape`` and clip to 0..1, as files of 8 bits would: cubic and Lanczos overshoot."""
    height, width = shape
    if pixels.shape[:2] == (height, width):
        return pixels
    resized = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=interpolation)
    return np.asarray(resized.clip(0, 1), np.float32)


def enlarge_to(layers: tuple[FloatArray, ...], side: int, interpolation: int) -> tuple[FloatArray, ...]:
    """All ``layers`` enlarged by one factor so that no dimension is below ``side``; as they are if none is."""
    height, width = layers[0].shape[:2]
    factor = max(side / height, side / width)
    if factor <= 1:
        return layers
    shape = (max(side, round(height * factor)), max(side, round(width * factor)))
    return tuple(resize_to(layer, shape, interpolation) for layer in layers)


def place_square(rng: np.random.Generator, places: FloatArray, side: int) -> tuple[int, int]:
    """Row and column of a square of ``side`` centred on a random pixel of ``places`` (H x W, not 0), kept inside the
    picture; anywhere if there is none."""
    height, width = places.shape
    chosen = np.flatnonzero(places)
    if len(chosen):
        row, column = divmod(int(chosen[rng.integers(len(chosen))]), width)
    else:
        row, column = int(rng.integers(height)), int(rng.integers(width))
    return min(max(row - side // 2, 0), height - side), min(max(column - side // 2, 0), width - side)


def cut_square(layer: FloatArray, place: tuple[int, int], side: int) -> FloatArray:
    """The square at row and column ``place``."""
    row, column = place
    return np.ascontiguousarray(layer[row : row + side, column : column + side], np.float32)
