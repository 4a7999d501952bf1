# SPDX-License-Identifier: GPL-3.0-or-later
"""One object: built, lit, seen by a lens, rendered twice, written as a picture with straight colour."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer_renders.blocks import Studio, bpy
from gossamer_renders.fields import unit
from gossamer_renders.objects import KINDS

__all__ = ["Settings", "render"]

_VIEWS, _EDGE = 4, 0.004
"""So often is another camera tried until this part of the picture is edge."""
_SEEN = 0.05
"""Where there is less of the object its colour is noise, and that of pixels nearby is taken."""


@dataclass(frozen=True)
class Settings:
    """What is rendered, and how well."""

    size: int = 400
    """Side of the square pictures in pixels."""
    color_samples: int = 8
    """A pixel, of the lit pass; both are denoised."""
    alpha_samples: int = 48
    """A pixel, of the pass that sees shapes only."""
    threads: int = 1
    """Of the processor."""


def render(number: int, seed: int, folder: Path, photos: list[Path], kinds: list[str], settings: Settings) -> Path:
    """Render object ``number`` of ``seed`` unless it lies in ``folder``; it depends on what is given alone.

    Returns:
        ``folder/NUMBER.KIND.png``, 8 bits, sRGB-encoded, straight.

    Raises:
        OSError: a photograph cannot be decoded.
        RuntimeError: Blender cannot write a picture.
    """
    rng = np.random.default_rng([seed, number])
    shares = np.array([KINDS[kind][0] for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
    path = folder / f"{number:06d}.{kind}.png"
    if path.is_file():
        return path
    bpy.ops.wm.read_factory_settings(use_empty=True)
    studio, scene = Studio(rng, photos), bpy.context.scene
    KINDS[kind][1](studio)
    _prepare(scene, settings, number, round_strands=kind in ("basket", "net", "solid", "foliage"))
    for _ in range(_VIEWS):
        _point_camera(rng, scene, steep=kind == "basket")
        glow = _pass(scene, folder / f".{number}.alpha.exr")[..., 0]
        # The denoised light is alpha, but for the last hundredth: bodies are solid and the rest is empty.
        alpha = np.clip((glow - 0.004) / 0.985, 0, 1)
        if ((alpha > 0.02) & (alpha < 0.98)).mean() > _EDGE:
            break
    _light(studio, scene, settings)
    lit = _pass(scene, folder / f".{number}.lit.exr")
    _write(_straight(lit, alpha, exposure=float(rng.uniform(0.5, 1.05))), path)
    return path


def _light(studio: Studio, scene: Any, settings: Settings) -> None:
    """One to three lamps, a photograph or a colour all around, and the objects' own surfaces."""
    scene.view_layers[0].material_override = None
    scene.cycles.max_bounces, scene.cycles.samples = 1, settings.color_samples
    rng, world = studio.rng, bpy.data.worlds.new("world")
    scene.world, world.use_nodes = world, True
    around = world.node_tree.nodes["Background"]
    around.inputs[1].default_value = rng.uniform(0.1, 0.8)
    picture = studio.photo() if rng.random() < 0.75 else None
    if picture is not None:
        source = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
        source.image = picture
        world.node_tree.links.new(source.outputs[0], around.inputs[0])
    else:
        around.inputs[0].default_value = (*np.exp(rng.normal(0, 0.2, 3) - 0.5), 1)
    for lamp in range(int(rng.integers(1, 4))):
        light = bpy.data.lights.new("lamp", "AREA")
        light.energy = np.exp(rng.uniform(np.log(60), np.log(400))) * (1 if lamp else 1.5)
        light.size = np.exp(rng.uniform(np.log(0.3), np.log(4)))
        warmth = rng.uniform(-0.3, 0.7)
        light.color = (
            (1, 1 - 0.3 * warmth, 1 - 0.75 * warmth) if warmth > 0 else (1 + 0.5 * warmth, 1 + 0.2 * warmth, 1)
        )
        in_front = lamp == 0 or rng.random() < 0.5
        toward = unit(
            np.array([rng.normal(), -abs(rng.normal()) if in_front else abs(rng.normal()), abs(rng.normal(0.6, 0.6))])
        )
        _place(light, toward * 4.5, toward)


def _point_camera(rng: np.random.Generator, scene: Any, *, steep: bool) -> None:
    """A lens of 40 to 110 mm near a random part of the object, mostly with depth of field."""
    camera = bpy.data.cameras.new("camera")
    camera.lens = rng.uniform(40, 110)
    distance = camera.lens / 36 * rng.uniform(0.9, 2.3)
    toward = unit(np.array([rng.normal(0, 0.5), -1, abs(rng.normal(0.45 if steep else 0.25, 0.3))]))
    parts = [thing.data.attributes["position"].data for thing in bpy.data.objects if thing.type in ("MESH", "CURVES")]
    part = parts[int(rng.integers(len(parts)))]
    target = np.array(part[int(rng.integers(len(part)))].vector) * rng.uniform(0.3, 1) + rng.normal(0, 0.12, 3)
    scene.camera = _place(camera, target + toward * distance, toward)
    if rng.random() < 0.8:
        camera.dof.use_dof = True
        camera.dof.focus_distance = distance - rng.uniform(-0.3, 0.9)
        camera.dof.aperture_fstop = np.exp(rng.uniform(np.log(0.8), np.log(14))) * 0.25 * camera.lens / 50


