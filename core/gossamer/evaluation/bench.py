"""Times of a job's parts and its peak of memory, for models, sizes and bands, each in a process of its own.

The job is the real one (:mod:`gossamer.inference.run`): it reads half EXR files that were just written, so they come
out of the system's file cache, and writes its matte into the same temporary folder. Reading ahead and writing behind
go on as in every run; parts that overlap slow each other down and are counted each for itself.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer.config import BACKENDS, PRECISIONS, Job, Outputs
from gossamer.errors import SettingError
from gossamer.evaluation.bench_measurement import PARTS, Measurement, difference, measurement, run_child
from gossamer.evaluation.bench_shot import FIRST_FRAME, pictures
from gossamer.evaluation.machine import cores, memory, versions
from gossamer.image.image import FloatArray
from gossamer.image.trimap import is_unknown
from gossamer.inference.solver import CLASSICAL
from gossamer.models.weights import find_manifest

__all__ = ["PARTS", "Bench", "Measurement", "Progress", "bench", "parse_backend", "parse_size"]

REFERENCE = {"backend": "torch", "device": "cpu", "precision": "fp32"}
"""What the other backends' mattes are compared with."""
SIDES = 32, 32768
"""Shortest and longest side of a picture that can be asked for."""

Progress = Callable[[int, int, str], None]
"""Told the measurements done, the measurements in all, and what comes next."""


