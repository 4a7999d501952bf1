"""RSSN: compositions whose resolution, semantics, sharpness and noise resemble one photograph (GFM, Li et al. 2022).

What of the published code is different here: every item draws its background anew, noise is clipped and does not wrap
around, and foregrounds are unpremultiplied, so that no dark rim is composed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from gossamer.data.dataset_files import Item, Layers, MattingSet, load_item, read_color
from gossamer.errors import DataError, SettingError
from gossamer.image.image import FloatArray
from gossamer.image.load_pymatting import load_pymatting

__all__ = [
    "Composition",
    "Route",
    "RssnSettings",
    "compose_rssn",
    "draw_layers",
    "estimate_layers",
]


@dataclass(frozen=True)
class RssnSettings:
    """How likely each step is, and how strong."""

    denoise: float = 0.5
    """Chance that denoised colours replace the originals, where there are any."""
    blur: float = 0.5
    """Chance that the background is blurred."""
    blur_sides: tuple[int, ...] = (20, 30, 40, 50, 60)
    """Sides of the box filter in pixels."""
    noise: float = 0.5
    """Chance that one field of noise is added to everything."""
    sigma: float = 10 / 255
    """Its standard deviation, of colours 0..1."""

    def __post_init__(self) -> None:
        for name in ("denoise", "blur", "noise"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"RSSN's chance of {name} has to lie in 0..1, not {getattr(self, name)}.")
        if not self.blur_sides or min(self.blur_sides) < 1:
            raise SettingError(f"RSSN's blur needs sides of 1 pixel at least, not {list(self.blur_sides)}.")
        if self.sigma < 0:
            raise SettingError(f"RSSN's noise cannot have a sigma below 0, as {self.sigma}.")

    @classmethod
    def plain(cls) -> RssnSettings:
        """Composition and nothing else: GFM's COCO route."""
        return cls(denoise=0, blur=0, noise=0)


class Composition(NamedTuple):
    """H x W x 3 float32 each, 0..1."""

    plate: FloatArray
    """Truncated to 8 bits before the noise, as a file of it would be."""
    foreground: FloatArray
    background: FloatArray


def compose_rssn(
    rng: np.random.Generator,
    foreground: FloatArray,
    background: FloatArray,
    alpha: FloatArray,
    *,
    denoised_foreground: FloatArray | None = None,
    denoised_background: FloatArray | None = None,
    settings: RssnSettings | None = None,
) -> Composition:
    """One composition.

    The same number of random values is drawn whatever the outcome of each chance, the noise field last.

    Args:
        rng: decides.
        foreground: H x W x 3, 0..1, unpremultiplied, sRGB-encoded.
        background: any size x 3; it is brought to the foreground's size, its aspect ignored.
        alpha: H x W, 0..1.
        denoised_foreground: replaces ``foreground`` together with ``denoised_background``, or not at all.
        denoised_background: see there.
        settings: chances and strengths; the paper's by default.
    """
    settings = settings or RssnSettings()
    chances = rng.random(3)
    side = settings.blur_sides[int(rng.integers(len(settings.blur_sides)))]
    if denoised_foreground is not None and denoised_background is not None and chances[0] < settings.denoise:
        foreground, background = denoised_foreground, denoised_background
    background = _fit(background, alpha.shape)
    if chances[1] < settings.blur:
        background = np.asarray(cv2.blur(background, (side, side)), np.float32)
    cover = alpha[..., None]
    # A value that is whole in 8 bits may arrive as 9.9999: it is not to lose a level.
    plate = np.floor((cover * foreground + (1 - cover) * background) * 255 + 1e-3) / np.float32(255)
    composed = Composition(np.asarray(plate, np.float32), foreground, background)
    if chances[2] >= settings.noise:
        return composed
    noise = rng.normal(0, settings.sigma, foreground.shape).astype(np.float32)
    return Composition(*(np.asarray(np.clip(layer + noise, 0, 1), np.float32) for layer in composed))


