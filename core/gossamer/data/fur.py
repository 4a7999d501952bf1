"""Furry and hairy elements."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.elements import Element, body_fields, from_strand_canvas
from gossamer.data.shapes import fill_outlines, inflate, outward_normals, random_body
from gossamer.data.strands import SUPERSAMPLING, StrandStyle, Tuft, draw_strands, grow_strands
from gossamer.data.textures import fractal_noise
from gossamer.image.image import FloatArray

__all__ = ["render_curly", "render_fur", "render_long_hair", "render_spikes", "render_wisps"]


def _roots(rng: np.random.Generator, mask: NDArray[np.uint8], count: int, *, rim: float, depth: float) -> FloatArray:
    """N x 2 random places in a mask; the share ``rim`` of them within ``depth`` pixels of its contour."""
    size = mask.shape[0]
    small = (cv2.resize(mask, (size // 2, size // 2), interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    distance = cv2.distanceTransform(small, cv2.DIST_L2, 3)
    inside = np.flatnonzero(small)
    if len(inside) == 0:
        inside = np.array([small.size // 2])
    edge = np.flatnonzero((distance > 0) & (distance < depth / 2))
    if len(edge) == 0:
        edge = inside
    on_rim = int(count * rim)
    chosen = np.concatenate([rng.choice(edge, on_rim), rng.choice(inside, count - on_rim)])
    rng.shuffle(chosen)
    y, x = np.divmod(chosen, small.shape[1])
    return np.asarray(np.stack([x, y], 1) * 2 + rng.uniform(0, 2, (len(chosen), 2)), np.float32)


def _look_up(field: NDArray[np.floating], points: FloatArray) -> FloatArray:
    """Values of a field (any resolution, covering the whole square of ``size``) at N x 2 places given in its pixels."""
    height, width = field.shape[:2]
    x = np.clip(points[:, 0].astype(int), 0, width - 1)
    y = np.clip(points[:, 1].astype(int), 0, height - 1)
    return np.asarray(field[y, x])


def _directions(
    rng: np.random.Generator, mask: NDArray[np.uint8], roots: FloatArray, *, outward: float, comb: float
) -> FloatArray:
    """Growth directions: outward normals, a common combing direction and a slowly varying whirl, mixed."""
    size = mask.shape[0]
    quarter = np.asarray(roots / 4, np.float32)
    normal = _look_up(outward_normals(mask, blur=rng.uniform(10, 40)), quarter)
    angle = rng.uniform(0, 2 * np.pi)
    common = np.array([np.cos(angle), np.sin(angle)], np.float32)
    cells = rng.uniform(2, 7)
    whirl = np.stack([fractal_noise(rng, size // 4, size // 4, cells=cells) for _ in range(2)], -1)
    swirl = rng.uniform(0.1, 0.7) * _look_up(whirl, quarter)
    return np.asarray(outward * normal + comb * common + swirl, np.float32)


def _strand_shades(rng: np.random.Generator, fields: FloatArray, roots: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shade at the root and its change to the tip: the body's own, a little strand-wise variation, lighter tips."""
    count = len(roots)
    at_root = _look_up(fields, roots)
    jitter = np.stack([rng.normal(0, rng.uniform(0.04, 0.2), count), rng.normal(0, rng.uniform(0.04, 0.3), count)], 1)
    tip = np.stack(
        [
            rng.normal(rng.uniform(-0.03, 0.15), 0.06, count),
            rng.normal(rng.uniform(-0.15, 0.15), 0.06, count),
        ],
        1,
    )
    # Shadow at the roots makes the coat look deep.
    base = at_root + jitter
    base[:, 0] -= rng.uniform(0, 0.15)
    return np.clip(base, 0.02, 1).astype(np.float32), tip.astype(np.float32)


def _compose(mask: NDArray[np.uint8], fields: FloatArray, tufts: list[Tuft], kind: str, *, soft: float = 0) -> Element:
    """Strands over their body, whose edge is blurred by ``soft`` pixels."""
    size = mask.shape[0]
    canvas = np.zeros((size * SUPERSAMPLING, size * SUPERSAMPLING, 3), np.uint8)
    for tuft in tufts:
        draw_strands(canvas, tuft)
    alpha = mask.astype(np.float32) * np.float32(1 / 255)
    if soft > 0:
        # Blurred inwards only: a dense coat has no visible skin outside its own outline.
        alpha = np.asarray(np.clip(2 * cv2.GaussianBlur(alpha, (0, 0), soft) - 1, 0, 1), np.float32)
    alpha = alpha[..., None]
    body = np.concatenate([fields * alpha, alpha], -1)
    return from_strand_canvas(canvas, body, kind)


