"""What flows along a wire: channels over a bounding box, a format, metadata. And the files at both ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio  # noqa: N813
from numpy.typing import NDArray

__all__ = ["Bounds", "Picture", "exr_name", "nuke_name", "read_file", "write_file"]

Plane = NDArray[np.float32]

RGBA = {"R": "rgba.red", "G": "rgba.green", "B": "rgba.blue", "A": "rgba.alpha", "Y": "rgba.red"}
LETTERS = {"R": "red", "G": "green", "B": "blue", "A": "alpha", "r": "red", "g": "green", "b": "blue", "a": "alpha"}


@dataclass(frozen=True)
class Bounds:
    """A rectangle in Nuke's coordinates: y counts upwards, right and top are exclusive."""

    x: int
    y: int
    r: int
    t: int

    @property
    def width(self) -> int:
        return self.r - self.x

    @property
    def height(self) -> int:
        return self.t - self.y

    def union(self, other: Bounds) -> Bounds:
        return Bounds(min(self.x, other.x), min(self.y, other.y), max(self.r, other.r), max(self.t, other.t))

    def intersection(self, other: Bounds) -> Bounds:
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Bounds(x, y, max(x, min(self.r, other.r)), max(y, min(self.t, other.t)))


@dataclass(frozen=True, eq=False)
class Picture:
    """Planes are H x W, top row first, over ``bounds``."""

    planes: Mapping[str, Plane]
    bounds: Bounds
    width: int
    """Of the format."""
    height: int
    aspect: float = 1.0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def plane(self, channel: str, bounds: Bounds | None = None) -> Plane:
        """A channel over ``bounds``; black where there is nothing, and black as a whole if it does not exist."""
        where = self.bounds if bounds is None else bounds
        result = np.zeros((where.height, where.width), np.float32)
        if channel not in self.planes:
            return result
        common = where.intersection(self.bounds)
        if common.width and common.height:
            source = self.planes[channel]
            top, left = self.bounds.t - common.t, common.x - self.bounds.x
            piece = source[top : top + common.height, left : left + common.width]
            row, column = where.t - common.t, common.x - where.x
            result[row : row + common.height, column : column + common.width] = piece
        return result

    def over(self, bounds: Bounds) -> Picture:
        """The same picture with another bounding box."""
        if bounds == self.bounds:
            return self
        return replace(self, planes={name: self.plane(name, bounds) for name in self.planes}, bounds=bounds)

    def with_planes(self, planes: Mapping[str, Plane]) -> Picture:
        return replace(self, planes={**self.planes, **planes})


def nuke_name(name: str) -> str:
    """How Nuke calls a channel of a file. A name without a layer lands in ``other``."""
    if name in RGBA:
        return RGBA[name]
    layer, dot, channel = name.rpartition(".")
    if not dot:
        return f"other.{name}"
    return f"{layer}.{LETTERS.get(channel, channel)}"


def exr_name(name: str) -> str:
    """How Nuke's Write calls a channel in a file."""
    for letter, known in RGBA.items():
        if known == name and letter != "Y":
            return letter
    return name


def read_file(path: Path) -> Picture:
    """A file as a Read with ``raw`` on gives it.

    Raises:
        OSError: it does not exist or cannot be decoded.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: Read error: No such file or directory")
    source = oiio.ImageInput.open(str(path))
    if source is None:
        raise OSError(f"{path}: Read error: {oiio.geterror()}")
    spec = source.spec()
    pixels = source.read_image(0, 0, 0, spec.nchannels, "float")
    source.close()
    if pixels is None:
        raise OSError(f"{path}: Read error: the file is damaged")
    height = spec.full_height
    top = height - (spec.y - spec.full_y)
    bounds = Bounds(spec.x - spec.full_x, top - spec.height, spec.x - spec.full_x + spec.width, top)
    planes = {nuke_name(name): np.ascontiguousarray(pixels[..., i]) for i, name in enumerate(spec.channelnames)}
    values = {f"exr/{a.name}": a.value for a in spec.extra_attribs}
    metadata = {**values, "input/filename": str(path), "input/mtime": str(path.stat().st_mtime_ns)}
    aspect = float(spec.get_float_attribute("PixelAspectRatio", 1.0))
    return Picture(planes, bounds, spec.full_width, height, aspect, metadata)


def write_file(picture: Picture, path: Path, channels: Sequence[str], *, half: bool, metadata: bool) -> None:
    """Write an EXR as Nuke does: the bounding box is the data window, the format the display window.

    Raises:
        OSError: the folder does not exist or cannot be written.
    """
    bounds = picture.bounds
    spec = oiio.ImageSpec(bounds.width, bounds.height, len(channels), "half" if half else "float")
    spec.channelnames = [exr_name(name) for name in channels]
    spec.x, spec.y = bounds.x, picture.height - bounds.t
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = 0, 0, picture.width, picture.height
    spec.attribute("compression", "zips")
    spec.attribute("PixelAspectRatio", picture.aspect)
    if metadata:
        for name, value in picture.metadata.items():
            key = name.removeprefix("exr/")
            if isinstance(value, str | int | float) and key not in ("compression", "PixelAspectRatio"):
                spec.attribute(key if key != name else f"nuke/{name}", value)
    pixels = np.stack([picture.plane(name) for name in channels], axis=-1)
    target = oiio.ImageOutput.create(str(path))
    if target is None or not target.open(str(path), spec) or not target.write_image(pixels):
        raise OSError(f"{path}: Write error: {oiio.geterror() or (target and target.geterror())}")
    target.close()
