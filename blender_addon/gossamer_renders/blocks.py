# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays to Blender's meshes, hair curves and materials, in the scene that is open."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer_renders.fields import Array

__all__ = ["Studio", "bpy", "grid_faces"]

bpy: Any = importlib.import_module("bpy")  # without types: the project's stubs hold what the add-on uses

_TINT = "tint"


class Studio:
    """What builds objects: a source of randomness, photographs for surfaces, and Blender's open scene."""

    def __init__(self, rng: np.random.Generator, photos: list[Path]) -> None:
        self.rng = rng
        self._photos = photos

    def photo(self) -> Any:
        """A random photograph as a datablock; nothing if there are none.

        Raises:
            OSError: it cannot be decoded.
        """
        if not self._photos:
            return None
        path = self._photos[int(self.rng.integers(len(self._photos)))]
        image = bpy.data.images.load(str(path), check_existing=True)
        if 0 in image.size:  # Blender would paint the surface magenta
            raise OSError(f"{path} cannot be decoded; replace or remove it.")
        return image

    def strands(self, points: Array, radii: Array, colors: Array, material: Any) -> None:
        """Hair curves: points N x K x 3, radii N x K, albedo N x 3 or N x K x 3."""
        count, length, _ = points.shape
        curves = bpy.data.hair_curves.new("strands")
        curves.add_curves([length] * count)
        curves.attributes["position"].data.foreach_set("vector", _flat(points))
        curves.attributes.new("radius", "FLOAT", "POINT").data.foreach_set("value", _flat(radii))
        colors = colors if colors.ndim == 3 else np.broadcast_to(colors[:, None], points.shape)
        curves.attributes.new(_TINT, "FLOAT_COLOR", "POINT").data.foreach_set("color", _flat(_opaque(colors)))
        self._link(curves, material)

    def mesh(
        self, points: Array, faces: NDArray[np.int64], material: Any, colors: Array, uv: Array | None = None
    ) -> None:
        """A smooth mesh: points N x 3, faces M x 4, albedo N x 3, texture coordinates N x 2."""
        mesh = bpy.data.meshes.new("mesh")
        mesh.from_pydata(points.tolist(), [], faces.tolist())
        mesh.attributes.new(_TINT, "FLOAT_COLOR", "POINT").data.foreach_set("color", _flat(_opaque(colors)))
        if uv is not None:
            corners = np.empty(len(mesh.loops), np.int32)
            mesh.loops.foreach_get("vertex_index", corners)
            mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", _flat(uv[corners]))
        mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
        mesh.update()
        self._link(mesh, material)

    def material(
        self,
        *,
        photo: bool = False,
        translucent: float = 0,
        rough: float | None = None,
        metal: float = 0,
        bump: float = 0,
    ) -> Any:
        """Blender's principled surface with the points' own colours, or a photograph."""
        rng = self.rng
        material = bpy.data.materials.new("material")
        material.use_nodes = True
        tree = material.node_tree
        surface = tree.nodes["Principled BSDF"]
        surface.inputs["Roughness"].default_value = rng.uniform(0.15, 0.9) if rough is None else rough
        surface.inputs["Metallic"].default_value = metal
        surface.inputs["Specular IOR Level"].default_value = rng.uniform(0.2, 0.6)
        picture = self.photo() if photo else None
        if picture is not None:
            source = tree.nodes.new("ShaderNodeTexImage")
            source.image = picture
        else:
            source = tree.nodes.new("ShaderNodeAttribute")
            source.attribute_name = _TINT
        tree.links.new(source.outputs["Color"], surface.inputs["Base Color"])
        if bump:
            noise, height = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeBump")
            noise.inputs["Scale"].default_value = rng.uniform(10, 80)
            height.inputs["Strength"].default_value = bump
            tree.links.new(noise.outputs[0], height.inputs["Height"])
            tree.links.new(height.outputs[0], surface.inputs["Normal"])
        if translucent:
            through, mixed = tree.nodes.new("ShaderNodeBsdfTranslucent"), tree.nodes.new("ShaderNodeMixShader")
            mixed.inputs[0].default_value = translucent
            tree.links.new(source.outputs["Color"], through.inputs["Color"])
            tree.links.new(surface.outputs[0], mixed.inputs[1])
            tree.links.new(through.outputs[0], mixed.inputs[2])
            tree.links.new(mixed.outputs[0], tree.nodes["Material Output"].inputs["Surface"])
        return material

    def hair_material(self) -> Any:
        """What lets some light through."""
        return self.material(rough=self.rng.uniform(0.25, 0.7), translucent=self.rng.uniform(0.1, 0.5))

    def _link(self, data: Any, material: Any) -> None:
        data.materials.append(material)
        bpy.context.collection.objects.link(bpy.data.objects.new(data.name, data))


def grid_faces(rows: int, columns: int, *, closed: bool = False) -> NDArray[np.int64]:
    """Quads of a grid of points, M x 4; ``closed``: the last column meets the first."""
    number = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        number = np.concatenate([number, number[:, :1]], 1)
    corners = [number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]]
    return np.asarray(np.stack(corners, -1).reshape(-1, 4))


def _flat(values: Array) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32).ravel()


def _opaque(colors: Array) -> Array:
    return np.concatenate([colors, np.ones((*colors.shape[:-1], 1))], -1)
