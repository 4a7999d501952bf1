"""Generated pictures with known alpha for the lanes, made and read inside Blender. Needs Blender's own numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

SIZE = (192, 108)
FOREGROUND = np.array([0.8, 0.25, 0.08], np.float32)
BACKGROUND = np.array([0.04, 0.22, 0.5], np.float32)


def alpha_of(frame: int, size: tuple[int, int] = SIZE) -> Any:
    """H x W, top row first: a soft disc in the upper left that moves right and begins anew, a bar near the lower edge.

    No flip, no turn and no shift by a frame gives the same picture.
    """
    width, height = size
    scale = width / SIZE[0]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / scale
    disc = 26 - np.hypot(x - (40 + (10 + 7 * frame) % 120), y - 38)
    bar = np.minimum(np.minimum(x - 20, 90 - x), np.minimum(y - 88, 99 - y))
    edge = np.maximum(disc / 12, bar / 5)
    return np.clip(edge + 0.5, 0, 1).astype(np.float32)


def plate_of(alpha: Any) -> Any:
    """H x W x 3, scene-linear: the matting equation with two colours that drift over the picture."""
    width = alpha.shape[1]
    ramp = np.linspace(0.7, 1.3, width, dtype=np.float32)[None, :, None]
    return alpha[..., None] * FOREGROUND * ramp + (1 - alpha[..., None]) * BACKGROUND * ramp[:, ::-1]


def trimap_of(alpha: Any) -> Any:
    """H x W of 0, 0.5, 1; two pixels wider than the soft edge."""
    unknown = (alpha > 0) & (alpha < 1)
    for axis in (0, 1):
        near = [np.roll(unknown, shift, axis) for shift in (-2, -1, 0, 1, 2)]
        unknown = np.logical_or.reduce(near)
    return np.where(unknown, 0.5, (alpha >= 0.5).astype(np.float32)).astype(np.float32)


def encode(linear: Any) -> Any:
    """Scene-linear to sRGB codes."""
    clipped = np.clip(linear, 0, 1)
    return np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055).astype(np.float32)


def new_buffer(rgb: Any, alpha: Any = None) -> Any:
    """Flat RGBA, rows from the bottom."""
    height, width = rgb.shape[:2]
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=2)
    if alpha is not None:
        rgba[..., 3] = alpha
    return np.ascontiguousarray(rgba[::-1]).ravel()


def new_image(name: str, rgb: Any, *, is_float: bool, alpha: Any = None) -> Any:
    """A generated datablock that holds these pixels (values as Blender stores them)."""
    height, width = rgb.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True, float_buffer=is_float)
    image.pixels.foreach_set(new_buffer(rgb, alpha))
    image.update()
    return image


def save(name: str, rgb: Any, file: Path, *, is_float: bool) -> Path:
    """Write a file with Blender: EXR for float, PNG for bytes; the values that are given lie in it."""
    image = new_image(name, rgb, is_float=is_float)
    if is_float:  # else Blender encodes a generated float image for sRGB, whatever its colour space
        image.colorspace_settings.is_data = True
        image.pixels.foreach_set(new_buffer(rgb))
    image.filepath_raw = str(file)
    image.file_format = "OPEN_EXR" if is_float else "PNG"
    image.save()
    bpy.data.images.remove(image)
    return file


def pixels(image: Any) -> Any:
    """H x W x 4, top row first."""
    width, height = image.size
    buffer = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(buffer)
    return buffer.reshape(height, width, 4)[::-1]


def read(file: Path) -> Any:
    """H x W x 4 of a file, as data, top row first."""
    image = bpy.data.images.load(str(file), check_existing=False)
    image.colorspace_settings.is_data = True
    found = pixels(image).copy()
    bpy.data.images.remove(image)
    return found


def shot(folder: Path, frames: range, size: tuple[int, int] = SIZE) -> tuple[Path, Path]:
    """Plate (EXR) and trimap (PNG) sequences, numbered ``frames``; gives the first file of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        alpha = alpha_of(frame - frames.start + 1, size)
        save("plate", plate_of(alpha), folder / f"fur.{frame:04d}.exr", is_float=True)
        save("trimap", trimap_of(alpha), folder / f"trimap.{frame:04d}.png", is_float=False)
    return folder / f"fur.{frames.start:04d}.exr", folder / f"trimap.{frames.start:04d}.png"