def _place(data: Any, location: NDArray[np.float64], toward: NDArray[np.float64]) -> Any:
    """Something that looks along -z, put somewhere, with ``toward`` behind it."""
    right = unit(np.cross([0, 0, 1], toward))
    axes = np.eye(4)
    axes[:3] = np.stack([right, np.cross(toward, right), toward, location], -1)
    placed = bpy.data.objects.new(data.name, data)
    placed.matrix_world = axes.T.tolist()  # Blender takes columns
    bpy.context.collection.objects.link(placed)
    return placed


def _prepare(scene: Any, settings: Settings, seed: int, *, round_strands: bool) -> None:
    """For shapes alone: everything glows and nothing is lit, which gives alpha for a fraction of the time a sample."""
    glow = bpy.data.materials.new("glow")
    glow.use_nodes = True
    glow.node_tree.nodes.clear()
    output, emission = (glow.node_tree.nodes.new(f"ShaderNode{name}") for name in ("OutputMaterial", "Emission"))
    glow.node_tree.links.new(emission.outputs[0], output.inputs[0])
    scene.view_layers[0].material_override = glow
    scene.render.engine = "CYCLES"
    scene.render.film_transparent = True
    scene.render.threads_mode, scene.render.threads = "FIXED", settings.threads
    scene.render.resolution_x = scene.render.resolution_y = settings.size
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_mode, scene.render.image_settings.color_depth = "RGBA", "32"
    scene.cycles_curves.shape = "THICK" if round_strands else "RIBBONS"
    cycles = scene.cycles
    cycles.device, cycles.seed, cycles.samples = "CPU", seed, settings.alpha_samples
    cycles.use_adaptive_sampling = False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces, cycles.transmission_bounces = 0, 1, 1, 1
    cycles.sample_clamp_direct, cycles.sample_clamp_indirect = 6, 3
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"


def _pass(scene: Any, path: Path) -> NDArray[np.float32]:
    """Render; H x W x 4, linear, premultiplied, top row first."""
    scene.render.filepath = str(path)
    try:
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(path))
        pixels = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(pixels)
        width, height = image.size
        bpy.data.images.remove(image)
    finally:
        path.unlink(missing_ok=True)
    return pixels.reshape(height, width, 4)[::-1]


def _straight(lit: NDArray[np.float32], alpha: NDArray[np.float32], *, exposure: float) -> NDArray[np.float32]:
    """sRGB-encoded straight colour and alpha: the brightest of the object at ``exposure``, highlights rolled off."""
    # Not by the lit pass's own alpha: that is of few samples and not denoised.
    straight = lit[..., :3] / np.maximum(alpha, _SEEN)[..., None]
    color = _continued(np.asarray(straight, np.float32), alpha > _SEEN)
    bright = float(np.quantile(color[alpha > 0.5], 0.97)) if (alpha > 0.5).any() else 1.0
    color = np.maximum(color / max(bright, 0.05) * exposure, 0)
    color = np.clip(color / (1 + np.maximum(color - 0.8, 0)), 0, 1)
    encoded = np.where(color < 0.0031308, 12.92 * color, 1.055 * color ** (1 / 2.4) - 0.055)
    return np.concatenate([encoded, alpha[..., None]], -1).astype(np.float32)


def _continued(color: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Colours of unknown pixels are the mean of their known neighbours, ring by ring, 16 pixels far."""
    for _ in range(16):
        weights = np.pad(known, 1)[..., None].astype(np.float32)
        colors = np.pad(color, ((1, 1), (1, 1), (0, 0))) * weights
        total, weight = _neighbours(colors), _neighbours(weights)
        color = np.where(known[..., None], color, total / np.maximum(weight, 1))
        known = known | (weight[..., 0] > 0)
    return np.asarray(color, np.float32)


def _neighbours(padded: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of every pixel's 3 x 3 surroundings in a picture that has a border of one pixel."""
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1)).sum((-2, -1)))


def _write(pixels: NDArray[np.float32], path: Path) -> None:
    """As a PNG, whole or not at all."""
    height, width, _ = pixels.shape
    image = bpy.data.images.new("picture", width, height, alpha=True)
    image.alpha_mode = "STRAIGHT"
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    image.filepath_raw, image.file_format = str(temporary), "PNG"
    try:
        image.save()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        bpy.data.images.remove(image)
