# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished mattes back into Blender: a datablock that shows the files, or the plate's own alpha."""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from typing import Any

import bpy

from gossamer_bridge.errors import KnobError

from .frames import FrameMap, files_pattern
from .images import read_buffer
from .journal import Journal, is_premultiplied
from .mattes import Origin, matte_files, note, origin_of
from .pixels import channels_of, with_alpha

__all__ = ["show_matte", "write_alpha"]


def show_matte(
    name: str, file: Path, *, origin: Origin, frame_map: FrameMap | None, is_numbered: bool, is_relative: bool
) -> bpy.types.Image:
    """The datablock that shows the mattes beginning with ``file``; the one of an earlier run if there is one.

    A matte that the artist painted on and did not save is left alone, and a new datablock is made. So is a linked one.

    Args:
        name: for a new datablock.
        file: the matte, of a sequence the first.
        origin: the plate.
        frame_map: how the plate lies in time.
        is_numbered: whether it is a sequence.
        is_relative: whether the datablock names it relative to the .blend file, if that is saved.
    """
    image = _earlier(file, origin, is_numbered)
    if image is None:
        image = bpy.data.images.load(str(file), check_existing=False)
        image.name = name
    image.filepath = _relative(file) if is_relative else str(file)
    image.source = "SEQUENCE" if is_numbered else "FILE"
    image.colorspace_settings.is_data = True  # not by name: each configuration in $OCIO has its own
    # Blender saves only what somebody uses, and the datablock is the memory of whose files these are. Who does not want
    # the matte any more removes it, or takes its shield off; another press means that it is wanted again.
    kept: Any = image
    kept.use_fake_user = True
    note(image, origin, frame_map)
    image.reload()
    return image


def _relative(file: Path) -> str:
    """``//gossamer/fur_alpha.1001.exr``, with slashes that every system reads. Another drive cannot be named so."""
    blend = bpy.data.filepath
    if not blend or Path(blend).drive != file.drive:
        return str(file)
    return bpy.path.relpath(str(file)).replace(os.sep, "/")


def _earlier(file: Path, origin: Origin, is_numbered: bool) -> bpy.types.Image | None:
    """The datablock of an earlier run: same plate, same files."""
    wanted = files_pattern(str(file), is_numbered=is_numbered)
    for image in bpy.data.images:
        if image.library is not None or image.is_dirty or origin_of(image) != origin:
            continue
        if matte_files(image, is_numbered=is_numbered) == wanted:
            return image
    return None


def write_alpha(plate: bpy.types.Image, file: Path, journal: Journal) -> None:
    """Write a matte into the plate's own alpha channel, in the place of an earlier one. Straight RGB keeps its bits.

    Raises:
        KnobError: the plate has no place for an alpha, or another size than the matte.
    """
    if plate.source in ("SEQUENCE", "MOVIE"):
        raise KnobError(
            f"{plate.name} is a {plate.source.lower()}: Blender keeps one frame of it.",
            next_step="Choose New Image as the target; Add Matte Nodes joins both in the compositor.",
        )
    if plate.alpha_mode == "NONE":
        raise KnobError(
            f"{plate.name} ignores its alpha.",
            next_step="Set Alpha to Straight or Premultiplied in the image's settings.",
        )
    before = read_buffer(plate)
    original = journal.original(plate, before)
    alpha = _read_matte(file)
    if len(alpha) * 4 != len(before):
        raise KnobError(
            f"The matte {file} has {len(alpha)} pixels and {plate.name} has {len(before) // 4}.",
            next_step="Reload the plate and matte it again.",
        )
    journal.write(plate, before, with_alpha(original, alpha, premultiplied=is_premultiplied(plate)), original)


def _read_matte(file: Path) -> array[float]:
    """One value a pixel, rows from the bottom."""
    image = bpy.data.images.load(str(file), check_existing=False)
    try:
        image.colorspace_settings.is_data = True
        return channels_of(read_buffer(image), (0,))
    finally:
        bpy.data.images.remove(image)
