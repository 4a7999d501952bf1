# SPDX-License-Identifier: GPL-3.0-or-later
"""From datablocks and wishes to an order that a thread can run without touching Blender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import bpy

from gossamer_bridge.errors import KnobError
from gossamer_bridge.pixels import Pixels
from gossamer_bridge.settings import Knobs, frames_text

from .cache import MASKS, PICTURES
from .datablocks import find_block, library_of
from .frames import FrameMap, at_frame, files_pattern, safe_name
from .images import Element, clip_element, find_frame_map, guide_element, image_element
from .masks import draw_mask
from .mattes import Origin, matte_files, mattes, origin_of
from .run import Order
from .session import session
from .wishes import DEFAULT_FOLDER, Wishes

__all__ = ["Guides", "Placed", "place_order", "prepare_folder"]


@dataclass(frozen=True)
class Guides:
    """The datablocks that say where to look; all empty for models that need none."""

    trimap: bpy.types.Image | None = None
    mask_image: bpy.types.Image | None = None
    mask: bpy.types.Mask | None = None
    core: bpy.types.Image | None = None
    garbage: bpy.types.Image | None = None


@dataclass(frozen=True)
class Placed:
    """An order, and what is needed to bring its results home."""

    order: Order
    origin: Origin
    """The plate."""
    name: str
    """Name for the result's datablock."""
    is_numbered: bool
    frame_map: FrameMap | None
    numbers: tuple[int, ...]
    """The plate's file numbers; empty for a single picture."""
    target: str
    pattern: str
    """The matte's path, with ``####`` for the number."""
    is_relative: bool
    """Whether the folder was named relative to the .blend file: then both may move together."""
    notes: tuple[str, ...] = field(default=())

    def file(self, number: int | None) -> Path:
        """The matte of one number; None for a single picture."""
        return Path(self.pattern if number is None else at_frame(self.pattern, number))


def place_order(
    plate: bpy.types.Image | bpy.types.MovieClip,
    guides: Guides,
    wishes: Wishes,
    *,
    cache: Path,
    space: bpy.types.Space | None = None,
) -> Placed:
    """Decide how everything is read and where the matte goes. On the main thread; quick.

    Args:
        plate: image or clip.
        guides: what limits the unknown region.
        wishes: everything else.
        cache: folder for pictures from Blender's memory.
        space: the editor in which the button was pressed, if any.

    Raises:
        KnobError: something cannot be matted as it is; says what to do.
    """
    frame_map: FrameMap | None
    if isinstance(plate, bpy.types.MovieClip):
        element = clip_element(plate)
        frame_map = element.default_map
    else:
        element = image_element(plate)
        frame_map = find_frame_map(plate, element, space) if element.is_numbered else None
    _check_target(plate, element, wishes)
    numbers = tuple(frame_map.number(frame) for frame in wishes.scene_frames) if frame_map is not None else ()
    folder, notes = prepare_folder(wishes.output_folder, element, cache)
    origin = Origin.of(plate)
    name, pattern = _own_files(element, origin, folder)
    knobs: dict[str, Any] = {"plate": element.path}
    pictures: dict[str, Callable[[], Pixels]] = {"plate": element.read} if element.read else {}
    named = (("trimap", guides.trimap), ("mask", guides.mask_image), ("core_matte", guides.core))
    for knob, image in (*named, ("garbage_matte", guides.garbage)):
        if image is not None:
            role = knob.replace("_", " ")
            guide = guide_element(image, role, plate_is_numbered=element.is_numbered)
            knobs[knob] = guide.path
            if guide.read:
                pictures[knob] = guide.read
    steps: tuple[Callable[[], None], ...] = ()
    if guides.mask is not None and guides.trimap is None and guides.mask_image is None:
        knobs["mask"], steps = _mask_steps(guides.mask, _size(plate, element), numbers, wishes.scene_frames, cache)
    order = Order(
        knobs=Knobs(
            **knobs,
            band_inside=wishes.band_in,
            band_outside=wishes.band_out,
            frames=frames_text(numbers),
            plate_space=wishes.plate_space or element.space,
            model=wishes.model,
            device=wishes.device,
            tile=wishes.tile,
            refine=wishes.refine,
            tta=wishes.tta,
            nonlocal_mean=wishes.nonlocal_mean,
            output=pattern,
            channels="grey",
            existing="skip" if wishes.is_range and wishes.skip_finished else "overwrite",
        ),
        cache=cache / PICTURES,
        pictures=pictures,
        steps=steps,
    )
    return Placed(
        order,
        origin,
        name,
        element.is_numbered,
        frame_map,
        numbers,
        wishes.target,
        pattern,
        is_relative=_folder_text(wishes.output_folder).startswith("//"),
        notes=tuple(notes),
    )


