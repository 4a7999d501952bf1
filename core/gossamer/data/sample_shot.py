"""The sample shot of the repository: a furry creature hops through a dusk full of lights. Everything is computed here.

The plate is composited in scene-linear light from true colours, so the matte that comes with it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.strands import SUPERSAMPLING, StrandStyle, Tuft, draw_strands, grow_strands
from gossamer.data.textures import fractal_noise
from gossamer.data.trimaps import lsa_trimap
from gossamer.image.image import FloatArray, Image, Window
from gossamer.image.io import write_image

__all__ = ["FIRST_FRAME", "FRAME_COUNT", "HEIGHT", "WIDTH", "SampleFrame", "render_frame", "render_sample_shot"]

WIDTH, HEIGHT = 480, 270
FIRST_FRAME, FRAME_COUNT = 1001, 8
_SHUTTER_STEPS = 6
_SHUTTER = 0.2
"""Share of a frame during which the shutter is open."""
_SEED = 20
_STRAY = 400
"""Parts with fewer strands are stray hair: no skin, no clumps, bent more."""


@dataclass(frozen=True, eq=False)
class SampleFrame:
    """One frame, H x W, top row first."""

    plate: FloatArray
    """H x W x 3, scene-linear Rec.709."""
    trimap: NDArray[np.uint8]
    """0, 128, 255; every known pixel is truly known."""
    alpha: FloatArray
    """0..1, with motion blur."""


@dataclass(frozen=True)
class _Part:
    """An ellipsoid with hair. Places are relative to the creature's centre, in pixels."""

    place: tuple[float, float]
    radii: tuple[float, float]
    strands: int
    length: float
    width: float
    mix: float
    """Where its colour lies between cream (0), orange and brown (1)."""
    tip_mix: float


_PARTS = (
    _Part((-66, 22), (20, 15), 900, 30, 0.7, 0.55, -0.35),
    _Part((-36, -62), (15, 24), 800, 16, 0.55, 0.6, 0.1),
    _Part((38, -60), (15, 24), 800, 16, 0.55, 0.6, 0.1),
    _Part((0, 0), (66, 62), 5200, 26, 0.7, 0.42, -0.16),
    _Part((0, 0), (66, 62), 150, 48, 0.35, 0.35, -0.2),
    _Part((-26, 60), (17, 10), 500, 9, 0.6, 0.7, 0.0),
    _Part((26, 60), (17, 10), 500, 9, 0.6, 0.7, 0.0),
)
_CREAM = np.array([0.83, 0.66, 0.43], np.float32)
_ORANGE = np.array([0.62, 0.24, 0.055], np.float32)
_BROWN = np.array([0.13, 0.045, 0.018], np.float32)
_KEY = np.array([-0.52, -0.62, 0.59])
"""Direction to the lamp: left, up, towards the camera."""


def render_sample_shot(folder: Path) -> None:
    """Write ``fur.1001.exr`` (half, ZIP), ``trimap.1001.png``, ``alpha.1001.exr`` and so on into an existing folder.

    Raises:
        ImageWriteError: the folder is missing or cannot be written to.
    """
    window = Window(0, 0, WIDTH, HEIGHT)
    for frame in range(FIRST_FRAME, FIRST_FRAME + FRAME_COUNT):
        made = render_frame(frame)
        plate = Image(made.plate, ("R", "G", "B"), window, window)
        alpha = Image(made.alpha[..., None], ("Y",), window, window)
        trimap = Image((made.trimap / np.float32(255)).astype(np.float32)[..., None], ("Y",), window, window)
        write_image(folder / f"fur.{frame}.exr", plate, data_type="half")
        write_image(folder / f"alpha.{frame}.exr", alpha, data_type="half")
        write_image(folder / f"trimap.{frame}.png", trimap, data_type="uint8")


