# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth random fields of space, colours that follow them, and strands that grow from a surface. No Blender here."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Growth", "Noise", "directions", "grow", "random_albedo", "random_tint", "taper", "unit"]

Array = NDArray[np.float64]
Tint = Callable[[Array], Array]
"""Albedo, linear RGB, N x 3, of N points."""

_NATURAL = (
    (0.02, 0.015, 0.012), (0.1, 0.05, 0.025), (0.3, 0.17, 0.07), (0.6, 0.45, 0.25), (0.75, 0.7, 0.6),
    (0.2, 0.2, 0.2), (0.4, 0.12, 0.04), (0.05, 0.12, 0.03), (0.12, 0.25, 0.06), (0.5, 0.5, 0.48),
)  # fmt: skip
"""Hair from black to blond, greys, rust, leaves."""


def unit(vectors: Array) -> Array:
    """Vectors of length 1; zeros stay."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def directions(rng: np.random.Generator, count: int) -> Array:
    """Points of the unit sphere, N x 3, evenly distributed."""
    return unit(rng.normal(size=(count, 3)))


class Noise:
    """A sum of sines: one smooth value for each point, mostly within -2..2."""

    def __init__(self, rng: np.random.Generator, frequency: float, *, octaves: int = 3, waves: int = 10) -> None:
        self._waves = [
            (rng.normal(size=(waves, 3)) * frequency * 2**octave, rng.uniform(0, 2 * np.pi, waves), 0.6**octave)
            for octave in range(octaves)
        ]

    def __call__(self, points: Array) -> Array:
        total = np.zeros(points.shape[:-1])
        for waves, phase, height in self._waves:
            total += height * np.sin(points @ waves.T + phase).sum(-1) / np.sqrt(len(phase) / 2)
        return total / 1.4


def random_albedo(rng: np.random.Generator) -> Array:
    """Mostly a natural colour, varied; one time in three a vivid one."""
    if rng.random() < 0.35:
        return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.2, 0.9)))
    base = np.array(_NATURAL[rng.integers(len(_NATURAL))])
    return np.asarray(np.clip(base * np.exp(rng.normal(0, 0.12, 3)) * np.exp(rng.normal(0, 0.3)), 0.005, 0.9))


def random_tint(rng: np.random.Generator, further: int | None = None) -> Tint:
    """Two or more colours in patches with soft or hard borders; ``further``: how many beside the first."""
    colors = [random_albedo(rng)]
    for _ in range(int(rng.integers(1, 4)) if further is None else further):
        like_the_first = colors[0] * np.exp(rng.normal(0, 0.2, 3) + rng.normal(0, 0.4))
        colors.append(random_albedo(rng) if rng.random() < 0.5 else np.clip(like_the_first, 0.005, 0.9))
    patches = [
        (color, Noise(rng, rng.uniform(0.8, 5)), rng.uniform(-0.5, 0.8), np.exp(rng.uniform(0.3, 3)))
        for color in colors[1:]
    ]
    grain = Noise(rng, 8)

    def tint(points: Array) -> Array:
        result = np.broadcast_to(colors[0], points.shape)
        for color, field, level, hardness in patches:
            share = 1 / (1 + np.exp(-(field(points) - level) * hardness))
            result = result * (1 - share[..., None]) + color * share[..., None]
        return np.asarray(np.clip(result * np.exp(0.1 * grain(points))[..., None], 0.003, 0.95))

    return tint


@dataclass(frozen=True)
class Growth:
    """How strands leave their roots."""

    wildness: float = 0.5
    """How much they depart from the surface's normal, and bend on their way."""
    gravity: float = 0.0
    """How much they fall, downwards being -z."""
    curls: float = 0.0
    """Turns of a helix along the strand."""
    clumping: float = 0.0
    """0..1: how far tips move to that of a neighbour."""


def grow(rng: np.random.Generator, roots: Array, normals: Array, lengths: Array, points: int, growth: Growth) -> Array:
    """Strands, N x ``points`` x 3, from N roots with their normals."""
    count, step = len(roots), lengths[:, None] / (points - 1)
    flow = np.stack([Noise(rng, rng.uniform(1, 4))(roots) for _ in range(3)], -1)
    bend = [Noise(rng, rng.uniform(3, 12)) for _ in range(3)]
    wild = growth.wildness
    heading = unit(normals + wild * flow + 0.5 * wild * rng.normal(size=(count, 3)))
    across = unit(np.cross(heading, rng.normal(size=(count, 3))))
    other = np.cross(heading, across)
    path = [roots]
    for _ in range(points - 1):
        turn = np.stack([noise(path[-1]) for noise in bend], -1)
        heading = unit(heading + step * (wild * turn + 3 * growth.gravity * np.array([0, 0, -1.0])))
        path.append(path[-1] + heading * step)
    strands, along = np.stack(path, 1), np.linspace(0, 1, points)[None]
    if growth.curls > 0:
        turns = growth.curls * rng.uniform(0.6, 1.4, count)[:, None] * along
        angle = 2 * np.pi * (turns + rng.random(count)[:, None])
        helix = np.cos(angle)[..., None] * across[:, None] + np.sin(angle)[..., None] * other[:, None]
        strands = strands + rng.uniform(0.01, 0.05) * np.minimum(along * 4, 1)[..., None] * helix
    if growth.clumping > 0:
        leaders = rng.choice(count, max(min(count, 20), count // int(rng.integers(8, 40))), replace=False)
        nearest = leaders[_nearest(roots[leaders], roots)]
        pull = growth.clumping * along ** rng.uniform(0.7, 2) * rng.uniform(0.5, 1, count)[:, None]
        strands = strands + (strands[nearest] - strands) * pull[..., None]
    return np.asarray(strands)


def taper(rng: np.random.Generator, count: int, points: int, root: float, tip: float) -> Array:
    """Radii, ``count`` x ``points``, from root to tip, no two strands alike."""
    shape = root + (tip - root) * np.linspace(0, 1, points) ** 1.5
    return np.asarray(shape[None] * rng.uniform(0.7, 1.3, count)[:, None])


def _nearest(among: Array, points: Array) -> NDArray[Any]:
    """For each point the number of the nearest one of ``among``."""
    found = []
    for some in np.array_split(points, max(1, len(points) * len(among) // 2_000_000)):
        # Squared distances without the points' own squares, which are the same for every candidate.
        found.append(np.argmin((among**2).sum(-1)[None] - 2 * some @ among.T, axis=1))
    return np.concatenate(found)