def render_fur(rng: np.random.Generator, size: int) -> Element:
    """Short to medium fur over a whole body: plush toys, pets, fleece."""
    mask = fill_outlines(random_body(rng, size), size)
    fields = body_fields(rng, mask, inflate(rng, mask))
    length = float(np.exp(rng.uniform(np.log(5), np.log(42))))
    width = float(np.exp(rng.uniform(np.log(0.35), np.log(1.3))))
    count = int(rng.uniform(1500, 4500))
    roots = _roots(rng, mask, count, rim=rng.uniform(0.5, 0.85), depth=max(6.0, 0.9 * length))
    style = StrandStyle(
        length=length,
        length_spread=rng.uniform(0.1, 0.45),
        points=7,
        spread=rng.uniform(0.1, 0.6),
        bend=rng.uniform(0.1, 0.8),
        wander=rng.uniform(0, 0.4),
        pull=(0, float(rng.uniform(-0.1, 0.7))),
        clumps=int(count / rng.uniform(6, 40)) if rng.random() < 0.7 else 0,
        clumping=float(rng.uniform(0.3, 0.95)),
    )
    directions = _directions(rng, mask, roots, outward=rng.uniform(0.6, 1.2), comb=rng.uniform(0, 0.8))
    points = grow_strands(rng, roots, directions, style)
    shade, tip = _strand_shades(rng, fields, roots)
    widths = (width * np.exp(rng.normal(0, 0.25, count))).astype(np.float32)
    tuft = Tuft(points, widths, shade, tip, taper=rng.uniform(0.15, 0.7))
    tufts = [tuft]
    if rng.random() < 0.6:
        tufts.insert(0, _undercoat(rng, mask, fields, length * rng.uniform(0.3, 0.7), int(rng.uniform(600, 2000))))
    if rng.random() < 0.35:
        tufts.append(_flyaways(rng, mask, fields, length * rng.uniform(1.2, 2.5), int(rng.uniform(5, 60))))
    soft = float(rng.uniform(0.3, 0.15 * length + 0.7)) if rng.random() < 0.5 else 0
    return _compose(mask, fields, tufts, "fur", soft=soft)


def _undercoat(
    rng: np.random.Generator, mask: NDArray[np.uint8], fields: FloatArray, length: float, count: int
) -> Tuft:
    """Dense fine down under the longer hair: alpha falls off gradually instead of at once."""
    roots = _roots(rng, mask, count, rim=1.0, depth=max(4.0, 0.5 * length))
    style = StrandStyle(length=length, length_spread=0.5, points=5, spread=rng.uniform(0.3, 0.8), bend=0.6)
    points = grow_strands(rng, roots, _directions(rng, mask, roots, outward=1, comb=rng.uniform(0, 0.5)), style)
    shade, tip = _strand_shades(rng, fields, roots)
    return Tuft(points, np.full(count, rng.uniform(0.3, 0.6), np.float32), shade, tip, taper=0.7)


def _flyaways(rng: np.random.Generator, mask: NDArray[np.uint8], fields: FloatArray, length: float, count: int) -> Tuft:
    """Single thin strands that leave the rest."""
    roots = _roots(rng, mask, count, rim=1.0, depth=8)
    style = StrandStyle(
        length=length,
        length_spread=0.5,
        points=16,
        spread=rng.uniform(0.4, 1.2),
        bend=rng.uniform(0.8, 3.0),
        wander=rng.uniform(0.3, 1.0),
        curl=float(rng.uniform(0, 6)) if rng.random() < 0.3 else 0.0,
        pull=(0, float(rng.uniform(-0.2, 1.0))),
    )
    points = grow_strands(rng, roots, _directions(rng, mask, roots, outward=1, comb=0.3), style)
    shade, tip = _strand_shades(rng, fields, roots)
    widths = rng.uniform(0.3, 0.7, count).astype(np.float32)
    return Tuft(points, widths, shade, tip, taper=0.5)


def render_long_hair(rng: np.random.Generator, size: int) -> Element:
    """A head of long straight or wavy hair with flyaways."""
    mask = fill_outlines(random_body(rng, size), size)
    fields = body_fields(rng, mask, inflate(rng, mask))
    count = int(rng.uniform(1200, 3000))
    length = float(np.exp(rng.uniform(np.log(30), np.log(170))))
    roots = _roots(rng, mask, count, rim=rng.uniform(0.4, 0.9), depth=rng.uniform(10, 60))
    style = StrandStyle(
        length=length,
        length_spread=rng.uniform(0.1, 0.5),
        points=18,
        spread=rng.uniform(0.1, 0.5),
        bend=rng.uniform(0.2, 1.2),
        wander=rng.uniform(0.05, 0.5),
        curl=float(rng.uniform(1, 6)) if rng.random() < 0.4 else 0.0,
        curl_turns=float(rng.uniform(1, 4)),
        pull=(float(rng.normal(0, 0.5)), float(rng.uniform(0, 2.5))),
        clumps=int(count / rng.uniform(15, 90)) if rng.random() < 0.85 else 0,
        clumping=float(rng.uniform(0.5, 0.98)),
    )
    directions = _directions(rng, mask, roots, outward=rng.uniform(0.3, 1), comb=rng.uniform(0.2, 1.5))
    points = grow_strands(rng, roots, directions, style)
    shade, tip = _strand_shades(rng, fields, roots)
    widths = np.exp(rng.normal(np.log(rng.uniform(0.45, 1.5)), 0.25, count)).astype(np.float32)
    tuft = Tuft(points, widths, shade, tip, taper=rng.uniform(0.4, 1.0))
    loose = _flyaways(rng, mask, fields, length * rng.uniform(0.4, 1.0), int(np.exp(rng.uniform(1.5, 4.6))))
    soft = float(rng.uniform(0.5, 6)) if rng.random() < 0.4 else 0
    return _compose(mask, fields, [tuft, loose], "long_hair", soft=soft)