def render_frame(frame: int) -> SampleFrame:
    """Compute one frame: the mean of several moments while the shutter is open."""
    plate = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    whole = _background()
    for step in range(_SHUTTER_STEPS):
        time = frame - FIRST_FRAME + _SHUTTER * step / _SHUTTER_STEPS
        coverage, color = _creature(time)
        # The camera pans slowly with the creature.
        shift = np.array([[1, 0, -(4 + 0.8 * time)], [0, 1, 0]])
        back = cv2.warpAffine(whole, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        back = back * _shadow(time)
        plate += (color * coverage[..., None] + back * (1 - coverage[..., None])) / np.float32(_SHUTTER_STEPS)
        alpha += coverage / np.float32(_SHUTTER_STEPS)
    alpha = np.where(alpha < 1e-4, 0, np.where(alpha > 1 - 1e-4, 1, alpha)).astype(np.float32)
    rng = np.random.default_rng([_SEED, frame])
    grain = cv2.GaussianBlur(rng.standard_normal(plate.shape, dtype=np.float32), (0, 0), 0.5)
    plate = plate + grain * (0.004 * cv2.sqrt(plate) + 0.0006)
    return SampleFrame(_round_half(plate), lsa_trimap(alpha, 6, 5, tolerance=1e-6), alpha)


def _round_half(plate: FloatArray) -> FloatArray:
    """Keep seven bits of mantissa: finer steps would only be stored noise."""
    fraction, exponent = np.frexp(plate)
    return np.asarray(np.ldexp(np.round(fraction * 256) / 256, exponent), np.float32)


def _pose(time: float) -> tuple[FloatArray, float, float]:
    """Centre, squash (1 is round) and sway of the creature at a time in frames."""
    phase = time / FRAME_COUNT
    hop = abs(np.sin(np.pi * (phase * 1.1 + 0.12)))
    center = np.array([196 + 9.0 * time, 172 - 26 * hop], np.float32)
    squash = 1 + 0.07 * (hop - 0.5)
    return center, float(squash), float(0.55 * np.cos(np.pi * (phase * 1.1 + 0.12)))


def _shadow(time: float) -> FloatArray:
    """H x W x 1 factor of the ground below the creature; wider and weaker the higher it hops."""
    center, _, _ = _pose(time)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    height = 172 - float(center[1])
    distance = ((x - center[0] - 8) / (74 + height)) ** 2 + ((y - 238) / 15) ** 2
    return np.asarray(1 - (0.75 - 0.012 * height) * np.exp(-1.5 * distance), np.float32)[..., None]


def _creature(time: float) -> tuple[FloatArray, FloatArray]:
    """Coverage H x W and scene-linear colour H x W x 3 (straight, continued outside)."""
    center, squash, sway = _pose(time)
    canvas = np.zeros((HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING, 3), np.uint8)
    for number, part in enumerate(_PARTS):
        rng = np.random.default_rng([_SEED, number])
        if part.strands > _STRAY:
            _draw_skin(canvas, part, center, squash)
        draw_strands(canvas, _hair(rng, part, center, squash, sway, time))
    fine = canvas.astype(np.float32) * np.float32(1 / 255)
    size = (WIDTH, HEIGHT)
    fields: FloatArray = np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.float32)
    alpha = np.ascontiguousarray(fields[..., 2])
    straight = fields / np.maximum(alpha, np.float32(1e-4))[..., None]
    color = _tint(straight[..., 0], straight[..., 1])
    return _draw_face(alpha, color, center, squash)


def _draw_skin(canvas: NDArray[np.uint8], part: _Part, center: FloatArray, squash: float) -> None:
    """The solid ellipsoid under the hair, a little smaller than where the hair grows."""
    angle = np.linspace(0, 2 * np.pi, 80)
    shape = 0.97 * np.array([part.radii[0] / squash, part.radii[1] * squash])
    middle = center + np.array(part.place) * np.array([1 / squash, squash])
    outline = middle + shape * np.stack([np.cos(angle), np.sin(angle)], 1)
    fine = np.round((outline * SUPERSAMPLING + (SUPERSAMPLING - 1) / 2) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [fine], (60.0, 255 * min(part.mix + 0.25, 1.0), 255.0), cv2.LINE_AA, 4)


