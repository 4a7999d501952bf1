"""Meshes with things behind them: flat ones, and round vessels with a pierced wall (baskets, colanders, cages)."""

from __future__ import annotations

import cv2
import numpy as np

from gossamer.data.elements import Element, fill_outside, from_fields, over_fields
from gossamer.data.shapes import fill_outlines, inflate, random_body, random_thing
from gossamer.data.surfaces import draw_net
from gossamer.data.textures import fractal_noise
from gossamer.image.image import FloatArray

__all__ = ["render_basket", "render_vessel"]

_FINE = 3
"""Samples of the wall per pixel and direction: holes get narrower than a pixel towards the sides."""


def _frame(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray, float]:
    """Where every fine sample lies on an upright or lying cylinder: across -1..1 (tapering), along in pixels, and the
    radius in pixels."""
    angle = rng.normal(0, 0.25) + (np.pi / 2 if rng.random() < 0.3 else 0)
    radius = size * rng.uniform(0.15, 0.45)
    middle = size * rng.uniform(0.4, 0.6, 2)
    y, x = np.mgrid[0 : size * _FINE, 0 : size * _FINE].astype(np.float32) / _FINE
    x, y = x - np.float32(middle[0]), y - np.float32(middle[1])
    across = np.cos(angle) * x + np.sin(angle) * y
    along = np.cos(angle) * y - np.sin(angle) * x
    taper = np.clip(1 - rng.uniform(-0.1, 0.35) * along / size, 0.3, 2)
    return np.asarray(across / (radius * taper), np.float32), np.asarray(along, np.float32), radius


def _pattern(kind: int, u: FloatArray, v: FloatArray) -> FloatArray:
    """Height of a wall of period 1: positive in the holes' middles, about -1..1."""
    turn = np.float32(2 * np.pi)
    if kind == 0:  # round holes in a hexagonal order
        rows = v * np.float32(1.1547)
        waves = np.cos(turn * rows) + np.cos(turn * (u + rows / 2)) + np.cos(turn * (u - rows / 2))
        return np.asarray(waves / np.float32(3) * np.float32(1.5) - np.float32(0.25), np.float32)
    if kind == 1:  # expanded metal: diamonds
        u, v = (u + v) / np.float32(2), (u - v) / np.float32(2)
    edge = np.maximum(np.abs(u % 1 - np.float32(0.5)), np.abs(v % 1 - np.float32(0.5)))
    return np.asarray(np.float32(1) - np.float32(4) * edge, np.float32)


