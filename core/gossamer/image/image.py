"""The picture that everything in this project hands around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "Image", "Window"]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: origin and size. Rows count from the top, as in EXR."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels with what a file says about them.

    ``pixels`` is float32, H x W x C, top row first, values as stored (never clamped, never premultiplied or
    unpremultiplied on the way in). It covers the data window, which may be larger (overscan) or smaller than the
    display window.
    """

    pixels: FloatArray
    channels: tuple[str, ...]
    """One name a channel, as in the file: ``R``, ``G``, ``B``, ``A``, ``Z``, ``layer.R`` ..."""
    data_window: Window
    display_window: Window
    color_space: str = ""
    """What the file says of its colour space (attribute, chromaticities, or empty)."""
    data_type: str = "float"
    """Type of the samples in the file: ``uint8``, ``uint10``, ``uint12``, ``uint16``, ``half``, ``float``."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Header attributes to carry through: pixel aspect, timecode, frame rate, custom ones."""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.dtype != np.float32:
            raise ValueError(f"pixels must be float32 H x W x C, not {self.pixels.dtype} {self.pixels.shape}")
        height, width, count = self.pixels.shape
        if (width, height) != (self.data_window.width, self.data_window.height):
            raise ValueError(f"pixels are {width}x{height}, the data window is {self.data_window}")
        if count != len(self.channels):
            raise ValueError(f"{count} channels of pixels, {len(self.channels)} names")

    @property
    def height(self) -> int:
        """Rows of the data window."""
        return self.data_window.height

    @property
    def width(self) -> int:
        """Columns of the data window."""
        return self.data_window.width

    @classmethod
    def from_pixels(cls, pixels: FloatArray, channels: tuple[str, ...]) -> Image:
        """A picture without a file: data window equals display window, origin 0."""
        height, width = pixels.shape[:2]
        window = Window(0, 0, width, height)
        return cls(pixels, channels, window, window)

    def with_pixels(self, pixels: FloatArray, channels: tuple[str, ...]) -> Image:
        """The same windows and header with other pixels."""
        return replace(self, pixels=pixels, channels=channels)

    def channel(self, name: str) -> FloatArray:
        """One channel as H x W. Raises KeyError when there is no such channel."""
        if name not in self.channels:
            raise KeyError(name)
        return self.pixels[..., self.channels.index(name)]
