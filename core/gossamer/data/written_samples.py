"""The generator's samples as files: a plain folder to train on, to measure on, or to look at."""

from __future__ import annotations

import re
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
from gossamer.image.io import read_image, write_image

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

    A sample that cannot be written whole leaves no file. Those that are there already, made in the same way, are kept.

    Args:
        generator: makes them.
        output: new or empty folder, or one that holds such samples.
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
        DataError: the folder holds something else, or samples made in another way.
        ImageWriteError: a file cannot be written.
    """
    if count < 1 or first < 0 or kernel < 1:
        raise SettingError(f"count is {count}, first {first}, kernel {kernel}; give at least 1, 0 and 1.")
    if trimaps not in TRIMAP_KINDS:
        raise SettingError(f"The trimaps are {trimaps!r}; use {', '.join(TRIMAP_KINDS)}.")

    def make(index: int) -> dict[str, FloatArray]:
        def trimap(alpha: FloatArray) -> FloatArray | None:
            if trimaps == "gfm":
                return gfm_maps(alpha, trimap_kernel=kernel).trimap
            return ellipse_trimap(alpha, erosion_for(f"{index:06d}", seed)) if trimaps == "ellipse" else None

        sample = generator.sample(index)
        planes = _planes(sample, trimap)
        if backgrounds is not None:
            rng = np.random.default_rng([seed, 8, index])
            behind = backgrounds.background(rng, index)
            composed = compose_rssn(rng, planes["fg"], behind, sample.alpha, settings=rssn or RssnSettings.plain())
            planes |= {"image": composed.plate, "bg": composed.background}
        return planes

    there = _samples_there(output, make)
    for done, index in enumerate(range(first, first + count)):
        if index in there:
            continue
        if progress is not None:
            progress(done, count, f"{index:06d}")
        _write(output, index, make(index))
    if progress is not None:
        progress(count, count, "")


def _samples_there(output: Path, make: Callable[[int], dict[str, FloatArray]]) -> set[int]:
    """Numbers of the samples in ``output``, after completing what a killed process left in part.

    Raises:
        DataError: there is something else, or the last sample, or one in part, is not as ``make`` has it.
    """
    if output.exists() and not output.is_dir():
        raise DataError(f"{output} is a file; name a folder for the samples.")
    entries = sorted(output.iterdir()) if output.exists() else []
    strange = [entry.name for entry in entries if entry.name not in FOLDERS or not entry.is_dir()]
    there: dict[int, list[Path]] = {}
    for path in sorted(output.glob("*/*")):
        if re.fullmatch(r"\d{6,}\.png", path.name):
            there.setdefault(int(path.stem), []).append(path)
        elif not path.name.startswith("."):  # such as the temporary file of a killed process
            strange.append(f"{path.parent.name}/{path.name}")
    if strange:
        raise DataError(f"{output} holds something else already ({strange[0]}); name a new folder for the samples.")
    parts = [index for index, paths in there.items() if len(paths) < len(FOLDERS)]
    for index in parts or sorted(there)[-1:]:
        planes = make(index)
        if not all(_holds(path, planes[path.parent.name]) for path in there[index]):
            raise DataError(
                f"{output} holds samples that were made in another way: number {index} differs. Repeat the command "
                "that made them, or name a new folder."
            )
        if index in parts:
            _write(output, index, planes)
    return set(there)


def _holds(path: Path, pixels: FloatArray) -> bool:
    """Whether the file has ``pixels`` in 8 bits."""
    stored = read_image(path).pixels
    wanted = _picture(pixels).pixels.clip(0, 1)
    return stored.shape == wanted.shape and bool(np.abs(stored - wanted).max() < 1 / 255)


def _write(output: Path, index: int, planes: dict[str, FloatArray]) -> None:
    """All files of a sample, or none."""
    paths = {name: output / name / f"{index:06d}.png" for name in planes}
    try:
        for name, pixels in planes.items():
            paths[name].parent.mkdir(parents=True, exist_ok=True)
            write_image(paths[name], _picture(pixels), data_type="uint8")
    except BaseException:  # Ctrl-C, too
        for path in paths.values():
            path.unlink(missing_ok=True)
        raise


def _picture(pixels: FloatArray) -> Image:
    channels = ("R", "G", "B") if pixels.ndim == 3 else ("Y",)
    return Image.from_pixels(pixels if pixels.ndim == 3 else pixels[..., None], channels)


def _planes(sample: Sample, make_trimap: Callable[[FloatArray], FloatArray | None]) -> dict[str, FloatArray]:
    trimap = make_trimap(sample.alpha)
    if trimap is None:
        trimap = sample.trimap.astype(np.float32) / np.float32(255)
    plate = sample.plate.astype(np.float32) / np.float32(255)
    planes = (plate, sample.alpha, trimap, sample.foreground.clip(0, 1), sample.background.clip(0, 1))
    return {name: np.asarray(plane, np.float32) for name, plane in zip(FOLDERS, planes, strict=True)}
