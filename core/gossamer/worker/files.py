"""Pictures that travel as raw bytes: written for a host that has them in memory only, and read back for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.errors import ImageWriteError, SettingError
from gossamer.image.color import resolve_space
from gossamer.image.image import FloatArray, Image, Window
from gossamer.image.io import read_image, write_image
from gossamer_bridge.pixels import BOTTOM_UP, TOP_DOWN
from gossamer_bridge.wire import BODY_LIMIT

__all__ = ["fetch", "store"]


def store(arguments: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Write raw pixels as an uncompressed float EXR, whole or not at all.

    Args:
        arguments: ``width``, ``height``, ``channels`` (names in memory order), ``rows`` (``bottom-up``, ``top-down``),
            ``color_space`` (OCIO name, role or alias, or empty), ``folder`` (absolute; made if need be), ``name``.
        body: float32, little-endian, H x W x C; kept bit for bit.

    Returns:
        ``path`` and, if one was given, the colour space by its own name.

    Raises:
        SettingError: an argument is missing or does not fit the body.
        ColorError: no such colour space.
        ImageWriteError: the folder cannot be made or written.
    """
    width, height = (_number(arguments, name) for name in ("width", "height"))
    names = _names(arguments)
    rows = _row_order(arguments)
    folder, name = Path(_text(arguments, "folder")), _text(arguments, "name")
    expected = width * height * len(names) * 4
    if len(body) != expected:
        raise SettingError(
            f"store: {name} has {len(body)} bytes of pixels; {width}x{height} of {len(names)} channels are {expected}."
        )
    if not folder.is_absolute():
        raise SettingError(f"store: the folder {str(folder)!r} is relative; give an absolute path.")
    if not name or Path(name).name != name or "\0" in name:
        raise SettingError(f"store: {name!r} is no file name; leave out folders.")
    pixels: FloatArray = np.frombuffer(body, "<f4").reshape(height, width, len(names))
    if rows == BOTTOM_UP:
        pixels = pixels[::-1]
    image = Image.from_pixels(np.ascontiguousarray(pixels, np.float32), names)
    stated, attributes = _text(arguments, "color_space"), {}
    if stated:
        stated = resolve_space(image, stated).name
        attributes = {"colorInteropID": stated}
    path = folder / f"{name}.exr"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageWriteError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    write_image(path, image, data_type="float", compression="none", attributes=attributes)
    return {"path": str(path), "color_space": stated}


def fetch(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Read channels of a picture as raw float32.

    Args:
        arguments: ``path``, ``channels``, ``rows``, and ``window``: ``display`` (as framed; 0 outside of the data
            window) or ``data``.

    Returns:
        ``width``, ``height``, ``channels``, ``rows``, ``color_space`` as the header states it, and the pixels.

    Raises:
        SettingError: an argument is missing, or the picture is larger than a message may be.
        ImageReadError: the file is missing or damaged, or lacks a channel.
    """
    names = _names(arguments)
    rows, window = _row_order(arguments), _text(arguments, "window")
    if window not in ("display", "data"):
        raise SettingError(f"fetch: the window is {window!r}; use display or data.")
    path = Path(_text(arguments, "path"))
    image = read_image(path, channels=names)
    pixels = image.pixels if window == "data" else _framed(image)
    if pixels.nbytes > BODY_LIMIT:
        raise SettingError(f"fetch: {path} has {pixels.nbytes} bytes of pixels; {BODY_LIMIT} can travel at once.")
    if rows == BOTTOM_UP:
        pixels = pixels[::-1]
    values = {
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "channels": list(names),
        "rows": rows,
        "color_space": image.color_space,
    }
    return values, pixels.astype("<f4").tobytes()


def _framed(image: Image) -> FloatArray:
    """The display window's pixels; 0 where the file has none."""
    data, display = image.data_window, image.display_window
    if data == display:
        return image.pixels
    framed = np.zeros((display.height, display.width, len(image.channels)), np.float32)
    shared = _shared(data, display)
    if shared is not None:
        target, source = (
            (
                slice(shared.y - w.y, shared.y - w.y + shared.height),
                slice(shared.x - w.x, shared.x - w.x + shared.width),
            )
            for w in (display, data)
        )
        framed[target] = image.pixels[source]
    return framed


def _shared(one: Window, other: Window) -> Window | None:
    x, y = max(one.x, other.x), max(one.y, other.y)
    right = min(one.x + one.width, other.x + other.width)
    bottom = min(one.y + one.height, other.y + other.height)
    return Window(x, y, right - x, bottom - y) if right > x and bottom > y else None


def _number(arguments: Mapping[str, Any], name: str) -> int:
    value = arguments.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingError(f"The argument {name} is {value!r}; give a whole number of 1 or more.")
    return value


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name, "")
    if not isinstance(value, str):
        raise SettingError(f"The argument {name} is {value!r}; give text.")
    return value


def _names(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    value = arguments.get("channels")
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name for name in value):
        raise SettingError(f"The argument channels is {value!r}; give a list of names.")
    if len(set(value)) != len(value):
        raise SettingError(f"The argument channels names one channel twice: {value!r}.")
    return tuple(value)


def _row_order(arguments: Mapping[str, Any]) -> str:
    value = _text(arguments, "rows")
    if value not in (BOTTOM_UP, TOP_DOWN):
        raise SettingError(f"The argument rows is {value!r}; use {BOTTOM_UP} or {TOP_DOWN}.")
    return value
