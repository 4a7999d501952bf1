"""The generator's samples as files: a plain folder to train on, to measure on, or to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gossamer.data.paper_trimaps import gfm_maps
from gossamer.data.synthetic import Sample, SampleGenerator
from gossamer.errors import DataError, SettingError
from gossamer.image.image import FloatArray, Image
from gossamer.image.io import write_image

__all__ = ["FOLDERS", "write_samples"]

FOLDERS = ("image", "alpha", "trimap", "fg", "bg")


def write_samples(
    generator: SampleGenerator,
    output: Path,
    *,
    count: int,
    first: int = 0,
    gfm_kernel: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Write samples number ``first`` on as ``image/``, ``alpha/``, ``trimap/``, ``fg/`` and ``bg/``, PNG of 8 bits.

    Args:
        generator: makes them.
        output: new or empty folder.
        count: how many.
        first: number of the first one.
        gfm_kernel: diameter of the ellipse of trimaps as GFM defines them; 0 takes the generator's own.
        progress: told how many of how many are done, and the name of the one at hand.

    Raises:
        SettingError: a number is out of range.
        DataError: the folder holds something.
        ImageWriteError: a file cannot be written.
    """
    if count < 1 or first < 0 or gfm_kernel < 0:
        raise SettingError(f"count is {count}, first {first}, kernel {gfm_kernel}; give at least 1, 0 and 0.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DataError(f"{output} holds something already; name a new folder for the samples.")
    for name in FOLDERS:
        (output / name).mkdir(parents=True, exist_ok=True)
    for done, index in enumerate(range(first, first + count)):
        stem = f"{index:06d}"
        if progress is not None:
            progress(done, count, stem)
        for name, pixels in _planes(generator.sample(index), gfm_kernel).items():
            channels = ("R", "G", "B") if pixels.ndim == 3 else ("Y",)
            picture = Image.from_pixels(pixels if pixels.ndim == 3 else pixels[..., None], channels)
            write_image(output / name / f"{stem}.png", picture, data_type="uint8")
    if progress is not None:
        progress(count, count, "")


def _planes(sample: Sample, gfm_kernel: int) -> dict[str, FloatArray]:
    trimap: NDArray[np.float32] = sample.trimap.astype(np.float32) / np.float32(255)
    if gfm_kernel:
        trimap = gfm_maps(sample.alpha, trimap_kernel=gfm_kernel).trimap
    plate = sample.plate.astype(np.float32) / np.float32(255)
    planes = (plate, sample.alpha, trimap, sample.foreground.clip(0, 1), sample.background.clip(0, 1))
    return {name: np.asarray(plane, np.float32) for name, plane in zip(FOLDERS, planes, strict=True)}
