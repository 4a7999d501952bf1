"""GFM's training samples: one crop with the maps of all three divisions of labour (Li et al. 2022).

What of the published code is different here: a crop for the transition region is centred on its pixel, and class maps
are resized without mixing classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import cv2
import numpy as np

from gossamer.data.layer_source import LayerSource
from gossamer.data.paper_trimaps import ROSTA_KERNEL, TRIMAP_KERNEL, gfm_maps
from gossamer.data.rssn import Composition, Route, RssnSettings
from gossamer.errors import SettingError
from gossamer.image.image import FloatArray

__all__ = ["GfmCrop", "GfmPipeline", "GfmSample", "GfmSamples", "crop_gfm_sample"]


@dataclass(frozen=True)
class GfmCrop:
    """Where and how large."""

    sides: tuple[int, ...] = (640, 960, 1280)
    """Sides to draw from; one that the picture does not exceed is replaced by ``fallback``."""
    fallback: int = 320
    output: int = 320
    """Side of the sample in pixels."""
    transition: float = 0.5
    """Chance that the crop goes to a pixel of the transition region."""
    anchor: Literal["centre", "corner"] = "centre"
    """What of the crop lies on that pixel. The published code takes the top left corner."""
    trimap_kernel: int = TRIMAP_KERNEL
    """Diameter around the transition region, in pixels of the whole picture."""
    rosta_kernel: int = ROSTA_KERNEL
    """Diameter of dilation and erosion."""

    def __post_init__(self) -> None:
        if not self.sides or min(*self.sides, self.fallback, self.output) < 1:
            raise SettingError(f"GFM's crops need sides of 1 pixel at least, not {self}.")
        if not 0 <= self.transition <= 1:
            raise SettingError(f"samples.crop.transition is {self.transition}; give a probability from 0 to 1.")
        if self.anchor not in ("centre", "corner"):
            raise SettingError(f"samples.crop.anchor is {self.anchor!r}; use centre or corner.")


@dataclass(frozen=True)
class GfmSamples:
    """Pipeline ``gfm``."""

    rssn: RssnSettings = field(default_factory=RssnSettings)
    """Of the COMP track; chances of 0 make plain compositions, the route of COCO. ORI takes no notice."""
    route: Route = "files"
    """Where colours come from: see :func:`gossamer.data.rssn.draw_layers`."""
    crop: GfmCrop = field(default_factory=GfmCrop)
    """``output`` is the recipe's size."""

    def __post_init__(self) -> None:
        if self.route not in ("files", "estimate", "plate"):
            raise SettingError(f"samples.route is {self.route!r}; use files, estimate or plate.")


class GfmSample(NamedTuple):
    """Side x side (x 3) float32 each, 0..1; the fields are those of :class:`gossamer.losses.gfm.GfmTruth`."""

    alpha: FloatArray
    trimap: FloatArray
    dilation: FloatArray
    erosion: FloatArray
    plate: FloatArray
    foreground: FloatArray
    background: FloatArray


def crop_gfm_sample(
    rng: np.random.Generator, composition: Composition, alpha: FloatArray, crop: GfmCrop | None = None
) -> GfmSample:
    """Make the maps of the whole picture, cut out a random square, mirror it by chance, and resize it.

    A picture smaller than every side gives its largest square. Colours and alpha are resized bilinearly, maps by the
    nearest pixel.

    Args:
        rng: decides.
        composition: H x W x 3 each, 0..1.
        alpha: H x W, 0..1.
        crop: sides and chances; the paper's by default.
    """
    crop = crop or GfmCrop()
    height, width = alpha.shape
    maps = gfm_maps(alpha, trimap_kernel=crop.trimap_kernel, rosta_kernel=crop.rosta_kernel)
    side = crop.sides[int(rng.integers(len(crop.sides)))]
    if side >= min(height, width):
        side = min(crop.fallback, height, width)
    chances = rng.random(2)
    row, column = (int(rng.integers(limit - side + 1)) for limit in (height, width))
    transition = np.flatnonzero(maps.trimap == 0.5)
    if len(transition) and chances[0] < crop.transition:
        row, column = divmod(int(transition[rng.integers(len(transition))]), width)
        shift = side // 2 if crop.anchor == "centre" else 0
        row = min(max(row - shift, 0), height - side)
        column = min(max(column - shift, 0), width - side)

    def cut(plane: FloatArray, interpolation: int) -> FloatArray:
        part = plane[row : row + side, column : column + side]
        part = part[:, ::-1] if chances[1] < 0.5 else part
        size = (crop.output, crop.output)
        return np.asarray(cv2.resize(np.ascontiguousarray(part), size, interpolation=interpolation), np.float32)

    return GfmSample(
        cut(alpha, cv2.INTER_LINEAR),
        *(cut(plane, cv2.INTER_NEAREST) for plane in maps),
        *(cut(plane, cv2.INTER_LINEAR) for plane in composition),
    )


class GfmPipeline:
    """Samples by number. ``sample(i)`` depends on source, settings, seed and ``i`` only."""

    def __init__(self, source: LayerSource, settings: GfmSamples, *, size: int, seed: int) -> None:
        self._source, self._settings, self._seed = source, settings, seed
        self._crop = replace(settings.crop, output=size)

    def sample(self, index: int) -> GfmSample:
        """Make one sample; one picture after another.

        Raises:
            GossamerError: a file cannot be read.
        """
        rng = np.random.default_rng([self._seed, 2, index])
        composition, alpha = self._source.composition(
            rng, index, route=self._settings.route, settings=self._settings.rssn
        )
        return crop_gfm_sample(rng, composition, alpha, self._crop)
