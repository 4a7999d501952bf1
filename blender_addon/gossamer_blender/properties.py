# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist sets in the panels; kept with the scene, one set for images and one for clips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import bpy

from . import compat
from .session import session
from .wishes import DEFAULT_FOLDER

__all__ = ["DEVICES", "GUIDES", "OPTIONS", "GossamerClipSettings", "GossamerSettings", "stated_in", "with_properties"]

Class = TypeVar("Class", bound=type)

DEVICES = (
    ("auto", "Automatic", "A graphics card if the worker can use one, else the processor"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
)
GUIDES = (
    ("TRIMAP", "Trimap", "A picture: black is background, white is foreground, everything between is to be solved"),
    ("MASK_IMAGE", "Mask Image", "A rough black and white picture of the subject; its edge is to be solved"),
    ("MASK", "Mask", "A mask of Blender's, with splines and key frames; its edge is to be solved"),
    ("NONE", "None", "For models without trimap, or with core and garbage images alone"),
)
TTA = (
    ("none", "Fast", "One answer of the network"),
    ("flips", "Mirrored", "The mean of the network's answers to the picture and its mirror image; twice the time"),
    ("views", "All Views", "The mean of its answers to mirrored, turned and resized copies; 26 times the time"),
    # Last: .blend files hold the number of an item, and those before this one was there shall mean what they meant.
    ("fine", "Fine", "The mean of its answers to the picture and one half as large again; three times the time"),
)
NONLOCAL_MEAN = (
    ("auto", "Automatic", "With gossamer-s, whose quality was measured with it"),
    ("on", "On", "Pixels of like colour draw each other's alpha together once the network has answered"),
    ("off", "Off", "The network's own matte, for thin hair that has the colours of the body's shade"),
)
TARGETS = (
    ("NEW", "New Image", "An image or sequence of its own, named after the plate"),
    ("ALPHA", "Plate's Alpha", "The plate's own alpha channel; can be undone. For single pictures"),
)
OPTIONS = {
    "--trimap": "Trimap",
    "--mask": "Mask",
    "--core": "Core",
    "--garbage": "Garbage",
    "--frames": "Start and End",
    "--band-in": "Band In",
    "--band-out": "Band Out",
    "--plate-space": "Colour Space",
    "--model": "Model",
    "--device": "Device",
    "--tile": "Memory Limit (MB) in the preferences",
    "--refine": "Refine",
    "--tta": "Quality",
    "--nonlocal": "Non-local Mean",
}
"""What an option of the command line is called in the panels."""


def with_properties(**properties: Any) -> Callable[[Class], Class]:
    """Declare Blender properties on a class.

    Blender reads them from ``__annotations__``, where a type checker wants types: the class body has the types, and
    this puts the properties in their place.
    """

    def declare(kind: Class) -> Class:
        kind.__annotations__ = dict(properties)
        return kind

    return declare


def stated_in(operator: bpy.types.Operator) -> dict[str, Any]:
    """The properties that the button or script set, which the others are not to be read as.

    When an operator has finished, Blender keeps its properties and gives them to the next one that is started by a
    button or key. They are listed among its keys then, but do not count as set.
    """
    properties: Any = operator.properties
    names = type(operator).__annotations__
    return {name: getattr(operator, name) for name in names if properties.is_property_set(name)}


def _search_models(_self: Any, _context: bpy.types.Context, edit_text: str) -> list[str]:
    return [name for name in session().models() if edit_text.lower() in name.lower()]


def _has_pixels(_self: Any, image: bpy.types.Image) -> bool:
    return image.source != "TILED" and image.type != "RENDER_RESULT"


def _common(guide: str) -> dict[str, Any]:
    """The properties of both sets; ``guide`` is the kind that is offered first."""
    image = {"type": bpy.types.Image, "poll": _has_pixels}
    return {
        "guide": bpy.props.EnumProperty(name="Guide", items=GUIDES, default=guide),
        "trimap": bpy.props.PointerProperty(name="Trimap", **image),
        "mask_image": bpy.props.PointerProperty(name="Mask Image", **image),
        "mask": bpy.props.PointerProperty(name="Mask", type=bpy.types.Mask),
        "band_in": bpy.props.FloatProperty(
            name="Band In", description="Pixels inside the mask's edge, at a width of 1920", default=12.0, min=0.0
        ),
        "band_out": bpy.props.FloatProperty(
            name="Band Out", description="Pixels outside the mask's edge, at a width of 1920", default=24.0, min=0.0
        ),
        "core": bpy.props.PointerProperty(name="Core", description="White is surely foreground", **image),
        "garbage": bpy.props.PointerProperty(name="Garbage", description="White is surely background", **image),
        "model": bpy.props.StringProperty(name="Model", default="gossamer-s", search=_search_models),
        "tta": bpy.props.EnumProperty(name="Quality", items=TTA, default="none"),
        "nonlocal_mean": bpy.props.EnumProperty(name="Non-local Mean", items=NONLOCAL_MEAN, default="auto"),
        "refine": bpy.props.IntProperty(
            name="Refine",
            description="Steps that fit the network to this frame; slow, and only with models that can be refined",
            default=0,
            min=0,
            max=100,
        ),
        "device": bpy.props.EnumProperty(
            name="Device", items=(("default", "Preferences", "As set in the preferences"), *DEVICES), default="default"
        ),
        "plate_space": bpy.props.StringProperty(
            name="Colour Space",
            description="OpenColorIO name of the plate's colour space. Empty: what the datablock says",
        ),
        "output_folder": bpy.props.StringProperty(
            name="Output",
            description=f"Folder for the mattes. Empty: {DEFAULT_FOLDER}",
            default=DEFAULT_FOLDER,
            subtype="DIR_PATH",
            options=compat.relative_path_options(),
        ),
        "frame_start": bpy.props.IntProperty(name="Start", description="First frame of the scene", default=1),
        "frame_end": bpy.props.IntProperty(name="End", description="Last frame of the scene", default=250),
        "use_scene_range": bpy.props.BoolProperty(name="Scene Range", default=True),
        "skip_finished": bpy.props.BoolProperty(
            name="Skip Finished",
            description="Keep frames that are finished with the same settings; goes on where a range was cancelled",
            default=True,
        ),
    }


@with_properties()
class _Settings(bpy.types.PropertyGroup):
    """The types of the common properties, for readers and type checkers; Blender sees none of them here."""

    guide: str
    trimap: bpy.types.Image | None
    mask_image: bpy.types.Image | None
    mask: bpy.types.Mask | None
    band_in: float
    band_out: float
    core: bpy.types.Image | None
    garbage: bpy.types.Image | None
    model: str
    tta: str
    nonlocal_mean: str
    refine: int
    device: str
    plate_space: str
    output_folder: str
    frame_start: int
    frame_end: int
    use_scene_range: bool
    skip_finished: bool
    target: str


_TARGET = bpy.props.EnumProperty(name="Result", items=TARGETS, default="NEW")


@with_properties(
    plate=bpy.props.PointerProperty(
        name="Plate", description="Empty: the image that the editor shows", type=bpy.types.Image, poll=_has_pixels
    ),
    target=_TARGET,
    **_common("TRIMAP"),
)
class GossamerSettings(_Settings):
    """Of the Image Editor's panel."""

    plate: bpy.types.Image | None


@with_properties(
    clip=bpy.props.PointerProperty(
        name="Clip", description="Empty: the clip that the editor shows", type=bpy.types.MovieClip
    ),
    target=_TARGET,
    **_common("MASK"),
)
class GossamerClipSettings(_Settings):
    """Of the Clip Editor's panel."""

    clip: bpy.types.MovieClip | None
