# SPDX-License-Identifier: GPL-3.0-or-later
"""From a datablock to what the worker reads: a file, numbered files, a movie, or pixels out of Blender's memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from gossamer_bridge.errors import KnobError
from gossamer_bridge.pixels import BOTTOM_UP, Pixels

from . import compat
from .colours import worker_space
from .exr import has_layers
from .frames import FrameMap, element_name, file_number, frame_padding, sequence_pattern
from .journal import has_alpha_in_colors
from .mattes import Origin, latest_matte, matte_map, origin_of
from .pixels import channels_of, is_constant
from .session import session

__all__ = [
    "Element",
    "clip_element",
    "find_frame_map",
    "guide_element",
    "image_editors",
    "image_element",
    "read_buffer",
]

IN_MEMORY = ("GENERATED", "VIEWER")


@dataclass(frozen=True)
class Element:
    """A plate or a guide, as the worker is going to read it."""

    name: str
    """What results are called after."""
    path: str = ""
    """A file, a pattern or a movie. Empty: ``read`` gives the pixels."""
    read: Callable[[], Pixels] | None = None
    """To be called on the main thread."""
    is_numbered: bool = False
    """A sequence or a movie."""
    padding: int = 4
    """Digits of its frame numbers."""
    space: str = ""
    """Colour space of R, G and B, in the worker's words. Empty: guides, and pixels, which say it themselves."""
    default_map: FrameMap = field(default_factory=FrameMap)
    """Where nothing in Blender says how the element lies in time."""


def image_element(image: bpy.types.Image, *, role: str = "plate") -> Element:
    """How the worker reads a plate that is an image datablock.

    Raises:
        KnobError: the datablock holds nothing, or something that cannot be matted; says what to do.
    """
    _refuse(image, role)
    if image.source in ("SEQUENCE", "MOVIE"):
        return _numbered(image, role)
    name = element_name(image.name, numbered=False)
    file = _existing_file(image)
    if _holds_our_alpha(image) or file is None:
        return Element(name, read=lambda: _plate_pixels(image))
    return Element(name, path=file, space=_space(image))


def guide_element(image: bpy.types.Image, role: str, *, plate_is_numbered: bool) -> Element:
    """How the worker reads a guide; ``role`` is its name in messages."""
    _refuse(image, role)
    if image.source in ("SEQUENCE", "MOVIE"):
        if not plate_is_numbered:
            raise KnobError(
                f"The {role} {image.name} is a sequence, and the plate is one picture.",
                next_step=f"Set the {role}'s source to Single Image.",
            )
        return _numbered(image, role)
    name = element_name(image.name, numbered=False)
    file = _existing_file(image)
    # With frame numbers asked for, the worker takes a numbered file for its whole sequence; Blender was told that this
    # is one picture, so it goes by its pixels.
    if file is None or (plate_is_numbered and file_number(file) is not None):
        return Element(name, read=lambda: _guide_pixels(image, role))
    return Element(name, path=file)


def clip_element(clip: bpy.types.MovieClip) -> Element:
    """How the worker reads a movie clip: a movie file, or numbered files beginning with the one it names."""
    path = bpy.path.abspath(clip.filepath, library=clip.library)
    if not Path(path).is_file():
        raise KnobError(
            f"The clip {clip.name} has no file at {path}.",
            next_step="Correct its path in the Clip Editor, or reload it.",
        )
    if has_layers(Path(path)):
        raise _layers_error(f"The clip {clip.name}")
    number = file_number(path)
    space = worker_space(clip.colorspace_settings.name, compat.working_space())
    if clip.source == "MOVIE" or number is None:
        offset = clip.frame_offset
        name = element_name(clip.name, numbered=False)
        return Element(name, path, None, True, space=space, default_map=FrameMap(clip.frame_start, offset))
    pattern = sequence_pattern(path)
    default = FrameMap(clip.frame_start, number - 1 + clip.frame_offset)
    name = element_name(clip.name, numbered=True)
    return Element(name, pattern, None, True, frame_padding(path), space, default)


def image_editors() -> list[bpy.types.Space]:
    """Every Image Editor in the file."""
    spaces = [area.spaces.active for screen in bpy.data.screens for area in screen.areas]
    return [space for space in spaces if space is not None and space.type == "IMAGE_EDITOR"]


def find_frame_map(image: bpy.types.Image, element: Element, space: bpy.types.Space | None = None) -> FrameMap:
    """How a plate lies in time: as the editor that shows it says, else any other editor or compositor node.

    An editor that was switched to the plate's matte speaks for the plate: both share the editor's place in time.

    Args:
        image: the datablock.
        element: of the datablock; its ``default_map`` counts where neither it nor a matte of it is in use.
        space: the editor that was used, if any.
    """
    pressed: list[Any] = [space] if getattr(space, "image", None) is not None else []
    for editors in (pressed, image_editors()):
        showing = [editor for editor in editors if editor.image == image]
        showing += [editor for editor in editors if _shows_matte(editor, image)]
        if showing:
            user = showing[0].image_user
            return FrameMap(user.frame_start, user.frame_offset)
    for tree in compat.compositor_trees():
        for node in tree.nodes:
            if node.bl_idname == "CompositorNodeImage" and node.image == image:
                return FrameMap(node.frame_start, node.frame_offset)
    matte = latest_matte(image)
    return matte_map(matte) if matte is not None and matte.source == "SEQUENCE" else element.default_map


