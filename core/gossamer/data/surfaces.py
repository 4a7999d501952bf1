"""Elements without strands: solids, nets and lace, smoke, glass, plastic."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.elements import Element, body_fields, fill_outside, from_fields, from_strand_canvas
from gossamer.data.shapes import fill_outlines, inflate, random_body
from gossamer.data.strands import SUPERSAMPLING, Tuft, draw_strands
from gossamer.data.textures import fractal_noise
from gossamer.image.image import FloatArray

__all__ = [
    "draw_net",
    "render_glass",
    "render_lace",
    "render_net",
    "render_plastic",
    "render_smoke",
    "render_solid",
    "soften",
]


def render_solid(rng: np.random.Generator, size: int) -> Element:
    """A solid body, sharp or out of focus; its fields stay smooth across the soft edge."""
    outlines = random_body(rng, size)
    if rng.random() < 0.3:
        outlines += random_body(rng, size)
    mask = fill_outlines(outlines, size)
    fields = body_fields(rng, mask, inflate(rng, mask))
    alpha = mask.astype(np.float32) * np.float32(1 / 255)
    if rng.random() < 0.3:
        alpha = _defocus(alpha, float(np.exp(rng.uniform(0.5, 3.4))))
    elif rng.random() < 0.3:
        # A ragged edge: torn paper, bark, felt.
        ragged = fractal_noise(rng, size, size, cells=size / rng.uniform(5, 25), octaves=3)
        soft = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(2, 6)) - 0.5 + np.float32(0.12) * ragged
        alpha = np.asarray(np.clip(soft * np.float32(rng.uniform(3, 10)) + 0.5, 0, 1), np.float32)
    return from_fields(fields[..., 0], fields[..., 1], alpha, "solid")


def _defocus(alpha: FloatArray, radius: float) -> FloatArray:
    """Blur by a disc of a radius in pixels, as a lens out of focus does."""
    side = int(np.ceil(radius)) * 2 + 3
    y, x = np.mgrid[0:side, 0:side] - side // 2
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(alpha, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.float32)


def _warped_grid(rng: np.random.Generator, size: int, count: int, points: int) -> FloatArray:
    """Two families of lines over the square, bent by perspective and smooth noise: 2 x count x points x 2."""
    u, v = np.meshgrid(np.linspace(-0.15, 1.15, points), np.linspace(-0.15, 1.15, count))
    families = np.stack([np.stack([u, v], -1), np.stack([v, u], -1)])
    angle = rng.uniform(0, np.pi)
    shear = rng.uniform(-0.6, 0.6)
    matrix = np.array([[np.cos(angle), -np.sin(angle) + shear], [np.sin(angle), np.cos(angle)]])
    place = (families - 0.5) @ matrix.T
    perspective = 1 + place @ rng.normal(0, 0.35, 2)
    place = place / np.clip(perspective, 0.4, 3)[..., None] + 0.5
    bend = np.stack([fractal_noise(rng, 64, 64, cells=rng.uniform(1.5, 4)) for _ in range(2)], -1)
    index = np.clip((place * 63).astype(int), 0, 63)
    place = place + rng.uniform(0, 0.05) * bend[index[..., 1], index[..., 0]]
    return np.asarray(place * size, np.float32)


def draw_net(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """A mesh all over the square: the canvas of ``draw_strands``."""
    canvas = np.zeros((size * SUPERSAMPLING, size * SUPERSAMPLING, 3), np.uint8)
    cell = float(np.exp(rng.uniform(np.log(6), np.log(36))))
    count = int(np.clip(1.3 * size / cell, 8, 130))
    families = _warped_grid(rng, size, count, 24)
    width = cell * rng.uniform(0.08, 0.4)
    for family in families:
        thickness = np.full(count, max(0.35, width), np.float32) * np.float32(np.exp(rng.normal(0, 0.1)))
        shade = np.stack([rng.normal(0.5, 0.05, count), rng.normal(0.5, 0.1, count)], 1).clip(0, 1).astype(np.float32)
        draw_strands(canvas, Tuft(family, thickness, shade, np.zeros((count, 2), np.float32), taper=1))
    return canvas


def render_net(rng: np.random.Generator, size: int) -> Element:
    """Mesh, net, fence, window screen, open weave, sometimes with a solid part and only inside a shape."""
    element = from_strand_canvas(draw_net(rng, size), None, "net")
    fields = element.layers.astype(np.float32) * np.float32(1 / 255)
    alpha = fields[..., 2]
    region = fill_outlines(random_body(rng, size), size).astype(np.float32) * np.float32(1 / 255)
    choice = rng.random()
    if choice < 0.45:
        alpha = alpha * region
    elif choice < 0.8:
        solid = fill_outlines(random_body(rng, size), size).astype(np.float32) * np.float32(1 / 255)
        alpha = np.maximum(alpha * region, solid)
    light = fields[..., 0] * 0.7 + 0.3 * inflate(rng, (region * 255).astype(np.uint8))
    return from_fields(light, fields[..., 1], alpha, "net")


def render_lace(rng: np.random.Generator, size: int) -> Element:
    """Cloth with many holes of a repeated or irregular form, scalloped at its border."""
    mask = fill_outlines(random_body(rng, size), size)
    alpha = mask.astype(np.float32) / 255
    period = rng.uniform(10, 45)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    warp = [rng.uniform(0, 0.35) * period * fractal_noise(rng, size, size, cells=4) for _ in range(2)]
    k = np.float32(2 * np.pi / period)
    u, v = (x + warp[0]) * k, (y + warp[1]) * k
    if rng.random() < 0.6:
        pattern = np.cos(u) + np.cos(0.5 * u + 0.866 * v) + np.cos(-0.5 * u + 0.866 * v)
        pattern = pattern + rng.uniform(-0.8, 0.8) * np.cos(2 * u) * np.cos(2 * v)
    else:
        pattern = 1.5 * fractal_noise(rng, size, size, cells=size / (0.6 * period), octaves=2)
    steep = rng.uniform(2, 6) * period / 20
    cloth = np.clip((rng.uniform(0.2, 1.6) - pattern) * steep * 0.5 + 0.5, 0, 1)
    sheer = rng.uniform(0, 0.35) if rng.random() < 0.4 else 0.0
    hidden = cv2.GaussianBlur(fractal_noise(rng, size, size, cells=3), (0, 0), 3) > rng.uniform(-1, 2)
    cloth = np.maximum(cloth, hidden.astype(np.float32) * (rng.random() < 0.4))
    fields = body_fields(rng, mask, inflate(rng, mask))
    light = np.clip(fields[..., 0] + 0.05 * np.cos(2 * u) * np.cos(2 * v), 0, 1)
    return from_fields(light, fields[..., 1], alpha * np.maximum(cloth, sheer), "lace")


def render_smoke(rng: np.random.Generator, size: int) -> Element:
    """Smoke, mist, steam, wisps of cotton: warped noise under a soft envelope."""
    density = fractal_noise(rng, size, size, cells=rng.uniform(3, 8), octaves=5, persistence=rng.uniform(0.45, 0.65))
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    strength = size * rng.uniform(0.02, 0.1)
    flow = [x + strength * fractal_noise(rng, size, size, cells=3, octaves=2) for _ in range(1)]
    flow.append(y + strength * fractal_noise(rng, size, size, cells=3, octaves=2))
    density = np.asarray(
        cv2.remap(density, flow[0], flow[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32
    )
    mask = fill_outlines(random_body(rng, size), size).astype(np.float32) / 255
    envelope = cv2.GaussianBlur(mask, (0, 0), size * rng.uniform(0.02, 0.09))
    alpha = envelope * rng.uniform(1, 2.4) * np.clip(0.5 + rng.uniform(0.25, 0.6) * density, 0, 2)
    alpha = 1 - np.exp(-1.5 * np.clip(alpha - rng.uniform(0, 0.15), 0, 4))
    light = 0.5 + 0.15 * fractal_noise(rng, size, size, cells=3)
    return from_fields(light, 0.5 + 0.1 * density, np.asarray(alpha, np.float32), "smoke")


def render_glass(rng: np.random.Generator, size: int) -> Element:
    """Partly transparent bodies: nearly constant alpha inside, denser bright rim, small opaque highlights."""
    mask = fill_outlines(random_body(rng, size), size)
    solid = mask.astype(np.float32) / 255
    distance = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    rim = np.exp(-distance / np.float32(rng.uniform(2, 20)))
    base = rng.uniform(0.08, 0.8)
    inside = base + rng.uniform(0, 0.1) * fractal_noise(rng, size, size, cells=3)
    inside = inside + rim * rng.uniform(0.1, 0.9)
    spots = fractal_noise(rng, size, size, cells=rng.uniform(4, 12), octaves=2)
    highlight = np.clip((spots - rng.uniform(1.6, 2.4)) * 4, 0, 1)
    alpha = solid * np.clip(np.maximum(inside, highlight), 0.02, 1)
    if rng.random() < 0.5:
        content = fill_outlines(random_body(rng, size), size).astype(np.float32) / 255
        alpha = np.maximum(alpha, solid * content)
    light = np.clip(inflate(rng, mask) + 0.25 * rim * rng.uniform(-0.5, 1) + 0.5 * highlight, 0, 1)
    mix = np.clip(0.5 + 0.3 * rim + 0.4 * highlight, 0, 1)
    return from_fields(light, mix, alpha.astype(np.float32), "glass")


def render_plastic(rng: np.random.Generator, size: int) -> Element:
    """Crumpled bags and foils: thin film, dense along the folds."""
    mask = fill_outlines(random_body(rng, size), size)
    field = fractal_noise(rng, size, size, cells=rng.uniform(3, 9), octaves=4, persistence=0.55)
    folds = np.exp(-np.abs(field) * np.float32(rng.uniform(3, 9)))
    base = rng.uniform(0.12, 0.6)
    film = base + rng.uniform(0.3, 0.9) * folds + 0.08 * fractal_noise(rng, size, size, cells=4)
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 0.7)
    alpha = soft * np.clip(film, 0.03, 1)
    light = np.clip(0.35 + 0.5 * folds + 0.1 * field, 0, 1)
    return from_fields(light, np.clip(0.4 + 0.2 * field, 0, 1), alpha.astype(np.float32), "plastic")


def soften(element: Element, sigma: float) -> Element:
    """Out-of-focus copy of any element: fields and alpha blurred as the lens would."""
    layers = element.layers.astype(np.float32) / 255
    alpha = layers[..., -1:]
    premult = cv2.GaussianBlur(layers[..., :-1] * alpha, (0, 0), sigma)
    blurred = np.asarray(cv2.GaussianBlur(layers[..., -1], (0, 0), sigma), np.float32)
    straight = fill_outside(np.atleast_3d(premult).astype(np.float32), blurred)
    stacked = np.concatenate([straight, blurred[..., None]], -1)
    return Element(np.round(np.clip(stacked, 0, 1) * 255).astype(np.uint8), element.kind)