@dataclass(frozen=True)
class Bench:
    """Measurements and the machine they come from."""

    frames: int
    measurements: tuple[Measurement, ...]
    machine: Mapping[str, Any]

    def comparisons(self) -> list[str]:
        """For every picture that a network and a classical solver have solved: how much faster the network is."""
        lines = []
        done = [found for found in self.measurements if not found.error]
        for network in (found for found in done if found.model not in CLASSICAL):
            picture = network.width, network.height, network.band
            by = f" by {network.backend}" if network.backend else ""
            for other in (found for found in done if found.model in CLASSICAL):
                if (other.width, other.height, other.band) == picture and network.solve > 0:
                    lines.append(
                        f"{network.width}x{network.height}, band {network.band:.0%}: {network.model}{by} "
                        f"{network.solve:.2f} s (network, merge, non-local mean), {other.model} {other.solve:.2f} s: "
                        f"{other.solve / network.solve:.1f} times faster"
                    )
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def parse_size(text: str) -> tuple[int, int]:
    """``1920x1080`` to width and height.

    Raises:
        SettingError: anything else, or a side out of range.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    if match is None:
        raise SettingError(f"--size is {text!r}; give width and height in pixels, for instance 1920x1080.")
    width, height = int(match[1]), int(match[2])
    low, high = SIDES
    if not (low <= width <= high and low <= height <= high):
        raise SettingError(f"--size is {text!r}; each side must have {low} to {high} pixels.")
    return width, height


def parse_backend(text: str) -> dict[str, str]:
    """``openvino`` or ``openvino:bf16`` to a job's ``backend`` and ``precision``.

    Raises:
        SettingError: there is no such backend or precision.
    """
    backend, _, precision = text.strip().partition(":")
    if backend not in BACKENDS or (precision or "auto") not in PRECISIONS:
        raise SettingError(
            f"--backends has {text!r}; give {', '.join(BACKENDS)}, each with :{', :'.join(PRECISIONS[1:])} if wanted."
        )
    return {"backend": backend, "precision": precision or "auto"}


def bench(
    models: Sequence[str],
    *,
    sizes: Sequence[tuple[int, int]],
    bands: Sequence[float],
    frames: int = 5,
    settings: Mapping[str, Any] | None = None,
    backends: Sequence[str] = (),
    progress: Progress | None = None,
) -> Bench:
    """Time every model on every picture: ``sizes`` times ``bands``, the same files for all models.

    Every measurement loads the model, solves a small picture that does not count, then runs the job over ``frames``
    copies of the picture. One that fails is reported with its reason, and the others go on.

    Args:
        models: names or paths that ``gossamer matte --model`` takes.
        sizes: width and height, pixels.
        bands: parts of the picture that are unknown, above 0 and up to 1.
        frames: frames of each run.
        settings: further fields of the job (backend, device, precision, tile, threads). Classical solvers get none.
        backends: as for :func:`parse_backend`: networks run once by each of them, and their mattes are compared with
            torch's in fp32, which solves one frame for that.
        progress: told before each measurement and at the end.

    Raises:
        SettingError: a list is empty or repeats itself, or a number is out of range; names the flag.
        ModelError: a model is unknown or damaged; found before anything is timed.
        ImageWriteError: the temporary folder cannot hold the pictures.
    """
    _check(models, sizes, bands, frames, backends)
    ways = [(model, way) for model in models for way in (backends if backends and model not in CLASSICAL else ("",))]
    total, done = len(ways) * len(sizes) * len(bands), 0
    machine = _machine()
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as temporary:
        for folder, size, band, trimap in pictures(Path(temporary), sizes, bands, frames):
            for model, way in ways:
                if progress is not None:
                    by = f" by {way}" if way else ""
                    progress(done, total, f"{size[0]}x{size[1]}, band {band:.0%}, {model}{by}")
                asked = Measurement(model, *size, band, float(is_unknown(trimap).mean()), backend=way)
                chosen = {} if model in CLASSICAL else {**(settings or {}), **(parse_backend(way) if way else {})}
                measurements.append(_measure(asked, _job(folder, model, chosen), folder, trimap, machine))
                done += 1
    if progress is not None:
        progress(total, total, "")
    return Bench(frames, tuple(measurements), machine)


def _job(folder: Path, model: str, settings: Mapping[str, Any], frames: str = "") -> Job:
    return Job(
        plate=str(folder / "plate.####.exr"),
        trimap=str(folder / "trimap.####.exr"),
        frames=frames,
        model=model,
        outputs=Outputs(path=str(folder / "out")),
        **settings,
    )


def _measure(asked: Measurement, job: Job, folder: Path, trimap: FloatArray, machine: dict[str, Any]) -> Measurement:
    """Run one measurement; with backends side by side, compare its matte with the reference's, made when first needed.

    What keeps the reference from running goes to the facts of the ``machine``: the times are good without it.
    """
    if not asked.backend:
        return measurement(asked, run_child(job, folder))
    matte, reference = folder / "matte.npy", folder / f"reference-{re.sub(r'[^A-Za-z0-9]', '-', asked.model)}.npy"
    lacking: dict[str, str] = machine.setdefault("no_reference", {})
    if not reference.exists() and asked.model not in lacking:
        settings = {**REFERENCE, "tile": job.tile, "threads": job.threads}
        said = run_child(_job(folder, asked.model, settings, frames=str(FIRST_FRAME)), folder, reference)
        if "error" in said:
            lacking[asked.model] = said["error"]
    matte.unlink(missing_ok=True)
    answer = run_child(job, folder, matte)
    return measurement(asked, answer, difference(matte, reference, trimap))


def _check(
    models: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    bands: Sequence[float],
    frames: int,
    backends: Sequence[str],
) -> None:
    lists: dict[str, Sequence[Any]] = {"--model": models, "--size": sizes, "--band": bands, "--backends": backends}
    for flag, values in lists.items():
        if not values and flag != "--backends":
            raise SettingError(f"{flag} names nothing to measure.")
        if len(set(values)) < len(values):
            raise SettingError(f"{flag} names the same twice; give each value once.")
    for band in bands:
        if not 0 < band <= 1:
            raise SettingError(f"--band is {band:g}; give the unknown part of the picture, above 0 and up to 1.")
    if frames < 1:
        raise SettingError(f"--frames is {frames}; measure at least 1.")
    for backend in backends:
        parse_backend(backend)
    for model in models:
        if model not in CLASSICAL:
            find_manifest(model)


def _machine() -> dict[str, Any]:
    """Facts without which the numbers mean nothing."""
    sizes = memory()
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "memory": sizes[0] if sizes is not None else None,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
