"""Trimaps and class maps as the papers make them from alpha: GFM's kernels, ViTMatte's and DDC's eroding ellipses."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.dataset_files import Item
from gossamer.data.derived_files import DerivedReport, Progress, derive, require_own_folder
from gossamer.errors import DataError, SettingError
from gossamer.image.image import FloatArray
from gossamer.image.io import read_image
from gossamer.image.trimap import matte_from_image
from gossamer.image.writing import replace_when_done

__all__ = [
    "EllipseErosion",
    "GfmMaps",
    "draw_erosion",
    "ellipse_trimap",
    "erosion_for",
    "gfm_maps",
    "write_ellipse_trimaps",
]

TRIMAP_KERNEL, ROSTA_KERNEL = 25, 50
"""GFM's: of the transition region, and of the maps of FT and BT."""
OPAQUE = 1 - 0.5 / 255
"""Alpha from here on is 255 in 8 bits; below the mirror of it, 0."""
ELLIPSE_SIZES = (1, 29)
"""ViTMatte's range."""
ELLIPSE_SIDE = 640
"""ViTMatte erodes at 640 x 640, whatever the picture's size."""
INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
RECORD = "trimaps.csv"


class GfmMaps(NamedTuple):
    """H x W float32 each."""

    trimap: FloatArray
    """0, 0.5, 1."""
    dilation: FloatArray
    """1 within the larger kernel of anything that is not background, else 0."""
    erosion: FloatArray
    """1 where the larger kernel holds nothing but foreground, else 0."""


def _ellipse(size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def gfm_maps(alpha: FloatArray, *, trimap_kernel: int = TRIMAP_KERNEL, rosta_kernel: int = ROSTA_KERNEL) -> GfmMaps:
    """GFM's three maps (Li et al. 2022; the glance targets of TT, BT and FT).

    Foreground and background are told by half a step of 8 bits, so that alpha that was resized keeps its classes.

    Args:
        alpha: H x W, 0..1.
        trimap_kernel: diameter of the ellipse around the transition region.
        rosta_kernel: diameter of the ellipse of dilation and erosion.

    Raises:
        SettingError: a kernel is smaller than 1.
    """
    if min(trimap_kernel, rosta_kernel) < 1:
        raise SettingError(f"GFM's kernels have to be 1 pixel at least, not {trimap_kernel} and {rosta_kernel}.")
    visible, opaque = (alpha > 1 - OPAQUE).astype(np.uint8), (alpha >= OPAQUE).astype(np.uint8)
    small, large = _ellipse(trimap_kernel), _ellipse(rosta_kernel)
    trimap = np.full(alpha.shape, 0.5, np.float32)
    trimap[cv2.dilate(visible, small) == 0] = 0
    trimap[cv2.erode(opaque, small) == 1] = 1
    return GfmMaps(
        trimap,
        np.asarray(cv2.dilate(visible, large), np.float32),
        np.asarray(cv2.erode(opaque, large), np.float32),
    )


@dataclass(frozen=True)
class EllipseErosion:
    """One drawn trimap: enough to make it again."""

    foreground: int
    """Diameter by which the foreground shrinks."""
    background: int
    """Diameter by which the background shrinks."""
    interpolation: str = "linear"
    """How alpha is brought to 640 x 640: nearest, linear, cubic, lanczos."""


def draw_erosion(rng: np.random.Generator) -> EllipseErosion:
    """Independent sizes 1 to 29 and an interpolation, all equally likely."""
    sizes = rng.integers(ELLIPSE_SIZES[0], ELLIPSE_SIZES[1] + 1, 2)
    return EllipseErosion(int(sizes[0]), int(sizes[1]), tuple(INTERPOLATIONS)[int(rng.integers(len(INTERPOLATIONS)))])


def erosion_for(name: str, seed: int) -> EllipseErosion:
    """The erosion of the picture ``name``: from the seed and the name alone, whatever else is in the set."""
    return draw_erosion(np.random.default_rng([seed, zlib.crc32(name.encode())]))


def ellipse_trimap(alpha: FloatArray, erosion: EllipseErosion) -> FloatArray:
    """Foreground and background, eroded by ellipses at 640 x 640; the rest is unknown (ViTMatte, Yao et al. 2023).

    Args:
        alpha: H x W, 0..1.
        erosion: what to erode by.

    Returns:
        H x W of 0, 0.5 and 1.

    Raises:
        SettingError: a size is smaller than 1, or there is no such interpolation.
    """
    if min(erosion.foreground, erosion.background) < 1 or erosion.interpolation not in INTERPOLATIONS:
        raise SettingError(
            f"A trimap is eroded by 1 pixel at least, with {', '.join(INTERPOLATIONS)} interpolation, not by "
            f"{erosion.foreground} and {erosion.background} with {erosion.interpolation}."
        )
    side = (ELLIPSE_SIDE, ELLIPSE_SIDE)
    small = cv2.resize(np.asarray(alpha, np.float32), side, interpolation=INTERPOLATIONS[erosion.interpolation])
    foreground = cv2.erode((small >= OPAQUE).astype(np.uint8), _ellipse(erosion.foreground))
    background = cv2.erode((small <= 1 - OPAQUE).astype(np.uint8), _ellipse(erosion.background))
    trimap = np.full(small.shape, 0.5, np.float32)
    trimap[foreground == 1] = 1
    trimap[background == 1] = 0
    height, width = alpha.shape
    return np.asarray(cv2.resize(trimap, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)


def write_ellipse_trimaps(
    items: Sequence[Item], output: Path, *, seed: int, progress: Progress | None = None
) -> DerivedReport:
    """Write a trimap of every item's alpha to ``output`` as PNG, once, for training without alpha labels (DDC).

    ``trimaps.csv`` beside them records the seed and what was drawn for each; the published sets were drawn without a
    seed and cannot be made again.

    Raises:
        DataError: items have no alpha; all are named.
        SettingError: ``output`` holds the alphas.
        FrameError: a file cannot be read or written. What was finished stays.
    """
    bare = [item.name for item in items if item.alpha is None]
    if bare:
        raise DataError(f"Trimaps cannot be made without alpha; there is none for {', '.join(bare)}.")
    alphas = {item.name: item.alpha for item in items if item.alpha is not None}
    require_own_folder(output, {path.parent for path in alphas.values()})
    drawn = {name: erosion_for(name, seed) for name in alphas}

    def make(name: str, sources: tuple[Path, ...]) -> FloatArray:
        matte = matte_from_image(read_image(sources[0]), f"the alpha {sources[0]}").matte
        return ellipse_trimap(matte, drawn[name])

    jobs = [(name, (path,), output / f"{name}.png") for name, path in alphas.items()]
    report = derive(jobs, f"ellipse trimap 1, seed {seed}", make, data_type="uint8", progress=progress)
    with replace_when_done(output / RECORD) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "seed", *(field.name for field in fields(EllipseErosion))])
        writer.writerows([name, seed, *astuple(erosion)] for name, erosion in drawn.items())
    return report
