# SPDX-License-Identifier: GPL-3.0-or-later
"""Plate, matte, Set Alpha and Alpha Over in the scene's compositor; what the artist has there is not changed."""

from __future__ import annotations

from typing import Any

import bpy

from . import compat
from .frames import FrameMap
from .images import image_editors
from .mattes import matte_duration, matte_map

__all__ = ["add_matte_nodes", "extend_to_last_frame"]

LABEL = "Gossamer "
"""What the label of the frame around the nodes for a matte begins with; Blender cuts labels off after 63 bytes."""
IS_MATTE = "gossamer_is_matte"
"""Noted on the node that shows a matte."""
GAP = 60
WIDTH = 240
HEIGHT = 520
"""Of the largest node, an image sequence."""


def add_matte_nodes(
    scene: bpy.types.Scene,
    plate: bpy.types.Image | bpy.types.MovieClip,
    matte: bpy.types.Image,
    *,
    plate_map: FrameMap,
) -> bool:
    """Wire plate and matte into the scene's tree: Set Alpha, then Alpha Over.

    What is already composited stays what it is: a Render Layers node becomes the background, and the result goes into
    the output only where nothing else is linked to it.

    Args:
        scene: whose compositor it is.
        plate: the image or clip that was matted.
        matte: its result.
        plate_map: how the plate lies in time.

    Returns:
        False if the nodes for this matte are there already; they reach its last frame then.
    """
    tree, is_new = compat.compositor_tree(scene)
    if _matte_nodes(tree, matte):
        extend_to_last_frame(matte)
        return False
    left, top = _free_place(tree)
    frame = tree.nodes.new("NodeFrame")
    frame.label = f"{LABEL}{matte.name}"
    duration = matte_duration(matte)
    source = _plate_node(tree, plate, plate_map, duration)
    alpha: Any = _image_node(tree, matte, matte_map(matte), duration)
    alpha[IS_MATTE] = True
    cut = tree.nodes.new("CompositorNodeSetAlpha")
    compat.set_alpha_to_apply(cut)
    over = tree.nodes.new("CompositorNodeAlphaOver")
    background, foreground = compat.alpha_over_inputs(over)
    places = ((source, 0, 0), (alpha, 0, 1), (cut, 1, 0), (over, 2, 0))
    for node, column, row in places:
        node.location = (left + column * (WIDTH + GAP), top - row * HEIGHT)
        node.parent = frame
    tree.links.new(source.outputs["Image"], cut.inputs["Image"])
    tree.links.new(alpha.outputs["Image"], cut.inputs["Alpha"])
    tree.links.new(cut.outputs["Image"], foreground)
    layers = next((node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers"), None)
    if layers is None and is_new and scene.camera is not None:  # what was rendered so far goes on being seen
        layers = tree.nodes.new("CompositorNodeRLayers")
        layers.scene = scene
        layers.location = (left + WIDTH + GAP, top + HEIGHT)
    if layers is not None:
        tree.links.new(layers.outputs["Image"], background)
    else:
        background.default_value = (0.0, 0.0, 0.0, 0.0)
    output = compat.output_socket(tree, scene)
    if is_new:
        output.node.location = (left + 3 * (WIDTH + GAP), top)
    if not output.is_linked:
        tree.links.new(over.outputs["Image"], output)
    return True


def extend_to_last_frame(matte: bpy.types.Image) -> None:
    """Have nodes and Image Editors that were set up for a matte go on to its last frame, which may have come since.

    What goes on longer stays so: an artist may have set it.
    """
    users: list[Any] = [editor.image_user for editor in image_editors() if editor.image == matte]
    for tree in compat.compositor_trees():
        shown = _matte_nodes(tree, matte)
        frames = [node.parent for node in shown if node.parent is not None]
        users += [node for node in tree.nodes if _is_image(node) and (node in shown or node.parent in frames)]
    duration = matte_duration(matte)
    for user in users:
        if user.frame_duration < duration:
            user.frame_duration = duration


def _is_image(node: bpy.types.Node) -> bool:
    return node.bl_idname == "CompositorNodeImage"


def _matte_nodes(tree: bpy.types.NodeTree, matte: bpy.types.Image) -> list[Any]:
    """The nodes that show a matte and were made for it; an artist's own do not count.

    By the datablock: labels are too short for the names of some plates, and a matte may get another name.
    """
    shown: list[Any] = [node for node in tree.nodes if _is_image(node) and node.image == matte]
    return [node for node in shown if node.get(IS_MATTE) or _is_in_frame_of_ours(node)]


def _is_in_frame_of_ours(node: bpy.types.Node) -> bool:
    """How nodes are known that were made before they were noted."""
    return node.parent is not None and node.parent.label.startswith(LABEL)


def _free_place(tree: bpy.types.NodeTree) -> tuple[float, float]:
    """Below everything that is there."""
    placed = [node for node in tree.nodes if node.parent is None]
    if not placed:
        return 0.0, 0.0
    return min(node.location[0] for node in placed), min(node.location[1] - node.height for node in placed) - 300.0


def _plate_node(
    tree: bpy.types.NodeTree, plate: bpy.types.Image | bpy.types.MovieClip, frame_map: FrameMap, duration: int
) -> bpy.types.Node:
    if isinstance(plate, bpy.types.MovieClip):
        node = tree.nodes.new("CompositorNodeMovieClip")
        node.clip = plate
        return node
    return _image_node(tree, plate, frame_map, duration)


def _image_node(tree: bpy.types.NodeTree, image: bpy.types.Image, frame_map: FrameMap, duration: int) -> bpy.types.Node:
    node = tree.nodes.new("CompositorNodeImage")
    node.image = image
    if image.source in ("SEQUENCE", "MOVIE"):
        node.frame_start = frame_map.start
        node.frame_offset = frame_map.offset
        node.frame_duration = duration
        node.use_auto_refresh = True
    return node
