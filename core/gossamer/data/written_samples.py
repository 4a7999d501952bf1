"""The generator's samples as files: a plain folder to train on, to measure on, or to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from gossamer.data.layer_source import LayerSource
from gossamer.data.paper_trimaps import TRIMAP_KERNEL, ellipse_trimap, erosion_for, gfm_maps
from gossamer.data.rssn import RssnSettings, compose_rssn
from gossamer.data.synthetic import Sample, SampleGenerator
from gossamer.errors import DataError, SettingError
from gossamer.image.image import FloatArray, Image
from gossamer.image.io import write_image

__all__ = ["FOLDERS", "TRIMAP_KINDS", "TrimapKind", "write_samples"]

TrimapKind = Literal["painted", "gfm", "ellipse"]
TRIMAP_KINDS: tuple[TrimapKind, ...] = ("painted", "gfm", "ellipse")
FOLDERS = ("image", "alpha", "trimap", "fg", "bg")


def write_samples(
    generator: SampleGenerator,
    output: Path,
    *,
    count: int,
    seed: int = 0,
    first: int = 0,
    trimaps: TrimapKind = "painted",
    kernel: int = TRIMAP_KERNEL,
    backgrounds: LayerSource | None = None,
    rssn: RssnSettings | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Write samples number ``first`` on as ``image/``, ``alpha/``, ``trimap/``, ``fg/`` and ``bg/``, PNG of 8 bits.

    Args:
        generator: makes them.
        output: new or empty folder.
        count: how many.
        seed: of trimaps that are not painted.
        first: number of the first one.
        trimaps: ``painted`` are the generator's own; ``gfm`` grow the transition by one ellipse, as GFM does;
            ``ellipse`` erode both sides by random ellipses, as ViTMatte and DDC do, drawn by number and ``seed``.
        kernel: diameter of GFM's ellipse in pixels.
        backgrounds: compose the foregrounds over these instead of taking the generator's plates.
        rssn: how; plainly by default.
        progress: told how many of how many are done, and the name of the one at hand.

    Raises:
        SettingError: a number is out of range.
        DataError: the folder holds something.
        ImageWriteError: a file cannot be written.
    """
    if count < 1 or first < 0 or kernel < 1:
        raise SettingError(f"count is {count}, first {first}, kernel {kernel}; give at least 1, 0 and 1.")
    if trimaps not in TRIMAP_KINDS:
        raise SettingError(f"The trimaps are {trimaps!r}; use {', '.join(TRIMAP_KINDS)}.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DataError(f"{output} holds something already; name a new folder for the samples.")
    for name in FOLDERS:
        (output / name).mkdir(parents=True, exist_ok=True)
    for done, index in enumerate(range(first, first + count)):
        stem = f"{index:06d}"

        def trimap(alpha: FloatArray, stem: str = stem) -> FloatArray | None:
            if trimaps == "gfm":
                return gfm_maps(alpha, trimap_kernel=kernel).trimap
            return ellipse_trimap(alpha, erosion_for(stem, seed)) if trimaps == "ellipse" else None

        if progress is not None:
            progress(done, count, stem)
        sample = generator.sample(index)
        planes = _planes(sample, trimap)
        if backgrounds is not None:
            rng = np.random.default_rng([seed, 8, index])
            behind = backgrounds.background(rng, index)
            composed = compose_rssn(rng, planes["fg"], behind, sample.alpha, settings=rssn or RssnSettings.plain())
            planes |= {"image": composed.plate, "bg": composed.background}
        for name, pixels in planes.items():
            channels = ("R", "G", "B") if pixels.ndim == 3 else ("Y",)
            picture = Image.from_pixels(pixels if pixels.ndim == 3 else pixels[..., None], channels)
            write_image(output / name / f"{stem}.png", picture, data_type="uint8")
    if progress is not None:
        progress(count, count, "")


def _planes(sample: Sample, make_trimap: Callable[[FloatArray], FloatArray | None]) -> dict[str, FloatArray]:
    trimap = make_trimap(sample.alpha)
    if trimap is None:
        trimap = sample.trimap.astype(np.float32) / np.float32(255)
    plate = sample.plate.astype(np.float32) / np.float32(255)
    planes = (plate, sample.alpha, trimap, sample.foreground.clip(0, 1), sample.background.clip(0, 1))
    return {name: np.asarray(plane, np.float32) for name, plane in zip(FOLDERS, planes, strict=True)}
