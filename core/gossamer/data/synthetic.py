"""Procedural training samples: plate, trimap, alpha and the true colours, endless and reproducible."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.augmentation import alpha_gamma, augment_color
from gossamer.data.camera import random_tone, record
from gossamer.data.colors import color_near_edge, match_mean, paint, random_background, to_encoded, to_linear
from gossamer.data.elements import Element
from gossamer.data.photos import CutoutLibrary, PhotoLibrary, RenderLibrary
from gossamer.data.pool import ELEMENT_KINDS, ElementPool
from gossamer.data.trimaps import UNKNOWN, random_trimap
from gossamer.errors import SettingError
from gossamer.image.image import FloatArray

__all__ = ["Sample", "SampleGenerator", "SyntheticSettings", "composite", "contact_sheet"]

_TRIES = 4
_MANY_COLORS = {"yarn": 0.6, "basket": 0.7, "vessel": 0.6, "net": 0.2, "solid": 0.15}
"""Probability of several unrelated colours by kind of element; of all others see ``paint``."""
_COARSE_TRIMAP = {
    "basket": 0.7, "vessel": 0.7, "net": 0.6, "lace": 0.5, "foliage": 0.25, "yarn": 0.3, "flower": 0.2, "solid": 0.15,
}  # fmt: skip
"""Probability of a trimap without the small islands; of all others see ``random_trimap``."""
_ALIKE = 0.4
"""Distance of encoded colours."""
_DEFOCUS = (1.5, 10.0)
"""Standard deviation of an unsharp foreground's blur, in pixels."""
_PROBABILITIES = (
    "cutout_share",
    "render_share",
    "second_foreground",
    "similar_colors",
    "shared_colors",
    "defocus",
    "linear_light",
    "alpha_gamma",
    "color_augmentation",
    "rotation",
    "jpeg",
    "camera",
)


@dataclass(frozen=True)
class SyntheticSettings:
    """What the generator makes. All probabilities are in 0..1."""

    size: int = 192
    """Side of the square samples in pixels, 32 to 1024."""
    photos: tuple[str, ...] = ()
    """Folders of photographs for backgrounds and colours; each is used equally often. Empty: all procedural."""
    fur: tuple[str, ...] = ()
    """Folders with ``image/`` and ``alpha/``: photographed foregrounds (needs PyMatting once)."""
    cutouts: tuple[str, ...] = ()
    """Folders of RGBA pictures with straight colour."""
    cutout_share: float = 0.12
    """Share of elements taken from ``fur`` and ``cutouts``."""
    renders: tuple[str, ...] = ()
    """Folders of rendered foregrounds (:class:`gossamer.data.photos.RenderLibrary`)."""
    render_share: float = 0.5
    """Share of elements taken from ``renders``."""
    second_foreground: float = 0.15
    """Two elements over each other: alpha = 1 - (1 - a1)(1 - a2)."""
    similar_colors: float = 0.1
    """Foreground shifted towards the background's mean colour."""
    shared_colors: float = 0.0
    """Foreground shifted towards one colour of the background near it, which then looks like it in parts."""
    defocus: float = 0.0
    """Foreground out of focus as a whole, by 1.5 to 10 pixels (standard deviation); one in seven drawn or rendered
    elements is out of focus already."""
    linear_light: float = 0.4
    """Composited in linear light as cameras do; the equation then holds for linear values only."""
    alpha_gamma: float = 0.1
    """LSA's change of alpha."""
    color_augmentation: float = 0.3
    """LSA's three colour changes of the foreground, each."""
    rotation: float = 0.5
    """Rotation by any angle."""
    jpeg: float = 0.22
    """Plate went through JPEG."""
    camera: float = 1.0
    """Noise, sharpening, JPEG at all."""
    element_size: int = 576
    """Side of the pre-rendered elements; samples are cut out of them at 0.5 to 1.15 of their scale."""
    largest_share: float = 0.95
    """Largest side of a sample in sides of its element, which is enlarged rather than cut wider; beyond 1 the element
    goes on mirrored."""
    window: int = 400
    """Elements in use at a time."""
    renewal: int = 40
    """After this many samples the oldest element is replaced by a new one."""
    cache_bytes: int = 700_000_000
    """Elements kept in memory, per process."""
    cache_folder: str = ""
    """Where estimated colours of ``fur`` are kept; empty means ``~/.cache/gossamer/foregrounds``."""

    def __post_init__(self) -> None:
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} is {getattr(self, name)}; give a probability from 0 to 1.")
        if not 32 <= self.size <= 1024:
            raise SettingError(f"size is {self.size}; give 32 to 1024 pixels.")
        if self.element_size < 128:
            raise SettingError(f"element_size is {self.element_size}; give at least 128 pixels.")
        if not 0 < self.largest_share <= 2:
            raise SettingError(f"largest_share is {self.largest_share}; give more than 0, up to 2.")
        if self.window < 1 or self.renewal < 1:
            raise SettingError(f"window is {self.window} and renewal {self.renewal}; give at least 1 for both.")


