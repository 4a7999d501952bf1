"""Leaves, flowers, dandelions and feathers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.elements import Element, from_strand_canvas
from gossamer.data.strands import SUPERSAMPLING, StrandStyle, Tuft, draw_strands, grow_strands
from gossamer.image.image import FloatArray

__all__ = ["render_dandelion", "render_feather", "render_flower", "render_foliage", "render_yarn"]

_SHIFT = 4


def _canvas(size: int) -> NDArray[np.uint8]:
    return np.zeros((size * SUPERSAMPLING, size * SUPERSAMPLING, 3), np.uint8)


def _fill(canvas: NDArray[np.uint8], outline: FloatArray, light: float, mix: float) -> None:
    """One polygon in element pixels over the canvas."""
    fine = np.round((outline * SUPERSAMPLING + (SUPERSAMPLING - 1) / 2) * 2**_SHIFT).astype(np.int32)
    color = (float(np.clip(light, 0, 1)) * 255, float(np.clip(mix, 0, 1)) * 255, 255.0)
    cv2.fillPoly(canvas, [fine], color, cv2.LINE_AA, _SHIFT)


def _leaf(rng: np.random.Generator, root: FloatArray, angle: float, length: float, width: float) -> list[FloatArray]:
    """Two halves of a leaf with a bent midrib, so that they can be lit differently."""
    t = np.linspace(0, 1, 14)
    turn = angle + rng.normal(0, 0.5) * (t - 0.3)
    step = length / (len(t) - 1)
    spine = root + np.concatenate(
        [np.zeros((1, 2)), np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1)[:-1] * step, axis=0)]
    )
    profile = (t ** rng.uniform(0.4, 0.9)) * (1 - t) ** rng.uniform(0.5, 1.0)
    half = width / 2 * profile / profile.max()
    normal = np.stack([-np.sin(turn), np.cos(turn)], 1)
    left, right = rng.uniform(0.3, 1, 2)
    return [
        np.concatenate([spine, (spine + left * half[:, None] * normal)[::-1]]).astype(np.float32),
        np.concatenate([spine, (spine - right * half[:, None] * normal)[::-1]]).astype(np.float32),
    ]


def render_foliage(rng: np.random.Generator, size: int) -> Element:
    """Branches with leaves and the holes between them: bamboo, bushes, ferns, fir twigs."""
    canvas = _canvas(size)
    side = rng.uniform(0, 2 * np.pi)
    origin = size * (0.5 + 0.45 * np.array([np.cos(side), np.sin(side)]))
    length = float(np.exp(rng.uniform(np.log(12), np.log(90))))
    slim = rng.uniform(0.08, 0.6)
    depth_shade = rng.uniform(0.05, 0.3)
    branches = int(rng.integers(3, 14))
    for branch in range(branches):
        heading = side + np.pi + rng.normal(0, 0.7)
        reach = size * rng.uniform(0.3, 0.95)
        style = StrandStyle(length=reach, length_spread=0, points=16, spread=0, bend=0.7, wander=0.3)
        start = origin + rng.normal(0, 0.12 * size, 2)
        spine = grow_strands(rng, start[None], np.array([[np.cos(heading), np.sin(heading)]]), style)
        back = depth_shade * (branch / branches - 0.5)
        stem = Tuft(
            spine, np.array([rng.uniform(0.8, 5)], np.float32), np.array([[0.4 + back, 0.9]], np.float32),
            np.zeros((1, 2), np.float32), taper=0.3,
        )  # fmt: skip
        draw_strands(canvas, stem)
        for _ in range(int(rng.uniform(1.2, 4.5) * reach / length)):
            place = rng.uniform(0.1, 1) * (len(spine[0]) - 1)
            index = int(place)
            root = spine[0, index]
            ahead = spine[0, min(index + 1, len(spine[0]) - 1)] - spine[0, max(index - 1, 0)]
            angle = np.arctan2(ahead[1], ahead[0]) + rng.choice([-1, 1]) * abs(rng.normal(0.6, 0.4))
            size_here = length * np.exp(rng.normal(0, 0.3))
            light, mix = 0.5 + back + rng.normal(0, 0.1), rng.normal(0.35, 0.13)
            for half in _leaf(rng, root, angle, size_here, size_here * slim * np.exp(rng.normal(0, 0.2))):
                _fill(canvas, half, light + rng.normal(0, 0.07), mix)
    return from_strand_canvas(canvas, None, "foliage")


def render_flower(rng: np.random.Generator, size: int) -> Element:
    """Petals around a centre, in layers; sharp edges with narrow gaps."""
    canvas = _canvas(size)
    center = size * (0.5 + rng.uniform(-0.2, 0.2, 2))
    count = int(rng.integers(5, 30))
    length = size * rng.uniform(0.18, 0.45)
    for layer in range(int(rng.integers(1, 4))):
        turn = rng.uniform(0, 6.3)
        for petal in range(count):
            angle = turn + 2 * np.pi * petal / count + rng.normal(0, 0.08)
            reach = length * (1 - 0.2 * layer) * np.exp(rng.normal(0, 0.08))
            width = reach * 2 * np.pi / count * rng.uniform(0.6, 1.3)
            light = 0.45 + 0.1 * layer + rng.normal(0, 0.07)
            for half in _leaf(rng, center.astype(np.float32), angle, reach, width):
                _fill(canvas, half, light + rng.normal(0, 0.04), rng.normal(0.4, 0.08))
    ring = np.linspace(0, 2 * np.pi, 40)
    disc = center + length * rng.uniform(0.15, 0.4) * np.stack([np.cos(ring), np.sin(ring)], 1)
    _fill(canvas, disc.astype(np.float32), 0.4, 0.95)
    return from_strand_canvas(canvas, None, "flower")


def render_dandelion(rng: np.random.Generator, size: int) -> Element:
    """Radial stalks that end in little tufts: dandelion, thistle, seed heads; sometimes several."""
    canvas = _canvas(size)
    for _ in range(int(rng.integers(1, 4))):
        center = size * (0.5 + rng.uniform(-0.28, 0.28, 2))
        radius = size * rng.uniform(0.1, 0.32)
        count = int(rng.integers(25, 160))
        # Directions on a sphere seen from the front.
        height = rng.uniform(-1, 1, count)
        around = rng.uniform(0, 2 * np.pi, count)
        flat = np.sqrt(1 - height**2)[:, None] * np.stack([np.cos(around), np.sin(around)], 1)
        order = np.argsort(height)
        flat, height = flat[order], height[order]
        tips = center + radius * flat * np.exp(rng.normal(0, 0.05, (count, 1)))
        t = np.linspace(0, 1, 5)[None, :, None]
        stalks = center + (tips - center)[:, None] * t
        shade = np.stack([0.45 + 0.15 * height, np.full(count, 0.6)], 1).astype(np.float32)
        still = np.zeros((count, 2), np.float32)
        widths = np.full(count, rng.uniform(0.35, 0.9), np.float32)
        draw_strands(canvas, Tuft(stalks.astype(np.float32), widths, shade, still, taper=0.8))
        hairs = int(rng.integers(5, 18))
        roots = np.repeat(tips, hairs, 0)
        outward = np.repeat(flat, hairs, 0) + 1e-3
        style = StrandStyle(
            length=radius * rng.uniform(0.12, 0.35),
            length_spread=0.15,
            points=5,
            spread=rng.uniform(0.5, 1.1),
            bend=0.3,
        )
        tuft = grow_strands(rng, roots, outward, style)
        light = np.repeat(shade, hairs, 0) + rng.normal(0, 0.05, (len(roots), 2))
        thin = np.full(len(roots), rng.uniform(0.3, 0.55), np.float32)
        zero = np.zeros((len(roots), 2), np.float32)
        draw_strands(canvas, Tuft(tuft, thin, np.clip(light + 0.1, 0, 1).astype(np.float32), zero))
        ring = np.linspace(0, 2 * np.pi, 30)
        disc = center + radius * 0.12 * np.stack([np.cos(ring), np.sin(ring)], 1)
        _fill(canvas, disc.astype(np.float32), 0.35, 0.9)
    return from_strand_canvas(canvas, None, "dandelion")


def render_feather(rng: np.random.Generator, size: int) -> Element:
    """One to four feathers: a quill with dense barbs, split and downy near the root."""
    canvas = _canvas(size)
    for _ in range(int(rng.integers(1, 5))):
        angle = rng.uniform(0, 2 * np.pi)
        forward = np.array([[np.cos(angle), np.sin(angle)]])
        start = size * (0.5 + rng.uniform(-0.15, 0.15, (1, 2))) - forward * size * 0.3
        style = StrandStyle(length=size * rng.uniform(0.5, 0.8), length_spread=0.1, points=60, spread=0, bend=0.5)
        quill = grow_strands(rng, start, forward, style)[0]
        count = int(rng.integers(150, 420))
        t = np.sort(rng.uniform(0.12, 1, count))
        index = np.minimum((t * 59).astype(int), 58)
        tangent = quill[index + 1] - quill[index]
        for side in (-1, 1):
            lean = rng.uniform(0.5, 1.2)
            normal = side * np.stack([-tangent[:, 1], tangent[:, 0]], 1)
            # Neighbouring barbs cling together; the vane splits where their common lean jumps.
            splits = np.cumsum(rng.random(count) < 0.02)
            split_lean = rng.normal(0, 0.18, int(splits.max()) + 1)[splits]
            directions = normal + (lean + split_lean)[:, None] * tangent
            reach = size * rng.uniform(0.06, 0.16) * np.sqrt(np.clip(np.sin(np.pi * t**0.8), 0.05, 1))
            barb = StrandStyle(length=1.0, length_spread=0.06, points=7, spread=0.03, bend=0.25, wander=0.05)
            points = grow_strands(rng, np.zeros((count, 2)), directions, barb)
            points = points * reach[:, None, None].astype(np.float32) + quill[index][:, None]
            shade = np.stack([0.5 + 0.1 * side + rng.normal(0, 0.04, count), 0.5 + 0.3 * np.sin(9 * t)], 1)
            widths = np.full(count, rng.uniform(0.6, 1.6), np.float32)
            tips = np.zeros((count, 2), np.float32)
            draw_strands(canvas, Tuft(points, widths, np.clip(shade, 0, 1).astype(np.float32), tips, taper=0.5))
        stem = Tuft(
            quill[None], np.array([rng.uniform(1.5, 4)], np.float32), np.array([[0.7, 0.5]], np.float32),
            np.zeros((1, 2), np.float32), taper=0.2,
        )  # fmt: skip
        draw_strands(canvas, stem)
    return from_strand_canvas(canvas, None, "feather")


def render_yarn(rng: np.random.Generator, size: int) -> Element:
    """Thick twisted threads side by side with their fuzz: fringes, mops, knitwear edges, ropes."""
    canvas = _canvas(size)
    count = int(rng.integers(4, 40))
    width = float(rng.uniform(4, 20))
    angle = rng.uniform(0, 2 * np.pi)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    offset = rng.uniform(-0.45, 0.45, (count, 1)) * size
    roots = size * 0.5 + offset * across - along * size * rng.uniform(0.4, 0.7)
    style = StrandStyle(
        length=size * rng.uniform(0.6, 1.2), length_spread=0.15, points=40, spread=0.08, bend=0.3,
        wander=rng.uniform(0.2, 0.9),
    )  # fmt: skip
    threads = grow_strands(rng, roots, np.tile(along, (count, 1)), style)
    fuzzy = rng.random() < 0.7
    for thread in threads:
        shade = np.array([[rng.normal(0.45, 0.08), rng.uniform(0, 1)]], np.float32).clip(0.05, 1)
        zero = np.zeros((1, 2), np.float32)
        here = width * np.exp(rng.normal(0, 0.15))
        draw_strands(canvas, Tuft(thread[None], np.array([here], np.float32), shade, zero, taper=1))
        tangent = np.gradient(thread, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-6
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
        # The twist: short slanted strokes, alternately lighter and darker.
        fine = np.linspace(0, len(thread) - 1, int(rng.uniform(60, 140)))
        index = fine.astype(int)
        middle = thread[index] + (fine - index)[:, None] * (
            thread[np.minimum(index + 1, len(thread) - 1)] - thread[index]
        )
        slant = normal[index] * 0.4 * here + tangent[index] * 0.35 * here
        strokes = np.stack([middle - slant, middle, middle + slant], 1).astype(np.float32)
        tone = shade + np.stack([0.1 * (-1.0) ** np.arange(len(fine)), np.zeros(len(fine))], 1)
        still = np.zeros((len(fine), 2), np.float32)
        stroke_width = np.full(len(fine), 0.22 * here, np.float32)
        draw_strands(canvas, Tuft(strokes, stroke_width, np.clip(tone, 0, 1).astype(np.float32), still, taper=1))
        if fuzzy:
            hairs = int(rng.uniform(20, 120))
            pick = rng.integers(0, len(thread), hairs)
            sign = rng.choice([-1.0, 1.0], (hairs, 1))
            fuzz_style = StrandStyle(
                length=here * rng.uniform(0.3, 1.2), length_spread=0.4, points=8, spread=0.8, bend=1.5
            )
            fuzz = grow_strands(rng, thread[pick] + sign * normal[pick] * 0.45 * here, sign * normal[pick], fuzz_style)
            colors = np.repeat(shade, hairs, 0)
            draw_strands(
                canvas, Tuft(fuzz, np.full(hairs, 0.4, np.float32), colors, np.full((hairs, 2), 0.05, np.float32))
            )
    return from_strand_canvas(canvas, None, "yarn")
