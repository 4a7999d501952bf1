# SPDX-License-Identifier: GPL-3.0-or-later
"""What is noted on a matte's datablock: the plate it was made from, when, and how it lies in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from .datablocks import find_block, library_of
from .frames import FrameMap, files_pattern, sequence_numbers

__all__ = ["Origin", "latest_matte", "matte_duration", "matte_files", "matte_map", "mattes", "note", "origin_of"]

PLATE, KIND, LIBRARY = "gossamer_plate", "gossamer_kind", "gossamer_library"
MADE = "gossamer_made"
"""Rises with every run: Blender lists datablocks by name, which says nothing about when."""
START, OFFSET = "gossamer_start", "gossamer_offset"


@dataclass(frozen=True)
class Origin:
    """The plate of a matte, by name: the datablock itself may be gone when it is wanted."""

    name: str
    kind: str = "IMAGE"
    """``IMAGE`` or ``CLIP``: an image and a clip of one file have the same name."""
    library: str = ""
    """What a linked plate is linked from, as ``library_of`` says it: it may be called like one of this file."""

    @classmethod
    def of(cls, plate: bpy.types.Image | bpy.types.MovieClip) -> Origin:
        """How a plate is noted."""
        return cls(plate.name, "CLIP" if isinstance(plate, bpy.types.MovieClip) else "IMAGE", library_of(plate))

    def find(self) -> bpy.types.Image | bpy.types.MovieClip | None:
        """The datablock, if there still is one of that name."""
        blocks: Any = bpy.data.movieclips if self.kind == "CLIP" else bpy.data.images
        found: bpy.types.Image | bpy.types.MovieClip | None = find_block(blocks, self.name, self.library)
        return found


def note(matte: bpy.types.Image, origin: Origin, frame_map: FrameMap | None) -> None:
    """Make a datablock the newest matte of a plate.

    Args:
        matte: the datablock.
        origin: its plate.
        frame_map: how the plate lies in time, so that editors and nodes made later lie alike; None: a single picture.
    """
    newest = mattes()
    matte[MADE] = 1 + (int(newest[0].get(MADE, 0)) if newest else 0)
    matte[PLATE], matte[KIND], matte[LIBRARY] = origin.name, origin.kind, origin.library
    if frame_map is not None:
        matte[START], matte[OFFSET] = frame_map.start, frame_map.offset


def origin_of(image: bpy.types.Image) -> Origin | None:
    """The plate, if ``image`` is a matte of ours."""
    name, kind = str(image.get(PLATE, "")), str(image.get(KIND, "IMAGE"))
    if not name:
        return None
    noted = image.get(LIBRARY)
    if noted is None and not library_of(image) and Origin(name, kind).find() is None:
        # From before libraries were noted: the plate may be a linked one.
        blocks: Any = bpy.data.movieclips if kind == "CLIP" else bpy.data.images
        linked = [library_of(block) for block in blocks if block.name == name]
        return Origin(name, kind, linked[0] if len(linked) == 1 else "")
    # A linked matte was noted in its own file, where the plate was one of that file.
    return Origin(name, kind, str(noted or "") or library_of(image))


def mattes() -> list[bpy.types.Image]:
    """Every matte of ours in the file, the newest first."""
    found = [image for image in bpy.data.images if origin_of(image) is not None]
    return sorted(found, key=lambda image: int(image.get(MADE, 0)), reverse=True)


def latest_matte(plate: bpy.types.Image | bpy.types.MovieClip | None) -> bpy.types.Image | None:
    """The newest matte that was made from a plate."""
    if plate is None:
        return None
    return next((matte for matte in mattes() if origin_of(matte) == Origin.of(plate)), None)


def matte_map(matte: bpy.types.Image) -> FrameMap:
    """How a matte of ours lies in time."""
    return FrameMap(int(matte.get(START, 1)), int(matte.get(OFFSET, 0)))


def matte_files(matte: bpy.types.Image, *, is_numbered: bool) -> str:
    """Where a matte's files lie, as ``files_pattern`` writes it."""
    return files_pattern(bpy.path.abspath(matte.filepath, library=matte.library), is_numbered=is_numbered)


def matte_duration(matte: bpy.types.Image) -> int:
    """Frames of the scene up to a matte's last file, of all that lie on disk: the last run may have made one of many.

    Blender holds the frame at the end of a duration: one that is too short shows one picture for the rest of the shot.
    """
    if matte.source != "SEQUENCE":
        return 1
    numbers = sequence_numbers(bpy.path.abspath(matte.filepath, library=matte.library))
    return max(1, numbers[-1] - matte_map(matte).offset) if numbers else 1