def _walls(
    rng: np.random.Generator, across: FloatArray, along: FloatArray, radius: float, *, sides: int
) -> tuple[list[FloatArray], FloatArray]:
    """The walls of one vessel, front first, each S x S x 3 premultiplied light, mix, alpha; and the outline S x S.

    Args:
        rng: source of randomness.
        across: from :func:`_frame`, on the fine grid.
        along: the same, in pixels.
        radius: of the cylinder, in pixels.
        sides: 1 for the front wall alone, 2 for the rear one as well.
    """
    size = across.shape[0] // _FINE
    inside = np.abs(across) <= 1
    theta = np.arcsin(across.clip(-1, 1))
    low, high = size * np.sort(rng.uniform(-0.5, 0.5, 2)) if rng.random() < 0.5 else (-size, size)
    high = max(high, low + 0.4 * size)
    # The mouth is seen from above: its edge is half an ellipse.
    mouth = low + size * rng.uniform(0, 0.08) * np.sqrt(np.clip(1 - across * across, 0, 1))
    body = inside & (along > mouth) & (along < high)
    kind, stretch = int(rng.integers(3)), rng.uniform(0.6, 1.6)
    period = float(np.exp(rng.uniform(np.log(7), np.log(26))))  # pixels, in the middle of the wall
    level = rng.uniform(-0.8, 0.25)
    rim = size * rng.uniform(0.01, 0.04) if rng.random() < 0.6 else 0.0
    steep = 2 * period  # the height changes by 4 a period: edges are narrower than a fine sample
    lamp = rng.uniform(-1.2, 1.2)
    lobe = np.exp(-np.square((theta - lamp) / rng.uniform(0.2, 0.9))) + 0.3 * rng.random() * np.cos(theta)
    shade = rng.uniform(0.2, 1.0) * (lobe - rng.uniform(0.3, 0.6))
    relief = rng.uniform(0, 0.45)
    walls = []
    for rear in (False, True)[:sides]:
        shift = rng.random(2)
        turned = (-theta if rear else theta) * np.float32(radius / period) + np.float32(shift[0])
        height = _pattern(kind, turned, along * np.float32(stretch / period) + np.float32(shift[1]))
        metal = np.clip((np.float32(level) - height) * np.float32(steep) + np.float32(0.5), 0, 1)
        if rim:
            metal = np.maximum(metal, (along < mouth + rim) | (along > high - rim))
        alpha = metal * body
        # Wires are round: one flank looks at the lamp, the other away from it.
        wire = height.clip(level - 1, level)
        slope = cv2.Sobel(wire, -1, 1, 0) + cv2.Sobel(wire, -1, 0, 1)
        light = np.float32(0.5) + (-0.4 if rear else 1) * shade + np.float32(relief * period / 16) * slope
        light = light - np.float32(rng.uniform(0.1, 0.4) if rear else 0)
        stacked = np.stack([light.clip(0, 1) * alpha, np.float32(0.5) * alpha, alpha], -1).astype(np.float32)
        walls.append(np.asarray(cv2.resize(stacked, (size, size), interpolation=cv2.INTER_AREA), np.float32))
    outline = cv2.resize(body.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return walls, np.asarray(outline, np.float32)


def _things(rng: np.random.Generator, size: int, count: int, inside: FloatArray | None = None) -> FloatArray:
    """Bodies and rods over each other, S x S x 3 premultiplied; rods pass through the region ``inside`` (S x S)."""
    places = np.flatnonzero(inside > 0.5) if inside is not None else np.zeros(0, np.intp)
    things = np.zeros((size, size, 3), np.float32)
    for _ in range(count):
        middle = np.array(np.divmod(int(rng.choice(places)), size)[::-1], np.float64) if len(places) else None
        mask = fill_outlines(random_thing(rng, size, middle), size)
        cover = mask.astype(np.float32) * np.float32(1 / 255)
        light = inflate(rng, mask) if rng.random() < 0.7 else np.full_like(cover, 0.5)
        mix = np.clip(rng.random() + 0.03 * fractal_noise(rng, size, size, cells=8), 0, 1)
        things = over_fields(np.stack([light * cover, mix * cover, cover], -1), things)
    return things


def render_basket(rng: np.random.Generator, size: int) -> Element:
    """A mesh with things of other colours behind it, all of it foreground; only what shows between them is not."""
    net = cv2.resize(draw_net(rng, size), (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    net *= np.float32(1 / 255)
    region = fill_outlines(random_body(rng, size) + random_body(rng, size), size)
    # Wire glitters: its light changes from knot to knot.
    glitter = 0.15 * fractal_noise(rng, size, size, cells=size / rng.uniform(4, 20))
    net[..., 0] = np.clip(net[..., 0] + net[..., 2] * (glitter + 0.4 * (inflate(rng, region) - 0.5)), 0, net[..., 2])
    net *= (region.astype(np.float32) * np.float32(1 / 255))[..., None]
    return _finish(over_fields(net, _things(rng, size, int(rng.integers(1, 5)))), "basket")


def render_vessel(rng: np.random.Generator, size: int) -> Element:
    """A basket, colander or cage of wire or pierced sheet: front wall, things in it, rear wall; all of it foreground.

    Holes get narrow towards the sides of the round wall, wires are lit on one flank, and metal goes from black to
    white: a dark wire beside a hole before a dark background is the rule.
    """
    across, along, radius = _frame(rng, size)
    (front, *rear), outline = _walls(rng, across, along, radius, sides=int(rng.integers(1, 3)))
    fields = _things(rng, size, int(rng.integers(0, 4)), outline)
    for wall in rear:
        fields = over_fields(fields, wall)
    return _finish(over_fields(front, fields), "vessel")


def _finish(fields: FloatArray, kind: str) -> Element:
    straight = fill_outside(np.ascontiguousarray(fields[..., :2]), np.ascontiguousarray(fields[..., 2]))
    return from_fields(straight[..., 0], straight[..., 1], fields[..., 2], kind)
