# SPDX-License-Identifier: GPL-3.0-or-later
"""Which plate, which guides, which wishes: from the panel, and from what a script stated in their place."""

from __future__ import annotations

from typing import Any

import bpy

from gossamer_bridge.errors import KnobError

from .datablocks import named
from .mattes import origin_of
from .orders import Guides
from .preferences import preferences
from .properties import GossamerClipSettings, GossamerSettings
from .wishes import Wishes, parse_frames, tile_for_memory

__all__ = ["gather_guides", "gather_wishes", "plate_for", "settings_for"]

Settings = GossamerSettings | GossamerClipSettings


def settings_for(scene: bpy.types.Scene, editor: str) -> Settings:
    """The set of the Image Editor (``IMAGE``) or the Clip Editor (``CLIP``)."""
    found: Settings = scene.gossamer if editor == "IMAGE" else scene.gossamer_clip
    return found


def plate_for(context: bpy.types.Context, editor: str) -> bpy.types.Image | bpy.types.MovieClip | None:
    """The plate that a button in this editor is about: as chosen in the panel, else what the editor shows.

    A matte of ours is no plate: an editor that shows one is still about the plate it was made from.
    """
    settings = settings_for(context.scene, editor)
    chosen: Any = getattr(settings, "plate" if editor == "IMAGE" else "clip")
    if chosen is None:
        chosen = getattr(context.space_data, "image" if editor == "IMAGE" else "clip", None)
        origin = origin_of(chosen) if isinstance(chosen, bpy.types.Image) else None
        if origin is not None:
            chosen = origin.find()
    found: bpy.types.Image | bpy.types.MovieClip | None = chosen
    return found


def find(collection: Any, name: str, what: str) -> Any:
    """A datablock by name, which a script stated; one of this file before a linked one.

    Raises:
        KnobError: there is none.
    """
    found = named(collection, name)
    if found is None:
        raise KnobError(
            f"There is no {what} called {name!r}.", next_step=f"Load it, or state the name of another {what}."
        )
    return found


def gather_guides(settings: Settings, stated: dict[str, Any], space: object) -> Guides:
    """The guides of the kind that is chosen; core and garbage whatever the kind.

    Raises:
        KnobError: a guide is missing.
    """
    chosen: dict[str, Any] = {}
    for knob, collection, what in (
        ("trimap", bpy.data.images, "image"),
        ("mask_image", bpy.data.images, "image"),
        ("mask", bpy.data.masks, "mask"),
        ("core", bpy.data.images, "image"),
        ("garbage", bpy.data.images, "image"),
    ):
        if stated.get(knob):
            chosen[knob] = find(collection, stated[knob], what)
    guide = stated.get("guide") or _kind(chosen) or settings.guide
    for knob in ("core", "garbage"):
        if knob not in stated:
            chosen[knob] = getattr(settings, knob)
    kind = guide.lower()
    if guide != "NONE" and kind not in chosen:
        chosen[kind] = getattr(settings, kind)
    if guide == "MASK" and chosen[kind] is None:
        chosen[kind] = getattr(space, "mask", None)
    if guide != "NONE" and chosen[kind] is None:
        raise KnobError(
            f"No {kind.replace('_', ' ')} is chosen.",
            next_step="Choose one in the panel, or set Guide to None for a model that needs no trimap.",
        )
    kept = {knob: value for knob, value in chosen.items() if knob in (kind, "core", "garbage")}
    return Guides(**kept)


def _kind(chosen: dict[str, Any]) -> str:
    return next((knob.upper() for knob in ("trimap", "mask_image", "mask") if knob in chosen), "")


def gather_wishes(scene: bpy.types.Scene, settings: Settings, stated: dict[str, Any], *, is_range: bool) -> Wishes:
    """Everything but the datablocks; what is stated wins over the panel, the panel over the preferences."""
    chosen = preferences()
    device = stated.get("device") or settings.device
    frames: tuple[int, ...] = (scene.frame_current,)
    if stated.get("frames"):
        frames = parse_frames(stated["frames"])
    elif is_range:
        own = not settings.use_scene_range
        first = settings.frame_start if own else scene.frame_start
        last = settings.frame_end if own else scene.frame_end
        if last < first:
            raise KnobError(
                f"The range ends at {last}, before it starts at {first}.", next_step="Correct Start and End."
            )
        frames = tuple(range(first, last + 1))
    return Wishes(
        model=stated.get("model") or settings.model,
        refine=stated.get("refine", settings.refine),
        tta=stated.get("tta") or settings.tta,
        nonlocal_mean=stated.get("nonlocal_mean") or settings.nonlocal_mean,
        device=chosen.device if device == "default" else device,
        band_in=stated.get("band_in", settings.band_in),
        band_out=stated.get("band_out", settings.band_out),
        plate_space=stated.get("plate_space") or settings.plate_space,
        output_folder=stated.get("output") or settings.output_folder,
        target=stated.get("target") or settings.target,
        scene_frames=frames,
        is_range=is_range,
        skip_finished=stated.get("skip_finished", settings.skip_finished),
        tile=tile_for_memory(chosen.memory_limit),
    )
