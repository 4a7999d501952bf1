"""Read and write EXR, TIFF, PNG, JPEG and DPX with their metadata; tell whole files from broken ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import OpenImageIO as oiio  # noqa: N813  the name its own documentation uses

from gossamer.errors import ImageReadError
from gossamer.image.header import Header, Metadata, alpha_channel, picture_channels, rgb_channels
from gossamer.image.reading import IMAGE_SUFFIXES, read_header, read_image
from gossamer.image.writing import lossless_type, write_image

__all__ = [
    "IMAGE_SUFFIXES",
    "Header",
    "Metadata",
    "alpha_channel",
    "complete_attributes",
    "is_complete",
    "lossless_type",
    "picture_channels",
    "read_attributes",
    "read_header",
    "read_image",
    "rgb_channels",
    "write_image",
]


def read_attributes(header: Header) -> dict[str, str]:
    """The header's ``gossamer:`` attributes as text, wherever the format keeps them (description lines included)."""
    found = {name: str(value) for name, value in header.metadata.items() if name.startswith("gossamer:")}
    for line in str(header.metadata.get("ImageDescription", "")).splitlines():
        name, separator, value = line.partition("=")
        if separator and name.startswith("gossamer:"):
            found.setdefault(name, value)
    return found


def is_complete(path: Path, *, width: int, height: int, attributes: Mapping[str, str]) -> bool:
    """Whether ``path`` is a whole picture of that size whose header holds ``attributes``; see
    :func:`complete_attributes`. DPX and JPEG keep no own attributes: with ``attributes`` such a file is never complete.
    """
    return complete_attributes(path, width=width, height=height, attributes=attributes) is not None


def complete_attributes(
    path: Path, *, width: int, height: int, attributes: Mapping[str, str]
) -> Mapping[str, str] | None:
    """A whole picture's own attributes; None if it is not whole, not of that size, or lacks ``attributes``.

    Cheap: the header and the first and last row or tile are decoded, not the picture (PNG alone has to be decoded as a
    whole). That finds the files an interrupted writer leaves; it is no proof against damage in the middle. Width and
    height are those of the data window.
    """
    try:
        header = read_header(path)
    except ImageReadError:
        return None
    if (header.data_window.width, header.data_window.height) != (width, height):
        return None
    found = read_attributes(header)
    if any(found.get(name) != value for name, value in attributes.items()):
        return None
    return found if _ends_well(path) else None


def _ends_well(path: Path) -> bool:
    """Decode both ends of every part, for rows may run downwards or upwards; a file that was cut off lacks one."""
    source = oiio.ImageInput.open(str(path))
    if source is None:
        return False
    try:
        part = 0
        while source.seek_subimage(part, 0):
            spec = source.spec()
            if spec.tile_width:
                x = spec.x + (spec.width - 1) // spec.tile_width * spec.tile_width
                y = spec.y + (spec.height - 1) // spec.tile_height * spec.tile_height
                ends = [source.read_tile(spec.x, spec.y, 0, "float"), source.read_tile(x, y, 0, "float")]
            else:
                ends = [source.read_scanline(y, 0, "float") for y in (spec.y, spec.y + spec.height - 1)]
            if any(end is None for end in ends) or source.geterror():
                return False
            part += 1
            if source.format_name() != "openexr":
                break
    finally:
        source.close()
    return True
