# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender 3.4, 4.x and 5.x, in one place. Checked on each by ``tests/blender_addon/lanes``.

* 3.4 to 4.x: a scene owns its compositor tree (``node_tree``, switched on by ``use_nodes``), whose result goes into a
  Composite node. 5.0: the tree is a node group of its own (``compositing_node_group``) with a Group Output.
* Set Alpha: ``mode`` is a property up to 4.x and a menu socket in 5.0.
* Alpha Over: ``Fac, Image, Image`` up to 4.x; ``Background, Foreground, Factor`` in 5.0.
* The working space is scene-linear Rec.709 up to 4.x, unless ``$OCIO`` says otherwise, and a setting of the file in
  5.0.
* Extensions have a folder of their own for data from 4.2 on.
* Datablocks have a number that nothing else gets in the session (``session_uid``) in 4.x; in 3.4 there is only their
  address, which undo keeps and which a new datablock may get after they were removed.
* Properties that take paths relative to the .blend file have to say so from 4.5 on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

__all__ = [
    "alpha_over_inputs",
    "clear_tree",
    "color_environment",
    "compositor_tree",
    "compositor_trees",
    "data_folder",
    "output_socket",
    "relative_path_options",
    "session_key",
    "set_alpha_to_apply",
    "working_space",
]


def compositor_tree(scene: bpy.types.Scene) -> tuple[bpy.types.NodeTree, bool]:
    """The scene's compositor tree, and whether it was made just now.

    A new tree is empty in every version; up to 4.x Blender fills it with a render and an output, which are taken out
    again. What is in a tree that was there stays.
    """
    if hasattr(scene, "compositing_node_group"):
        is_new = scene.compositing_node_group is None
        if is_new:
            scene.compositing_node_group = bpy.data.node_groups.new("Compositor Nodes", "CompositorNodeTree")
        return scene.compositing_node_group, is_new
    is_new = scene.node_tree is None
    if not scene.use_nodes:
        scene.use_nodes = True
    if is_new:
        scene.node_tree.nodes.clear()
    return scene.node_tree, is_new


def compositor_trees() -> list[bpy.types.NodeTree]:
    """The compositor trees of all scenes that have one."""
    names = ("compositing_node_group", "node_tree")
    found = [getattr(scene, name, None) for scene in bpy.data.scenes for name in names]
    return [tree for tree in found if tree is not None]


def clear_tree(scene: bpy.types.Scene) -> None:
    """Remove the tree of a scene of our own; with a scene alone it would stay behind in 5.0."""
    if hasattr(scene, "compositing_node_group") and scene.compositing_node_group is not None:
        bpy.data.node_groups.remove(scene.compositing_node_group)


def output_socket(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> bpy.types.NodeSocket:
    """The input that receives the composite: of the output node that is there, else of a new one."""
    kind = "NodeGroupOutput" if hasattr(scene, "compositing_node_group") else "CompositorNodeComposite"
    node = next((node for node in tree.nodes if node.bl_idname == kind), None)
    if kind == "NodeGroupOutput" and not any(_is_color_output(item) for item in tree.interface.items_tree):
        tree.interface.new_socket(name="Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    if node is None:
        node = tree.nodes.new(kind)
    return next(socket for socket in node.inputs if socket.type == "RGBA")


def _is_color_output(item: bpy.types.NodeTreeInterfaceItem) -> bool:
    return item.item_type == "SOCKET" and item.in_out == "OUTPUT" and item.socket_type == "NodeSocketColor"


def set_alpha_to_apply(node: bpy.types.Node) -> None:
    """Have a Set Alpha node multiply colour and alpha by the matte: what Alpha Over expects of an opaque plate."""
    if hasattr(node, "mode"):
        node.mode = "APPLY"
    else:
        node.inputs["Type"].default_value = "Apply Mask"


def alpha_over_inputs(node: bpy.types.Node) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    """Background and foreground of an Alpha Over node."""
    background, foreground = [socket for socket in node.inputs if socket.type == "RGBA"][:2]
    return background, foreground


def working_space() -> str:
    """The colour space of float pixels: as Blender calls it, or by its role in ``$OCIO``."""
    settings = getattr(bpy.data, "colorspace", None)
    if settings is not None:
        return str(settings.working_space)
    # Up to 4.x Blender does not say what it found there; the worker reads the same configuration.
    return "scene_linear" if os.environ.get("OCIO") else "Linear Rec.709"


def color_environment() -> dict[str, str] | None:
    """The environment in which a program finds Blender's OpenColorIO configuration; None where its own has it.

    From 5.0 on Blender obeys ``$BLENDER_OCIO`` before ``$OCIO``, and no other program does.
    """
    config = os.environ.get("BLENDER_OCIO") if bpy.app.version >= (5, 0) else None
    return {**os.environ, "OCIO": config} if config else None


def session_key(block: Any) -> tuple[int, bool]:
    """A number by which a datablock is found again after undo and under another name, and whether it is for sure.

    Not for sure: another datablock may have got it after this one was removed.
    """
    number = getattr(block, "session_uid", None)
    return (int(block.as_pointer()), False) if number is None else (int(number), True)


def relative_path_options() -> set[str]:
    """The ``options`` of a property for a path that may be relative to the .blend file."""
    return {"ANIMATABLE", "PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else {"ANIMATABLE"}


def data_folder(package: str, name: str) -> Path:
    """A folder for the add-on's own files that survives the session; it need not exist."""
    if package.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(package, path=name, create=False))
    return Path(bpy.utils.user_resource("DATAFILES", path="gossamer", create=False)) / name