def _shows_matte(editor: Any, plate: bpy.types.Image) -> bool:
    return editor.image is not None and origin_of(editor.image) == Origin.of(plate)


def read_buffer(image: bpy.types.Image) -> array[float]:
    """The datablock's pixels, RGBA, rows from the bottom; must be called on the main thread.

    Raises:
        KnobError: there are none.
    """
    width, height = image.size
    if width < 1 or height < 1 or image.channels != 4:
        raise KnobError(
            f"The image {image.name} has no pixels that can be read ({width} x {height}, {image.channels} channels).",
            next_step="Reload it, or save it to a file and use that.",
        )
    buffer = array("f", bytes(4 * 4 * width * height))
    image.pixels.foreach_get(buffer)
    return buffer


def _refuse(image: bpy.types.Image, role: str) -> None:
    if image.source == "TILED":
        raise KnobError(f"The {role} {image.name} is a set of UDIM tiles.", next_step="Use a single image instead.")
    if image.source in ("SEQUENCE", "MOVIE") and image.is_dirty:
        raise KnobError(
            f"The {role} {image.name} is painted on and not saved; the worker reads its files.",
            next_step="Save or reload it with the Image menu.",
        )
    if image.source == "VIEWER" and image.type != "COMPOSITING":
        raise KnobError(
            f"The {role} {image.name} is a render result, which Blender does not give out.",
            next_step="Save the render to a file, or use a Viewer node.",
        )
    if image.type == "MULTILAYER" or has_layers(Path(_absolute(image))):
        raise _layers_error(f"The {role} {image.name}")


def _layers_error(what: str) -> KnobError:
    return KnobError(
        f"{what} is a multi-layer EXR: Blender shows one of its passes, and the worker cannot know which.",
        next_step="Save the pass that is meant as EXR or PNG files of one layer, and use those.",
    )


def _numbered(image: bpy.types.Image, role: str) -> Element:
    path = _absolute(image)
    space = _space(image)
    if not Path(path).is_file():
        raise KnobError(f"The {role} {image.name} has no file at {path}.", next_step="Correct its path, or reload it.")
    number = file_number(path)
    if image.source == "MOVIE":
        return Element(element_name(image.name, numbered=False), path, None, True, space=space)
    if number is None:
        raise KnobError(
            f"The {role} {image.name} is a sequence, and {Path(path).name} has no frame number.",
            next_step="Set its source to Single Image, or choose numbered files.",
        )
    pattern = sequence_pattern(path)
    name = element_name(image.name, numbered=True)
    return Element(name, pattern, None, True, frame_padding(path), space, FrameMap(1, number - 1))


def _existing_file(image: bpy.types.Image) -> str | None:
    """The file that holds exactly what the artist sees; None where only Blender's memory does."""
    if image.source in IN_MEMORY or image.is_dirty or image.packed_file is not None:
        return None
    path = _absolute(image)
    if Path(path).is_file():
        return path
    if image.has_data:
        return None
    raise KnobError(
        f"The image {image.name} has no file at {path or '(no path)'}.", next_step="Correct its path, or reload it."
    )


def _absolute(image: bpy.types.Image) -> str:
    return str(bpy.path.abspath(image.filepath, library=image.library)) if image.filepath else ""


def _space(image: bpy.types.Image) -> str:
    return worker_space(image.colorspace_settings.name, compat.working_space())


def _holds_our_alpha(image: bpy.types.Image) -> bool:
    """Whether the plate has to be read as it was before its alpha: a saved file has that in its colours, too."""
    if not has_alpha_in_colors(image):
        return False
    pixels = read_buffer(image)
    return session().journal.original(image, pixels) is not pixels


def _plate_pixels(image: bpy.types.Image) -> Pixels:
    """R, G, B with the colour space they are in: byte pixels as encoded, float pixels in the working space."""
    buffer = session().journal.original(image, read_buffer(image))
    space = _space(image)
    if image.is_float and not image.colorspace_settings.is_data:
        space = worker_space(compat.working_space(), compat.working_space())
    width, height = image.size
    data = channels_of(buffer, (0, 1, 2)).tobytes()
    return Pixels(width, height, ("R", "G", "B"), data, BOTTOM_UP, space)


def _guide_pixels(image: bpy.types.Image, role: str) -> Pixels:
    """A guide's one channel: alpha if it says something, else red, as the worker chooses it from files."""
    buffer = read_buffer(image)
    channel = 0 if is_constant(buffer, 3) and not is_constant(buffer, 0) else 3
    if is_constant(buffer, 3) and is_constant(buffer, 0):
        raise KnobError(
            f"The {role} {image.name} has one colour everywhere.", next_step=f"Paint the {role}, or choose another."
        )
    width, height = image.size
    return Pixels(width, height, ("Y",), channels_of(buffer, (channel,)).tobytes(), BOTTOM_UP)
