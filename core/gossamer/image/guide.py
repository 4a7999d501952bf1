"""Read a guide (trimap, mask, core or garbage matte) as data, and lay it over the plate's data window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gossamer.errors import ImageReadError, TrimapError
from gossamer.image.header import alpha_channel, rgb_channels
from gossamer.image.image import FloatArray, Image, Window

__all__ = ["GuideReading", "MatteReading", "fit_to_plate", "guide_channel", "matte_from_image"]

_GREY_TOLERANCE = 0.1
"""Distance of the colours of what is still grey: JPEG leaves up to some hundredths."""


@dataclass(frozen=True)
class GuideReading:
    """One channel of a guide as it lies in its file."""

    values: FloatArray
    """H x W."""
    channel: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MatteReading:
    """A matte, 0..1."""

    matte: FloatArray
    """H x W."""
    channel: str
    notes: tuple[str, ...] = ()


def guide_channel(image: Image, label: str) -> GuideReading:
    """The channel that carries the guide: alpha if there is one, else red (or grey).

    A constant alpha is what a host adds to an RGB picture, so it is passed over where the red channel says more, and
    a wholly opaque one also where red is constant: on a frame without its subject a painted guide is black, and opaque
    as on every other frame. A wholly clear alpha over white is obeyed: on a frame without its subject a matte in the
    alpha of a white picture is empty. So is a constant alpha over a picture: a roto that was drawn over the plate.

    Raises:
        TrimapError: no channel can be chosen, or it holds no finite value.
    """
    alpha = alpha_channel(image.channels)
    try:
        red: str | None = rgb_channels(image.channels)[0]
    except ImageReadError:
        red = None
    notes: list[str] = []
    name = alpha or red
    if name is None:
        raise TrimapError(f"{label} has no alpha, red or grey channel; it has: {', '.join(image.channels)}.")
    if alpha is not None and red is not None and red != alpha:
        values, reds = image.channel(alpha), image.channel(red)
        level, is_plain = values.flat[0], _is_constant(reds)
        is_clear_over_white = level == 0 and is_plain and reds.flat[0] == 1
        says_more = not is_plain or (level in (0, 1) and not is_clear_over_white)
        if _is_constant(values) and says_more and not _is_coloured(image):
            name = red
            notes.append(f"{label}: the alpha channel is {level:g} everywhere, so {red} is read")
        elif _is_constant(values) and is_clear_over_white:
            notes.append(f"{label}: the alpha channel is 0 and {red} is 1 everywhere, which counts as empty")
    if name == red and _is_picture(image):
        notes.append(f"{label}: red, green and blue differ as in a picture; only {red} is read. Is it the right file?")
    values = image.channel(name)
    broken = int(values.size - np.count_nonzero(np.isfinite(values)))
    if broken == values.size:
        raise TrimapError(f"{label} holds no usable values in channel {name} (all NaN or infinite).")
    if broken:
        notes.append(f"{label}: {broken} NaN or infinite pixels")
    if not notes or name == alpha:
        notes.insert(0, f"{label}: read from channel {name}")
    return GuideReading(values, name, tuple(notes))


def _is_constant(values: FloatArray) -> bool:
    return bool((values == values.flat[0]).all())


def _is_coloured(image: Image) -> bool:
    """Whether red, green and blue are a picture, and not one plane in all three or in red alone."""
    red, *others = (image.channel(name) for name in rgb_channels(image.channels))
    return any(not np.array_equal(red, plane, equal_nan=True) and not _is_constant(plane) for plane in others)


def _is_picture(image: Image) -> bool:
    """Whether the three colours differ by more than what JPEG leaves of a grey guide, and none stands alone. One pixel
    of sixteen tells.
    """
    names = rgb_channels(image.channels)
    if len(names) < 3:
        return False
    red, green, blue = (np.nan_to_num(image.channel(name)[::4, ::4]) for name in names)
    if any(_is_constant(plane) for plane in (green, blue)):
        return False  # red alone, or one colour a guide
    apart = np.maximum(np.abs(red - green), np.abs(red - blue)) > _GREY_TOLERANCE
    return bool(np.count_nonzero(apart) > 0.02 * apart.size)


def matte_from_image(image: Image, label: str = "the matte") -> MatteReading:
    """A roto mask, core or garbage matte: clipped to 0..1, NaN as 0. The channel is chosen as for a trimap.

    Raises:
        TrimapError: no channel can be chosen, or it holds no finite value.
    """
    reading = guide_channel(image, label)
    notes = list(reading.notes)
    values = np.nan_to_num(reading.values, nan=0.0, posinf=1.0, neginf=0.0)
    outside = int(np.count_nonzero((values < -0.001) | (values > 1.001)))
    if outside:
        notes.append(f"{label}: {outside} pixels outside 0..1 are clipped")
    return MatteReading(np.clip(values, 0.0, 1.0), reading.channel, tuple(notes))


def fit_to_plate(
    values: FloatArray, guide: Image, plate: Image, *, label: str, beyond: Literal["edge", "zero"]
) -> tuple[FloatArray, tuple[str, ...]]:
    """Lay a guide over the plate's data window. Nothing is scaled.

    * The guide's display window is as large as the plate's: their corners are laid on each other. Inside the guide's
      display window but outside its data window a guide is 0, as every host shows it. Where the plate has overscan
      beyond the guide's display window, the guide's border is repeated (``edge``) or 0 (``zero``).
    * Else, the guide's pixels are as many as the plate's data window has: they are taken as painted on that window.

    Args:
        values: H x W over the guide's data window.
        label: what to call the guide in messages.

    Returns:
        H x W over the plate's data window, and notes.

    Raises:
        TrimapError: neither size fits, or plate and guide are stored in different orientations.
    """
    if plate.metadata.get("Orientation", 1) != guide.metadata.get("Orientation", 1):
        # Orientation is passed on, not applied: the guide would lie upside down or mirrored, at the right size.
        raise TrimapError(
            f"The plate's file is stored rotated (Orientation {plate.metadata.get('Orientation', 1)}), {label} is not "
            f"(Orientation {guide.metadata.get('Orientation', 1)}). Save both upright, for instance as PNG or EXR."
        )
    data, display = plate.data_window, plate.display_window
    own, frame = guide.data_window, guide.display_window
    if (frame.width, frame.height) != (display.width, display.height):
        if (own.width, own.height) == (data.width, data.height):
            return values, (f"{label} has the size of the plate's data window and is laid on that",)
        raise TrimapError(
            f"{label} is {frame.width}x{frame.height}, the plate is {display.width}x{display.height}"
            + (f" (data window {data.width}x{data.height})" if data != display else "")
            + ". Render the guide at the plate's size."
        )
    own = Window(own.x - frame.x + display.x, own.y - frame.y + display.y, own.width, own.height)
    if own == data:
        return values, ()
    covered = _union(own, display)
    full = _paste(values, own, covered)
    # Each pixel of the plate takes the nearest one of the covered rectangle.
    rows = np.arange(data.y, data.y + data.height) - covered.y
    columns = np.arange(data.x, data.x + data.width) - covered.x
    inside_rows = (rows >= 0) & (rows < covered.height)
    inside_columns = (columns >= 0) & (columns < covered.width)
    rows = np.clip(rows, 0, covered.height - 1)
    columns = np.clip(columns, 0, covered.width - 1)
    result = full[np.ix_(rows, columns)]
    if inside_rows.all() and inside_columns.all():
        return result, ()
    if beyond == "zero":
        result = result * (inside_rows[:, None] & inside_columns[None, :])
        return result, (f"{label} does not cover the plate's overscan: 0 is taken there",)
    return result, (f"{label} does not cover the plate's overscan: its border is repeated there",)


def _union(a: Window, b: Window) -> Window:
    x, y = min(a.x, b.x), min(a.y, b.y)
    right, bottom = max(a.x + a.width, b.x + b.width), max(a.y + a.height, b.y + b.height)
    return Window(x, y, right - x, bottom - y)


def _paste(values: FloatArray, at: Window, into: Window) -> FloatArray:
    result = np.zeros((into.height, into.width), np.float32)
    result[at.y - into.y : at.y - into.y + at.height, at.x - into.x : at.x - into.x + at.width] = values
    return result