def _check_target(plate: bpy.types.ID, element: Element, wishes: Wishes) -> None:
    if wishes.is_range and not element.is_numbered:
        raise KnobError(
            f"{plate.name} is one picture.", next_step="Press Matte Frame, or set its source to a sequence."
        )
    if wishes.target == "ALPHA" and element.is_numbered:
        raise KnobError(
            f"{plate.name} is a sequence, movie or clip: Blender has no place for its alpha.",
            next_step="Choose New Image as the target; Add Matte Nodes joins both in the compositor.",
        )


def prepare_folder(text: str, element: Element, cache: Path) -> tuple[str, list[str]]:
    """The folder for mattes. Relative to the .blend file; before that is saved, beside the plate or near the cache.

    Near the cache every .blend file that is not saved has a folder of its own: plates out of memory are often called
    alike, and no datablock here tells of the mattes that another Blender has there.
    """
    text = _folder_text(text)
    if not text.startswith("//") or bpy.data.filepath:
        return bpy.path.abspath(text).rstrip("/\\"), []
    if element.path:
        folder = str(Path(element.path).parent / (text.strip("/") or "gossamer"))
    else:
        folder = str(cache.parent / "mattes" / session().token[:12])
    return folder, [f"The .blend file is not saved, so the matte goes to {folder}."]


def _own_files(element: Element, origin: Origin, folder: str) -> tuple[str, str]:
    """Name and path of the matte. Where another plate's matte has them, a number is added: ``hero.png`` and
    ``hero.jpg``, a movie and a sequence, an image and a clip of one file. A plate keeps what it got.
    """
    number = "." + "#" * max(4, element.padding) if element.is_numbered else ""
    held: dict[str, set[Origin | None]] = {}
    for matte in mattes():
        files = matte_files(matte, is_numbered=element.is_numbered)
        held.setdefault(files.casefold(), set()).add(origin_of(matte))  # most systems do not tell Hero from hero
    own, free = [], []
    for count in range(1, len(held) + 2):
        name = f"{element.name}{f'_{count}' if count > 1 else ''}_alpha"
        pattern = f"{folder}/{name}{number}.exr"
        holders = held.get(files_pattern(pattern, is_numbered=False).casefold(), set())
        if holders == {origin}:
            own.append((name, pattern))
        elif not holders:
            free.append((name, pattern))
    return (own or free)[0]


def _folder_text(text: str) -> str:
    return text.strip() or DEFAULT_FOLDER


def _mask_steps(
    mask: bpy.types.Mask,
    size: tuple[int, int],
    numbers: tuple[int, ...],
    scene_frames: tuple[int, ...],
    cache: Path,
) -> tuple[str, tuple[Callable[[], None], ...]]:
    """The mask's path for the worker, and the calls that draw it, a frame each."""
    blend = bpy.data.filepath or session().token  # another Blender may have a file that is not saved, too
    owner = sha256(f"{blend}|{mask.name_full}|{size}".encode()).hexdigest()[:12]
    folder = cache / MASKS / f"{safe_name(mask.name)}-{owner}"
    if not numbers:
        file = folder / "mask.exr"
        frame = scene_frames[0] if scene_frames else bpy.context.scene.frame_current
        return str(file), (partial(_draw, mask.name, library_of(mask), frame, size, file),)
    steps = tuple(
        partial(_draw, mask.name, library_of(mask), frame, size, folder / f"mask.{number:04d}.exr")
        for number, frame in zip(numbers, scene_frames, strict=True)
    )
    return str(folder / "mask.####.exr"), steps


def _draw(name: str, library: str, frame: int, size: tuple[int, int], file: Path) -> None:
    """Later, by name: the datablock may be gone by then."""
    mask = find_block(bpy.data.masks, name, library)
    if mask is None:
        raise KnobError(f"The mask {name} is gone.", next_step="Choose another mask.")
    draw_mask(mask, frame, size, file)


def _size(plate: bpy.types.Image | bpy.types.MovieClip, element: Element) -> tuple[int, int]:
    """Width and height; of a sequence that is not shown anywhere, by a look at its first file."""
    if plate.size[0] > 0:
        return plate.size[0], plate.size[1]
    first = bpy.path.abspath(plate.filepath, library=plate.library)
    look = bpy.data.images.load(first, check_existing=False)
    try:
        if element.path and look.size[0] < 1:
            raise KnobError(f"{first} cannot be read by Blender.", next_step="Look at the file; it may be damaged.")
        return look.size[0], look.size[1]
    finally:
        bpy.data.images.remove(look)