def _hair(rng: np.random.Generator, part: _Part, center: FloatArray, squash: float, sway: float, time: float) -> Tuft:
    """Strands of one ellipsoid, those in the back first. All moments draw the same random numbers."""
    count = part.strands
    depth = np.sort(rng.uniform(-0.25, 1, count))
    around = rng.uniform(0, 2 * np.pi, count)
    flat = np.sqrt(1 - depth**2)
    normal = np.stack([flat * np.cos(around), flat * np.sin(around), depth], 1)
    shape = np.array([part.radii[0] / squash, part.radii[1] * squash])
    middle = center + np.array(part.place) * np.array([1 / squash, squash])
    roots = middle + normal[:, :2] * shape
    # Hair that points at the camera is foreshortened and falls down.
    whirl = 0.25 * np.sin(0.11 * roots[:, 0] + 1.3) * np.cos(0.09 * roots[:, 1])
    directions = normal[:, :2] + np.stack([whirl - 0.35 * sway, np.full(count, 0.28)], 1)
    style = StrandStyle(
        length=1.0,
        length_spread=0.22,
        points=9,
        spread=0.22,
        bend=0.45 if count > _STRAY else 1.1,
        wander=0.12,
        pull=(-1.0 * sway + 0.1 * float(np.sin(0.9 * time)), 0.55),
    )
    relative = grow_strands(rng, np.zeros((count, 2)), directions, style)
    reach = part.length * (0.35 + 0.65 * np.clip(flat, 0.2, 1))
    points = roots[:, None] + relative * reach[:, None, None]
    guides = rng.choice(count, max(count // 14, 2), replace=False)
    nearest = ((roots[:, None] - roots[guides][None]) ** 2).sum(-1).argmin(1)
    t = np.linspace(0, 1, points.shape[1])[None, :, None]
    clumping = 0.62 if count > _STRAY else 0.0
    points = points + clumping * t**1.4 * (points[guides[nearest]] - points)
    lambert = np.clip(normal @ _KEY, 0, 1)
    rim = np.clip(normal[:, 0] * 0.8 - normal[:, 1] * 0.3, 0, 1) ** 3
    light = 0.1 + 0.52 * lambert + 0.25 * rim + rng.normal(0, 0.045, count)
    patch = 0.1 * np.sin(0.07 * (roots[:, 0] - center[0]) + 2) * np.sin(0.08 * (roots[:, 1] - center[1]))
    belly = 0.3 * np.exp(-(normal[:, 0] ** 2 + (normal[:, 1] - 0.45) ** 2) / 0.16) * (part.place == (0, 0))
    mix = part.mix + patch - belly + rng.normal(0, 0.05, count)
    shade = np.clip(np.stack([light, mix], 1), 0.02, 1)
    tips = np.stack([0.1 + 0.12 * lambert + rng.normal(0, 0.02, count), np.full(count, part.tip_mix)], 1)
    widths = part.width * np.exp(rng.normal(0, 0.2, count))
    return Tuft(
        points.astype(np.float32), widths.astype(np.float32), shade.astype(np.float32), tips.astype(np.float32), 0.35
    )


def _tint(light: NDArray[np.floating], mix: NDArray[np.floating]) -> FloatArray:
    """Scene-linear colour of the fields: cream over orange to brown, a warm lamp."""
    first = np.clip(mix * 2, 0, 1)[..., None]
    second = np.clip(mix * 2 - 1, 0, 1)[..., None]
    albedo = _CREAM + (_ORANGE - _CREAM) * first
    albedo = albedo + (_BROWN - albedo) * second
    lamp = np.array([1.25, 1.08, 0.9], np.float32)
    fill = np.array([0.02, 0.03, 0.05], np.float32)
    return np.asarray(albedo * (lamp * (1.5 * light**1.5)[..., None] + fill), np.float32)


def _draw_face(
    alpha: FloatArray, color: FloatArray, center: FloatArray, squash: float
) -> tuple[FloatArray, FloatArray]:
    """Eyes and nose over the fur; all lie where coverage is 1."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for side in (-1, 1):
        eye = center + np.array([14 + 23 * side, -12 * squash])
        radius = 14.5
        distance = np.hypot(x - eye[0], y - eye[1])
        cover = np.clip(radius + 0.5 - distance, 0, 1)
        shine = np.clip(4.2 - np.hypot(x - eye[0] + 4.4, y - eye[1] + 5.2), 0, 1)
        small = np.clip(1.9 - np.hypot(x - eye[0] - 4, y - eye[1] - 3.5), 0, 1)
        iris = np.clip((distance - 4) / 9, 0, 1)[..., None] * np.array([0.09, 0.045, 0.012], np.float32)
        ball = 0.004 + iris * np.clip((y - eye[1] + radius) / (2 * radius), 0, 1)[..., None]
        ball = ball + shine[..., None] * 1.8 + small[..., None] * 0.25
        color = color + cover[..., None] * (ball - color)
        alpha = np.maximum(alpha, cover)
    nose = center + np.array([14, 10 * squash])
    cover = np.clip((1 - np.hypot((x - nose[0]) / 8, (y - nose[1]) / 5.5)) * 6 + 0.5, 0, 1)
    tone = 0.015 + 0.2 * np.clip(1.6 - np.hypot((x - nose[0] + 1.6) / 2, y - nose[1] + 1.8), 0, 1)
    color = color + cover[..., None] * (tone[..., None] * np.array([1, 0.7, 0.6], np.float32) - color)
    return np.maximum(alpha, cover).astype(np.float32), color.astype(np.float32)


def _background() -> FloatArray:
    """Dusk, wider than the frame: sky, two ranges of hills, ground, and lights out of focus. Scene-linear."""
    rng = np.random.default_rng([_SEED, 100])
    width = WIDTH + 24
    y, x = np.mgrid[0:HEIGHT, 0:width].astype(np.float32)
    down = (y / HEIGHT)[..., None]
    top, horizon = np.array([0.012, 0.035, 0.085], np.float32), np.array([0.16, 0.12, 0.13], np.float32)
    picture = top + (horizon - top) * np.clip(down * 1.5, 0, 1) ** 1.6
    picture = picture * (1 + 0.12 * fractal_noise(rng, HEIGHT, width, cells=3, octaves=3))[..., None]
    for level, tone in ((128, (0.03, 0.045, 0.06)), (158, (0.014, 0.026, 0.028))):
        ridge = level + 14 * fractal_noise(rng, 8, width, cells=5, octaves=3)[0][None]
        cover = np.clip((y - ridge) / 7, 0, 1)[..., None]
        picture = picture + cover * (np.array(tone, np.float32) - picture)
    ground = np.clip((y - 196) / 22, 0, 1)[..., None]
    grass = fractal_noise(rng, HEIGHT, width, cells=40, octaves=3)
    earth = np.array([0.022, 0.036, 0.018], np.float32) * np.exp(0.35 * grass)[..., None]
    picture = picture + ground * (earth - picture)
    for _ in range(34):
        place = np.array([rng.uniform(0, width), rng.normal(140, 34)])
        radius = rng.uniform(5, 15)
        warm = rng.random() < 0.75
        tint = np.array([1.0, 0.55, 0.2] if warm else [0.25, 0.6, 0.9], np.float32) * np.float32(rng.uniform(0.04, 0.3))
        distance = np.hypot(x - place[0], y - place[1])
        disc = np.clip((radius - distance) / 1.6, 0, 1) * (0.75 + 0.25 * np.clip(distance / radius, 0, 1) ** 3)
        picture = picture + disc[..., None] * tint
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.2), np.float32)
