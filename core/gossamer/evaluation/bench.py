"""Times of a job's parts and its peak of memory, for models, sizes and bands, each in a process of its own.

The job is the real one (:mod:`gossamer.inference.run`): it reads half EXR files that were just written, so they come
out of the system's file cache, and writes its matte into the same temporary folder. Reading ahead and writing behind
go on as in every run; parts that overlap slow each other down and are counted each for itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.config import Job, Outputs, save_job
from gossamer.errors import SettingError
from gossamer.evaluation.bench_picture import make_plate, make_trimap
from gossamer.evaluation.machine import cores, memory, versions
from gossamer.image.image import Image
from gossamer.image.io import write_image
from gossamer.image.trimap import is_unknown
from gossamer.inference.solver import CLASSICAL
from gossamer.models.weights import find_manifest

__all__ = ["PARTS", "Bench", "Measurement", "Progress", "bench", "parse_size"]

PARTS = ("read", "color", "network", "merge", "write")
"""Of a frame, in their order. A solver without a network has its whole solve under ``network``."""
SIDES = 32, 32768
"""Shortest and longest side of a picture that can be asked for."""
FIRST_FRAME = 1001

Progress = Callable[[int, int, str], None]
"""Told the measurements done, the measurements in all, and what comes next."""


@dataclass(frozen=True)
class Measurement:
    """One model on one picture. Seconds a frame; all numbers are 0 or None where ``error`` says why."""

    model: str
    width: int
    height: int
    band: float
    """As asked for."""
    unknown: float
    """Part of the picture that is unknown, counted."""
    parts: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Median over the frames, by PARTS."""
    solve: float = 0.0
    """Network and merge, model loaded: median over the frames."""
    total: float = 0.0
    """All parts of a frame together: median over the frames."""
    total_p95: float = 0.0
    """95 of 100 frames take no longer."""
    wall: float = 0.0
    """The whole run, model loaded; less than all totals together where parts overlap."""
    frames_per_second: float = 0.0
    network_share: float = 0.0
    """Part of ``wall`` that went by while the network (or the classical solver) worked."""
    network_part: float | None = None
    """Pixels that the network read against those of the picture; overlaps count twice. None without a network."""
    peak_memory: int | None = None
    """Bytes of the whole process, libraries included; None where the system does not tell."""
    load: float = 0.0
    """Seconds to open files and load the model, before the run."""
    runs_on: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """``identity`` of the weights, backend, device, precision, threads."""
    error: str = ""


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
            for other in (found for found in done if found.model in CLASSICAL):
                if (other.width, other.height, other.band) == picture and network.solve > 0:
                    lines.append(
                        f"{network.width}x{network.height}, band {network.band:.0%}: {network.model} "
                        f"{network.solve:.2f} s (network and merge), {other.model} {other.solve:.2f} s: "
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


def bench(
    models: Sequence[str],
    *,
    sizes: Sequence[tuple[int, int]],
    bands: Sequence[float],
    frames: int = 5,
    settings: Mapping[str, Any] | None = None,
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
        progress: told before each measurement and at the end.

    Raises:
        SettingError: a list is empty or repeats itself, or a number is out of range; names the flag.
        ModelError: a model is unknown or damaged; found before anything is timed.
        ImageWriteError: the temporary folder cannot hold the pictures.
    """
    _check(models, sizes, bands, frames)
    total, done = len(models) * len(sizes) * len(bands), 0
    machine = _machine()
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as temporary:
        for folder, size, band, unknown in _pictures(Path(temporary), sizes, bands, frames):
            for model in models:
                if progress is not None:
                    progress(done, total, f"{size[0]}x{size[1]}, band {band:.0%}, {model}")
                job = Job(
                    plate=str(folder / "plate.####.exr"),
                    trimap=str(folder / "trimap.####.exr"),
                    model=model,
                    outputs=Outputs(path=str(folder / "out")),
                    **({} if model in CLASSICAL else dict(settings or {})),
                )
                answer = _run_child(job, folder)
                measurements.append(_measurement(model, size, band, unknown, answer))
                done += 1
    if progress is not None:
        progress(total, total, "")
    return Bench(frames, tuple(measurements), machine)


def _check(models: Sequence[str], sizes: Sequence[tuple[int, int]], bands: Sequence[float], frames: int) -> None:
    lists: dict[str, Sequence[Any]] = {"--model": models, "--size": sizes, "--band": bands}
    for flag, values in lists.items():
        if not values:
            raise SettingError(f"{flag} names nothing to measure.")
        if len(set(values)) < len(values):
            raise SettingError(f"{flag} names the same twice; give each value once.")
    for band in bands:
        if not 0 < band <= 1:
            raise SettingError(f"--band is {band:g}; give the unknown part of the picture, above 0 and up to 1.")
    if frames < 1:
        raise SettingError(f"--frames is {frames}; measure at least 1.")
    for model in models:
        if model not in CLASSICAL:
            find_manifest(model)


def _pictures(
    root: Path, sizes: Sequence[tuple[int, int]], bands: Sequence[float], frames: int
) -> Iterator[tuple[Path, tuple[int, int], float, float]]:
    """A folder for every picture with its size, its band and the counted one; removed when the next is asked for."""
    for size in sizes:
        for band in bands:
            folder = root / f"{size[0]}x{size[1]}-{band:g}"
            folder.mkdir()
            yield folder, size, band, _write_picture(folder, size, band, frames)
            shutil.rmtree(folder)


def _write_picture(folder: Path, size: tuple[int, int], band: float, frames: int) -> float:
    """Write ``frames`` equal plates and trimaps; returns the part that is unknown."""
    trimap = make_trimap(*size, band)
    pictures = {
        "trimap": Image.from_pixels(trimap[..., None], ("A",)),
        "plate": Image.from_pixels(make_plate(*size, band), ("R", "G", "B")),
    }
    for name, picture in pictures.items():
        first = folder / f"{name}.{FIRST_FRAME}.exr"
        write_image(first, picture, data_type="half")
        for frame in range(FIRST_FRAME + 1, FIRST_FRAME + frames):
            copy = folder / f"{name}.{frame}.exr"
            try:
                os.link(first, copy)
            except OSError:  # a file system without links
                shutil.copyfile(first, copy)
    return float(is_unknown(trimap).mean())


def _run_child(job: Job, folder: Path) -> dict[str, Any]:
    """The answer of :mod:`gossamer.evaluation.bench_child`, with ``error`` where there is none."""
    job_file, answer_file = folder / "job.json", folder / "answer.json"
    save_job(job, job_file)
    answer_file.unlink(missing_ok=True)
    # No deadline: a classical solver may take minutes a frame, and Ctrl-C reaches the child as well.
    child = subprocess.run(
        [sys.executable, "-m", "gossamer.evaluation.bench_child", str(job_file), str(answer_file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    shutil.rmtree(folder / "out", ignore_errors=True)
    if child.returncode == 0 and answer_file.exists():
        answer: dict[str, Any] = json.loads(answer_file.read_text(encoding="utf-8"))
        return answer
    if child.returncode < 0:
        return {"error": f"killed by signal {-child.returncode}; often the system does that for lack of memory."}
    said = child.stderr.decode(errors="replace").strip().splitlines()
    return {"error": f"ended with code {child.returncode}: {said[-1] if said else 'nothing was said'}"}


def _measurement(
    model: str, size: tuple[int, int], band: float, unknown: float, answer: Mapping[str, Any]
) -> Measurement:
    if "error" in answer:
        return Measurement(model, *size, band, unknown, error=answer["error"])
    frames = [_parts(frame["seconds"]) for frame in answer["frames"]]
    totals = [sum(parts.values()) for parts in frames]
    wall = float(answer["wall_seconds"])
    return Measurement(
        model,
        *size,
        band,
        unknown,
        parts={name: statistics.median(parts[name] for parts in frames) for name in PARTS},
        solve=statistics.median(parts["network"] + parts["merge"] for parts in frames),
        total=statistics.median(totals),
        total_p95=float(np.percentile(totals, 95)),
        wall=wall,
        frames_per_second=len(frames) / wall,
        network_share=sum(parts["network"] for parts in frames) / wall,
        network_part=answer["frames"][0]["effective"].get("network_part"),
        peak_memory=answer["peak_memory"],
        load=answer["load_seconds"],
        runs_on={"identity": answer["identity"], **answer["effective"]},
    )


def _parts(seconds: Mapping[str, float]) -> dict[str, float]:
    """A frame's report as PARTS: what the solve takes beside the network is planning and merging tiles."""
    network = seconds.get("network", seconds["solve"])
    merge = max(seconds["solve"] - network, 0.0)
    return {
        "read": seconds["read"],
        "color": seconds["color"],
        "network": network,
        "merge": merge,
        "write": seconds["write"],
    }


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