def render_spikes(rng: np.random.Generator, size: int) -> Element:
    """Few thick tapering strands: flower filaments, manes of plush toys, brushes, grass."""
    mask = fill_outlines(random_body(rng, size), size)
    fields = body_fields(rng, mask, inflate(rng, mask))
    count = int(rng.uniform(150, 900))
    roots = _roots(rng, mask, count, rim=rng.uniform(0.5, 1), depth=rng.uniform(8, 40))
    style = StrandStyle(
        length=float(rng.uniform(25, 110)),
        length_spread=rng.uniform(0.15, 0.5),
        points=9,
        spread=rng.uniform(0.1, 0.7),
        bend=rng.uniform(0.1, 1.2),
        wander=rng.uniform(0, 0.6),
        pull=(0, float(rng.uniform(-0.8, 0.8))),
    )
    directions = _directions(rng, mask, roots, outward=1, comb=rng.uniform(0, 1.2))
    points = grow_strands(rng, roots, directions, style)
    shade, tip = _strand_shades(rng, fields, roots)
    widths = (rng.uniform(1.3, 5) * np.exp(rng.normal(0, 0.25, count))).astype(np.float32)
    return _compose(mask, fields, [Tuft(points, widths, shade, tip, taper=rng.uniform(0.1, 0.8))], "spikes")


def render_curly(rng: np.random.Generator, size: int) -> Element:
    """Curls, loops and fuzz: woollen rims, afro hair, poodles."""
    mask = fill_outlines(random_body(rng, size), size)
    fields = body_fields(rng, mask, inflate(rng, mask))
    count = int(rng.uniform(250, 1100))
    radius = float(rng.uniform(2, 12))
    roots = _roots(rng, mask, count, rim=rng.uniform(0.6, 1), depth=rng.uniform(8, 30))
    style = StrandStyle(
        length=float(rng.uniform(12, 70)),
        length_spread=0.4,
        points=26,
        spread=rng.uniform(0.3, 1.2),
        bend=rng.uniform(0.3, 2),
        wander=rng.uniform(0.2, 1.2),
        curl=radius,
        curl_turns=float(rng.uniform(0.7, 4)),
        clumps=int(count / rng.uniform(3, 20)) if rng.random() < 0.5 else 0,
        clumping=float(rng.uniform(0.3, 0.8)),
    )
    points = grow_strands(rng, roots, _directions(rng, mask, roots, outward=1, comb=0.2), style)
    shade, tip = _strand_shades(rng, fields, roots)
    widths = (rng.uniform(0.35, 1.2) * np.exp(rng.normal(0, 0.25, count))).astype(np.float32)
    return _compose(mask, fields, [Tuft(points, widths, shade, tip, taper=rng.uniform(0.5, 1))], "curly")


def render_wisps(rng: np.random.Generator, size: int) -> Element:
    """Strands without a solid body: locks, tassels, whiskers, threads, a hair ball seen through."""
    center = size * (0.5 + rng.uniform(-0.2, 0.2, 2))
    count = int(np.exp(rng.uniform(np.log(30), np.log(900))))
    mask = np.zeros((size, size), np.uint8)
    radial = rng.random() < 0.4
    spot = size * rng.uniform(0.02, 0.3)
    cv2.circle(mask, (int(center[0]), int(center[1])), max(4, int(spot)), 255, -1)
    fields = body_fields(rng, mask, inflate(rng, mask))
    roots = (center + rng.normal(0, 0.5 * spot, (count, 2))).astype(np.float32)
    if radial:
        directions = roots - center + rng.normal(0, 1e-3, roots.shape)
    else:
        angle = rng.uniform(0, 2 * np.pi)
        directions = np.tile([np.cos(angle), np.sin(angle)], (count, 1))
    style = StrandStyle(
        length=float(rng.uniform(0.15, 0.6) * size),
        length_spread=rng.uniform(0.1, 0.5),
        points=20,
        spread=rng.uniform(0.05, 0.6),
        bend=rng.uniform(0.2, 2.5),
        wander=rng.uniform(0.1, 1),
        curl=float(rng.uniform(1, 14)) if rng.random() < 0.4 else 0.0,
        curl_turns=float(rng.uniform(1, 5)),
        clumps=int(count / rng.uniform(5, 40)) if rng.random() < 0.6 else 0,
        clumping=float(rng.uniform(0.3, 0.95)),
    )
    points = grow_strands(rng, roots, directions, style)
    shade, tip = _strand_shades(rng, fields, roots)
    widths = np.exp(rng.normal(np.log(rng.uniform(0.4, 1.8)), 0.3, count)).astype(np.float32)
    body = mask if rng.random() < 0.3 else np.zeros_like(mask)
    return _compose(body, fields, [Tuft(points, widths, shade, tip, taper=rng.uniform(0.3, 1))], "wisps")
