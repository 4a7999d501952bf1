"""What a picture file says about itself: channels, windows, types, attributes. No pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer.errors import ImageReadError
from gossamer.image.image import Window

__all__ = ["Header", "Metadata", "alpha_channel", "picture_channels", "rgb_channels"]

_COLOURS = ("r", "g", "b")
_LONG_NAMES = {"red": "r", "green": "g", "blue": "b", "alpha": "a"}
_GREY_NAMES = ("y", "l", "luminance", "grey", "gray")


class Metadata(Mapping[str, Any]):
    """Header attributes by name, as plain Python values, with the type each one has in the file.

    The types matter on the way out: a time code, a rational frame rate and two integers look alike as tuples.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, types: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._types = dict(types or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Metadata({self._values!r})"

    def type_of(self, name: str) -> str:
        """OpenImageIO's name of the attribute's type (``string``, ``timecode``, ``float[8]``), or an empty text."""
        return self._types.get(name, "")


@dataclass(frozen=True)
class Header:
    """A file's description, without its pixels."""

    path: Path
    channels: tuple[str, ...]
    """Every channel of the chosen part, named as in the file."""
    channel_types: tuple[str, ...]
    """Type of each channel's samples: ``uint8``, ``uint10``, ``uint12``, ``uint16``, ``uint32``, ``half``,
    ``float``, ``double`` ..."""
    data_window: Window
    display_window: Window
    metadata: Metadata
    color_space: str
    """What the file says of its colour space; empty when it says nothing."""
    file_format: str
    """OpenImageIO's name of the format: ``openexr``, ``png``, ``tiff``, ``jpeg``, ``dpx`` ..."""
    part: int = 0
    """Index of the chosen part of a multi-part EXR."""
    parts: tuple[tuple[str, ...], ...] = ()
    """The channels of every part, for messages."""

    @property
    def data_type(self) -> str:
        """The one type that holds every channel: its own where all agree, ``float`` where they differ."""
        return common_type(self.channel_types)


def common_type(types: Sequence[str]) -> str:
    """The shared type of several channels, or ``float`` where they differ."""
    return types[0] if len(set(types)) == 1 else "float"


def _split(name: str) -> tuple[str, str]:
    """Layer and colour letter: ``beauty.R`` gives (``beauty``, ``r``)."""
    layer, _, last = name.rpartition(".")
    last = last.lower()
    return layer, _LONG_NAMES.get(last, last)


def rgb_channels(channels: Sequence[str], path: Path | None = None) -> tuple[str, ...]:
    """Names of the red, green and blue channels, or the one name of a grey picture.

    Channels without a layer come first, then the first layer that has all three. ``Y`` is grey, but not beside ``X``
    and ``Z``, which are positions or normals; so is a single channel of any name (beside an alpha channel).

    Raises:
        ImageReadError: there is no such set. The message lists the channels that exist.
    """
    found: dict[str, dict[str, str]] = {}
    for name in channels:
        layer, letter = _split(name)
        found.setdefault(layer, {}).setdefault(letter, name)
    for layer in sorted(found, key=bool):
        if all(letter in found[layer] for letter in _COLOURS):
            return tuple(found[layer][letter] for letter in _COLOURS)
    top = found.get("", {})
    if "y" in top and not {"ry", "by"} & set(top) and not _is_vector(top):
        return (top["y"],)
    grey = [name for name in channels if _split(name)[1] in _GREY_NAMES and not _is_vector(found[_split(name)[0]])]
    others = [name for name in channels if _split(name)[1] != "a"]
    if len(others) == 1:
        return (others[0],)
    if len(channels) == 1:
        return (channels[0],)
    if len(grey) == 1 and not {"ry", "by"} & {_split(name)[1] for name in channels}:
        return (grey[0],)
    where = f"{path}: " if path else ""
    listed = ", ".join(channels)
    raise ImageReadError(f"{where}no red, green and blue channels and no single grey one. The file has: {listed}.")


def _is_vector(letters: Collection[str]) -> bool:
    return {"x", "y", "z"} <= set(letters)


def choice_note(channels: Sequence[str], chosen: Sequence[str]) -> str:
    """What to tell of a plate whose picture had to be chosen; empty for R, G, B without a layer, or where nothing else
    is there. Layers that could have been meant are named.
    """
    others = [name for name in channels if name not in chosen and _split(name)[1] != "a"]
    if not others or (len(chosen) == 3 and not _split(chosen[0])[0]):
        return ""
    layers = sorted({_split(name)[0] for name in others} - {_split(chosen[0])[0]})
    beside = f"; not from {', '.join(layer or 'the channels without a layer' for layer in layers)}" if layers else ""
    return f"the plate: read from {', '.join(chosen)}{beside}"


def alpha_channel(channels: Sequence[str]) -> str | None:
    """Name of the alpha channel: ``A`` or ``alpha`` without a layer first, then that of the first layer with one."""
    alphas = [name for name in channels if _split(name)[1] == "a"]
    alphas.sort(key=lambda name: bool(_split(name)[0]))
    return alphas[0] if alphas else None


def picture_channels(channels: Sequence[str]) -> tuple[str, ...]:
    """Colour channels and one alpha, of the same layer or else the first that has one. All channels if there is no
    colour."""
    try:
        colours = rgb_channels(channels)
    except ImageReadError:
        return tuple(channels)
    layer = _split(colours[0])[0]
    own = [name for name in channels if _split(name) == (layer, "a")]
    alpha = own[0] if own else alpha_channel(channels)
    return colours if alpha is None or alpha in colours else (*colours, alpha)