@dataclass(frozen=True, eq=False)
class Sample:
    """One training example. All arrays are S x S, top row first."""

    plate: NDArray[np.uint8]
    """S x S x 3, sRGB-encoded RGB."""
    trimap: NDArray[np.uint8]
    """0 background, 128 unknown, 255 foreground. Known pixels may differ from alpha by up to 8/255 where a tip was
    left out on purpose."""
    alpha: FloatArray
    """0..1."""
    foreground: FloatArray
    """S x S x 3 encoded 0..1, after tone, before noise; smoothly continued where alpha is 0."""
    background: FloatArray
    """The same for the background."""


def composite(foreground: FloatArray, background: FloatArray, alpha: FloatArray, *, linear: bool) -> FloatArray:
    """``a F + (1 - a) B`` for encoded S x S x 3 colours in 0..1, mixed as they are or in linear light."""
    weight = alpha[..., None]
    if not linear:
        return np.asarray(background + weight * (foreground - background), np.float32)
    back = to_linear(background)
    mixed = to_encoded(back + weight * (to_linear(foreground) - back))
    # Where nothing is mixed the colours pass unchanged, not through the tables.
    return np.asarray(np.where(weight <= 0, background, np.where(weight >= 1, foreground, mixed)), np.float32)


class SampleGenerator:
    """Samples by number. ``sample(i)`` depends on settings, seed and ``i`` only, in any order and process."""

    def __init__(self, settings: SyntheticSettings, seed: int) -> None:
        """Reads no picture yet.

        Raises:
            DataError: a folder is missing or empty.
        """
        self.settings = settings
        self._seed = seed
        self._photos = PhotoLibrary(settings.photos)
        self._elements = ElementPool(
            seed=seed,
            size=settings.element_size,
            cutouts=CutoutLibrary(settings.fur, settings.cutouts, cache=settings.cache_folder),
            cutout_share=settings.cutout_share,
            renders=RenderLibrary(settings.renders, kinds=ELEMENT_KINDS),
            render_share=settings.render_share,
            cache_bytes=settings.cache_bytes,
        )

    def sample(self, index: int) -> Sample:
        """Make one sample.

        Raises:
            DataError: a picture cannot be decoded.
            MissingDependencyError: ``fur`` is used for the first time and PyMatting is not installed.
        """
        settings = self.settings
        rng = np.random.default_rng([self._seed, 0, index])
        element = self._draw_element(rng, index)
        layers = self._place(rng, element)
        for _ in range(_TRIES - 1):
            mixed = (layers[..., -1] > 4) & (layers[..., -1] < 251)
            if np.count_nonzero(mixed) >= 0.004 * mixed.size:
                break
            element = self._draw_element(rng, index)
            layers = self._place(rng, element)
        background = random_background(rng, settings.size, self._photos)
        alpha, foreground = self._color(rng, layers, background, element.kind)
        if settings.defocus and rng.random() < settings.defocus:
            alpha, foreground = _defocus(rng, alpha, foreground)
        if rng.random() < settings.second_foreground:
            second = self._draw_element(rng, index)
            other_alpha, other = self._color(rng, self._place(rng, second), background, second.kind)
            total = alpha + (1 - alpha) * other_alpha
            share = (alpha / np.maximum(total, 1e-6))[..., None]
            foreground = np.where(total[..., None] > 1e-6, foreground * share + other * (1 - share), foreground)
            alpha = total
        if rng.random() < settings.alpha_gamma:
            gamma = rng.uniform(0.5, 1) if rng.random() < 0.5 else rng.uniform(1, 2)
            alpha = alpha_gamma(alpha, gamma, from_above=rng.random() < 0.5)
        # Steps of 8 bits: what is stored as 0 or 1 is meant so.
        alpha = np.round(alpha * 255) / np.float32(255)
        tone = random_tone(rng)
        foreground, background = tone(foreground.astype(np.float32)), tone(background)
        plate = composite(foreground, background, alpha, linear=rng.random() < settings.linear_light)
        trimap = random_trimap(rng, alpha, coarse=_COARSE_TRIMAP.get(element.kind, 0.08))
        if not (trimap == UNKNOWN).any():
            trimap[...] = UNKNOWN
        if rng.random() < settings.camera:
            picture = record(rng, plate, jpeg=settings.jpeg)
        else:
            picture = np.round(plate.clip(0, 1) * 255).astype(np.uint8)
        return Sample(picture, trimap, alpha.astype(np.float32), foreground, background)

    def _draw_element(self, rng: np.random.Generator, index: int) -> Element:
        """From a window that slides with the index, and grows at the start so that the first samples come quickly."""
        settings = self.settings
        window = min(settings.window, 32 + index // 4)
        return self._elements[index // settings.renewal + int(rng.integers(window))]

    def _place(self, rng: np.random.Generator, element: Element) -> NDArray[np.uint8]:
        """Cut a sample-sized piece out of an element: scaled, turned, flipped, with the lens's blur."""
        size, whole = self.settings.size, self.settings.element_size
        scale = float(np.exp(rng.uniform(np.log(0.5), np.log(1.15))))
        scale = max(scale, size / (self.settings.largest_share * whole))
        angle = rng.uniform(-np.pi, np.pi) if rng.random() < self.settings.rotation else 0.0
        flip = -1 if rng.random() < 0.5 else 1
        blur = float(
            rng.choice([rng.uniform(0.2, 0.4), rng.uniform(0.4, 0.8), rng.uniform(0.8, 1.6)], p=[0.65, 0.27, 0.08])
        )
        coarse = element.layers[::4, ::4, -1]
        places = np.flatnonzero((coarse > 8) & (coarse < 247))
        half = size / 2 / scale
        if len(places):
            place = int(places[rng.integers(len(places))])
            x, y = 4 * (place % coarse.shape[1]), 4 * (place // coarse.shape[1])
        else:
            x = y = whole // 2
        jitter = rng.uniform(-0.7, 0.7, 2) * half
        low, high = min(half, whole / 2), max(whole - half, whole / 2)
        x, y = float(np.clip(x + jitter[0], low, high)), float(np.clip(y + jitter[1], low, high))
        cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
        center = (size - 1) / 2
        inverse = np.array([
            [flip * cosine, -sine, x - (flip * cosine - sine) * center],
            [flip * sine, cosine, y - (flip * sine + cosine) * center],
        ])  # fmt: skip
        reach = half * (abs(np.cos(angle)) + abs(np.sin(angle))) + 4
        left, top = int(max(0, x - reach)), int(max(0, y - reach))
        right, bottom = int(min(whole, x + reach + 1)), int(min(whole, y + reach + 1))
        piece = cv2.GaussianBlur(element.layers[top:bottom, left:right], (0, 0), blur / scale)
        inverse[:, 2] -= (left, top)
        return np.asarray(
            cv2.warpAffine(
                piece, inverse, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            ),
            np.uint8,
        )  # fmt: skip

    def _color(
        self, rng: np.random.Generator, layers: NDArray[np.uint8], background: FloatArray, kind: str
    ) -> tuple[FloatArray, FloatArray]:
        """Alpha and coloured foreground of placed layers."""
        straight = layers.astype(np.float32) * np.float32(1 / 255)
        alpha = np.ascontiguousarray(straight[..., -1])
        edge = alpha * (1 - alpha) + np.float32(1e-6)
        edge = edge.ravel() / edge.sum()
        near = edge @ background.reshape(-1, 3)
        for attempt in range(2):
            if layers.shape[2] == 4:
                color = np.ascontiguousarray(straight[..., :3])
            else:
                many_colors = _MANY_COLORS.get(kind, 0.08)
                color = paint(rng, straight[..., 0], straight[..., 1], self._photos, many_colors=many_colors)
            color = augment_color(rng, color, self.settings.color_augmentation)
            # Random pairs of colours are alike more often than photographed ones: give most of those a second try.
            if attempt or np.linalg.norm(edge @ color.reshape(-1, 3) - near) > _ALIKE or rng.random() < 0.3:
                break
        if self.settings.shared_colors and rng.random() < self.settings.shared_colors:
            target = color_near_edge(rng, background, edge)
            color = match_mean(color, edge * edge.size, target, float(rng.uniform(0.6, 1)))
        elif rng.random() < self.settings.similar_colors:
            color = match_mean(color, alpha, near, float(rng.uniform(0.4, 0.95)))
        return alpha, color


def _defocus(rng: np.random.Generator, alpha: FloatArray, color: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Alpha and colour as an unfocused lens mixes them: in linear light, each colour by how much of it there is.

    ``surfaces.soften`` blurs drawn elements before they have colours, at the element's scale; this one blurs what was
    painted, cutouts too, at the sample's.
    """
    sigma = float(np.exp(rng.uniform(*np.log(_DEFOCUS))))
    # A little everywhere: beyond the blur's reach the colour goes on as it was.
    weight = alpha[..., None] + np.float32(1e-3)
    layers = np.dstack([to_linear(color) * weight, weight, alpha])
    mixed: FloatArray = np.asarray(cv2.GaussianBlur(layers, (0, 0), sigma), np.float32)
    return np.clip(mixed[..., 4], 0, 1), to_encoded(mixed[..., :3] / mixed[..., 3:4])


def contact_sheet(generator: SampleGenerator, count: int, *, first: int = 0) -> NDArray[np.uint8]:
    """Samples below each other, each as plate, trimap, alpha, foreground: (count * S) x (4 * S) x 3 uint8 RGB."""
    rows = []
    for index in range(first, first + count):
        sample = generator.sample(index)
        alpha = np.round(sample.alpha * 255).astype(np.uint8)
        color = np.round(sample.foreground * 255).astype(np.uint8)
        rows.append(np.hstack([sample.plate, _gray(sample.trimap), _gray(alpha), color]))
    return np.vstack(rows)


def _gray(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(plane[..., None], 3, axis=2)