def _fit(pixels: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Resize to ``shape``, averaging where it shrinks."""
    height, width = shape
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.float32)


Route = Literal["files", "estimate", "plate"]


def estimate_layers(
    plate: FloatArray, alpha: FloatArray, *, method: Literal["ml", "cf"] = "ml"
) -> tuple[FloatArray, FloatArray]:
    """Foreground and background colours by PyMatting, H x W x 3 each, 0..1, unpremultiplied.

    Args:
        plate: H x W x 3, 0..1, sRGB-encoded.
        alpha: H x W, 0..1.
        method: ``ml`` multi-level (Germer et al. 2020), or ``cf`` closed form (Levin et al. 2006), GFM's choice, which
            takes many times as long.

    Raises:
        MissingDependencyError: PyMatting is not installed.
    """
    library = load_pymatting("The estimate of foreground colours")
    estimate = library.estimate_foreground_ml if method == "ml" else library.estimate_foreground_cf
    foreground, background = estimate(plate.astype(np.float64), alpha.astype(np.float64), return_background=True)
    return np.asarray(foreground.clip(0, 1), np.float32), np.asarray(background.clip(0, 1), np.float32)


def draw_layers(
    rng: np.random.Generator,
    found: MattingSet,
    index: int,
    *,
    route: Route = "files",
    settings: RssnSettings | None = None,
    read_item: Callable[[Item], Layers] = load_item,
    read_picture: Callable[[Path], FloatArray] = read_color,
) -> tuple[Composition, FloatArray]:
    """Plate, foreground, background and alpha of one item, full size.

    A set with backgrounds (GFM's COMP track) is composed anew at every call, over a random one of them; one without
    (ORI) gives the photograph itself with its colours.

    Args:
        rng: chooses the background and decides RSSN's chances.
        found: the set; see :mod:`gossamer.data.datasets`.
        index: of the item.
        route: where colours come from. ``files``: the item's foreground and background, estimated where there are none.
            ``estimate``: always by PyMatting. ``plate``: the photograph's own colours, quick, with the old background
            shining through soft edges (GFM's "alpha blending", unpremultiplied); only for a set with backgrounds.
        settings: of RSSN; the paper's by default, :meth:`RssnSettings.plain` for COCO.
        read_item: reads the item's files; given by who keeps what was read.
        read_picture: the same for backgrounds.

    Raises:
        SettingError: ``route`` is unknown, or ``plate`` without backgrounds.
        DataError: the item has no alpha or no colours, or its files differ in size.
        MissingDependencyError: colours have to be estimated and PyMatting is not installed.
        FrameError: a file is damaged.
    """
    item = found.items[index]
    layers = read_item(item)
    if layers.alpha is None:
        raise DataError(f"{found.name}: {item.name} has no alpha; nothing can be composed.")
    is_composed = bool(found.backgrounds)
    foreground, background = _colors(f"{found.name}: {item.name}", layers, layers.alpha, route, is_composed)
    if not is_composed:
        if layers.plate is None:
            raise DataError(
                f"{found.name}: {item.name} has no picture, and the set has no backgrounds to compose with."
            )
        if background.shape != layers.plate.shape:
            raise DataError(f"{found.name}: the background of {item.name} is not of the size of its picture.")
        return Composition(layers.plate, foreground, background), layers.alpha
    chosen = int(rng.integers(len(found.backgrounds)))
    behind = read_picture(found.backgrounds[chosen])
    quiet = read_picture(found.denoised_backgrounds[chosen]) if found.denoised_backgrounds else None
    composed = compose_rssn(
        rng,
        foreground,
        behind,
        layers.alpha,
        denoised_foreground=layers.denoised,
        denoised_background=quiet,
        settings=settings,
    )
    return composed, layers.alpha


def _colors(
    name: str, layers: Layers, alpha: FloatArray, route: Route, is_composed: bool
) -> tuple[FloatArray, FloatArray]:
    """Foreground and background; the background of a picture that will be composed anew is not needed."""
    if route not in ("files", "estimate", "plate"):
        raise SettingError(f"The foreground route is files, estimate or plate, not {route!r}.")
    if route == "files" and layers.foreground is not None:
        if layers.background is not None:
            return layers.foreground, layers.background
        if is_composed:
            return layers.foreground, layers.foreground
    if layers.plate is None:
        raise DataError(f"{name} has no picture to take colours from, and not all of them as files.")
    if route == "plate":
        if not is_composed:
            # Foreground and background would be the plate itself, and every alpha would compose it.
            raise SettingError(
                f"{name}: samples.route plate leaves the composition loss of a photograph kept as it is nothing to "
                "say; use estimate, or compose anew with --backgrounds FOLDER."
            )
        return layers.plate, layers.plate
    return estimate_layers(layers.plate, alpha)
