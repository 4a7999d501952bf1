# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's masks as pictures: every spline, key frame, feather and parent is drawn by Blender's own compositor.

Each frame is rendered by a scene of its own that exists only for that call, so that neither undo nor a saved file ever
holds it. A 1080p frame takes about a quarter of a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from gossamer_bridge.errors import KnobError

from . import compat
from .cache import replace_if_changed

__all__ = ["draw_mask"]

SCENE = "Gossamer mask"
MOVED = ("co", "handle_left", "handle_right", "weight")
"""What key frames of a mask hold of a point."""


def draw_mask(mask: bpy.types.Mask, scene_frame: int, size: tuple[int, int], file: Path) -> bool:
    """Write the mask as it is at a frame of the scene: one float channel, 1 inside, anti-aliased, feather included.

    Args:
        mask: with its layers' opacity, blending and inversion.
        scene_frame: where its key frames are counted.
        size: width and height of the plate in pixels.
        file: an EXR file. Left alone if it holds these bytes already.

    Returns:
        whether the file was written.

    Raises:
        KnobError: the mask has nothing to draw, or Blender is rendering.
    """
    if not any(len(layer.splines) for layer in mask.layers):
        raise KnobError(f"The mask {mask.name} has no splines.", next_step="Draw one around the subject first.")
    if bpy.app.is_job_running("RENDER"):
        raise KnobError("A render is running.", next_step="Wait until it is over: masks are drawn by the renderer.")
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.tmp.exr")
    # A frame that is evaluated moves the points of every mask there, and edits without a key would be gone.
    as_they_are = [(point, _values(point)) for block in bpy.data.masks for point in _points(block)]
    scene = bpy.data.scenes.new(SCENE)
    try:
        _set_up(scene, mask, size, temporary)
        scene.frame_set(scene_frame)
        # The operator's own argument ``scene`` would bring the frame of the scene that the window shows.
        with bpy.context.temp_override(scene=scene):
            bpy.ops.render.render(write_still=True)
    except RuntimeError as error:
        raise KnobError(
            f"Blender cannot draw the mask {mask.name}: {error}.", next_step="See Blender's console."
        ) from error
    finally:
        compat.clear_tree(scene)
        bpy.data.scenes.remove(scene)
        for point, values in as_they_are:
            for name, value in zip(MOVED, values, strict=True):  # the centre first: it takes its handles along
                setattr(point, name, value)
    if not temporary.is_file():
        raise KnobError(
            f"Blender drew the mask {mask.name} but wrote no file {temporary}.",
            next_step="Look whether the cache folder in the add-on's preferences can be written to.",
        )
    return replace_if_changed(temporary, file)


def _points(mask: bpy.types.Mask) -> list[bpy.types.MaskSplinePoint]:
    return [point for layer in mask.layers for spline in layer.splines for point in spline.points]


def _values(point: bpy.types.MaskSplinePoint) -> list[Any]:
    return [value if isinstance(value, float) else tuple(value) for value in (getattr(point, name) for name in MOVED)]


def _set_up(scene: bpy.types.Scene, mask: bpy.types.Mask, size: tuple[int, int], file: Path) -> None:
    render = scene.render
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    render.use_compositing = True
    render.use_sequencer = False
    render.filepath = str(file)
    render.use_file_extension = False
    render.image_settings.file_format = "OPEN_EXR"
    render.image_settings.color_mode = "BW"
    render.image_settings.color_depth = "32"
    for name in dir(render):
        if name.startswith("use_stamp"):  # dates in the header would make every file a new one
            setattr(render, name, False)
    tree, _ = compat.compositor_tree(scene)
    node = tree.nodes.new("CompositorNodeMask")
    node.mask = mask
    tree.links.new(node.outputs[0], compat.output_socket(tree, scene))
