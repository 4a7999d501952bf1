"""A look at the result: foreground over a plain backdrop or a picture, for the eye and not for the pipeline."""

from __future__ import annotations

import cv2
import numpy as np

from gossamer.config import REFERENCE_WIDTH
from gossamer.errors import SettingError
from gossamer.image.alpha import over, premultiply
from gossamer.image.color import SRGB, from_scene_linear, is_display_referred, resolve_space, roll_off, to_scene_linear
from gossamer.image.header import rgb_channels
from gossamer.image.image import FloatArray, Image, Window
from gossamer.image.paths import expand_home, kind_of
from gossamer.image.reading import read_image

__all__ = ["BACKDROPS", "comp_preview", "rgb_pixels"]

BACKDROPS = ("checker", "grey", "black", "white", "green")

# Scene-linear Rec.709.
_PLAIN = {"grey": (0.18,) * 3, "black": (0.0,) * 3, "white": (1.0,) * 3, "green": (0.0, 0.44, 0.05)}
_CHECKER = (0.1, 0.3)
_CHECKER_SIDE = 32
"""Side of a square in pixels at a picture width of 1920."""
_STRIP = 256
"""Rows that are worked on at a time: the copies of a whole 8K picture would take gigabytes."""


def comp_preview(
    foreground: FloatArray,
    alpha: FloatArray,
    backdrop: str,
    *,
    data_window: Window | None = None,
    display_window: Window | None = None,
    display_referred: bool = False,
) -> Image:
    """Put the foreground over a backdrop in linear light and encode it as sRGB.

    Args:
        foreground: H x W x 3, unpremultiplied, scene-linear Rec.709.
        alpha: H x W, 0..1.
        backdrop: one of :data:`BACKDROPS`, or the path of a picture, which is scaled to cover the frame and centred.
        data_window: where the pixels lie; by default the whole frame.
        display_window: the frame of the preview: overscan is cut, uncovered parts show the backdrop.
        display_referred: the plate was a finished picture (sRGB): highlights are then not rolled off, so its colours
            come back as they were. Those of a backdrop are rolled off where it is no finished picture, so that
            white is white.

    Returns:
        R, G, B in 0..1, sRGB-encoded, to be written with 8 bits. Origin 0.

    Raises:
        SettingError: the backdrop is neither a known word nor a file.
        ImageReadError: the picture cannot be read.
    """
    height, width = alpha.shape
    data = data_window or Window(0, 0, width, height)
    frame = display_window or data
    behind = _backdrop(backdrop, frame.width, frame.height)
    top, left = max(data.y, frame.y), max(data.x, frame.x)
    bottom = min(data.y + data.height, frame.y + frame.height)
    right = min(data.x + data.width, frame.x + frame.width)
    for start in range(top, bottom if right > left else top, _STRIP):
        end = min(start + _STRIP, bottom)
        own = (slice(start - data.y, end - data.y), slice(left - data.x, right - data.x))
        there = (slice(start - frame.y, end - frame.y), slice(left - frame.x, right - frame.x))
        clean = np.nan_to_num(foreground[own], nan=0.0, posinf=65504.0, neginf=0.0)
        if not display_referred:
            clean = roll_off(clean)
        behind[there] = over(premultiply(clean, alpha[own]), alpha[own], behind[there])
    for start in range(0, frame.height, _STRIP):
        rows = behind[start : start + _STRIP]
        rows[:] = np.clip(from_scene_linear(rows, SRGB), 0.0, 1.0)
    window = Window(0, 0, frame.width, frame.height)
    return Image(behind, ("R", "G", "B"), window, window, color_space="srgb_rec709_scene", data_type="uint8")


def rgb_pixels(image: Image) -> FloatArray:
    """The picture's colours as H x W x 3, as stored; a grey picture three times.

    Raises:
        ImageReadError: it has no colour and no single grey channel.
    """
    indices = [image.channels.index(name) for name in rgb_channels(image.channels)]
    return np.ascontiguousarray(image.pixels[..., indices * 3 if len(indices) == 1 else indices])


def _backdrop(name: str, width: int, height: int) -> FloatArray:
    """H x W x 3, scene-linear."""
    if name in _PLAIN:
        return np.full((height, width, 3), _PLAIN[name], np.float32)
    if name == "checker":
        side = max(1, round(_CHECKER_SIDE * width / REFERENCE_WIDTH))
        squares = (np.arange(height)[:, None] // side + np.arange(width)[None, :] // side) % 2
        levels = np.asarray(_CHECKER, np.float32)[squares]
        return np.repeat(levels[..., None], 3, axis=2)
    path = expand_home(name)
    if kind_of(path) != "file":
        raise SettingError(f"--comp {name!r} is neither a file nor one of {', '.join(BACKDROPS)}.")
    picture = read_image(path)
    space = resolve_space(picture, "").name
    linear = np.nan_to_num(to_scene_linear(rgb_pixels(picture), space), posinf=65504.0, neginf=0.0)
    return _cover(linear if is_display_referred(space) else roll_off(linear), width, height)


def _cover(picture: FloatArray, width: int, height: int) -> FloatArray:
    """Scale to the smallest size that covers width x height, and cut the middle out."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(picture, size, interpolation=method), np.float32)
    y, x = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[y : y + height, x : x + width])
