"""One measurement of ``gossamer bench``: a job in a process of its own, and what its answer says."""

from __future__ import annotations

import dataclasses
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.config import Job, save_job
from gossamer.image.image import FloatArray

__all__ = ["PARTS", "Difference", "Measurement", "difference", "measurement", "run_child"]

PARTS = ("read", "color", "network", "merge", "nonlocal", "write")
"""Of a frame, in their order. A solver without a network has its whole solve under ``network``."""


@dataclass(frozen=True)
class Difference:
    """Distance of alpha to the reference (torch, fp32) over the unknown pixels of the first frame."""

    mean: float
    most: float
    """99.9 of 100 pixels are no farther."""
    largest: float


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
    """Network, merge and non-local mean, model loaded: median over the frames."""
    total: float = 0.0
    """All parts of a frame together: median over the frames."""
    total_p95: float = 0.0
    """95 of 100 frames take no longer."""
    wall: float = 0.0
    """The whole run, model loaded; less than all totals together where parts overlap."""
    frames_per_second: float = 0.0
    cpu: float = 0.0
    """CPU seconds a frame, all threads together: what a loaded machine still tells truly."""
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
    backend: str = ""
    """As asked for, with its precision: ``openvino:bf16``. Empty for solvers without a network."""
    peak_device_memory: int | None = None
    """Bytes that the process holds on the GPU at its end; None without a GPU."""
    difference: Difference | None = None
    """None where there is no reference to compare with."""


def run_child(job: Job, folder: Path, matte: Path | None = None) -> dict[str, Any]:
    """The answer of :mod:`gossamer.evaluation.bench_child`, with ``error`` where there is none.

    ``matte`` receives the alpha of the first frame as a ``.npy`` file, in float32.
    """
    job_file, answer_file = folder / "job.json", folder / "answer.json"
    save_job(job, job_file)
    answer_file.unlink(missing_ok=True)
    # No deadline: a classical solver may take minutes a frame, and Ctrl-C reaches the child as well.
    child = subprocess.run(
        [
            *(sys.executable, "-m", "gossamer.evaluation.bench_child", str(job_file), str(answer_file)),
            *([] if matte is None else [str(matte)]),
        ],
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


def measurement(asked: Measurement, answer: Mapping[str, Any], compared: Difference | None = None) -> Measurement:
    """``asked`` (model, backend and picture) with the numbers of a child's ``answer``."""
    if "error" in answer:
        return dataclasses.replace(asked, error=answer["error"])
    frames = [_parts(frame["seconds"]) for frame in answer["frames"]]
    totals = [sum(parts.values()) for parts in frames]
    wall = float(answer["wall_seconds"])
    return dataclasses.replace(
        asked,
        parts={name: statistics.median(parts[name] for parts in frames) for name in PARTS},
        solve=statistics.median(parts["network"] + parts["merge"] + parts["nonlocal"] for parts in frames),
        total=statistics.median(totals),
        total_p95=float(np.percentile(totals, 95)),
        wall=wall,
        frames_per_second=len(frames) / wall,
        cpu=float(answer["cpu_seconds"]) / len(frames),
        network_share=sum(parts["network"] for parts in frames) / wall,
        network_part=answer["frames"][0]["effective"].get("network_part"),
        peak_memory=answer["peak_memory"],
        peak_device_memory=answer["peak_device_memory"],
        difference=compared,
        load=answer["load_seconds"],
        runs_on={"identity": answer["identity"], **answer["effective"]},
    )


def _parts(seconds: Mapping[str, float]) -> dict[str, float]:
    """A frame's report as PARTS: what the rest of the solve takes is planning and merging tiles."""
    network, mean = seconds.get("network", seconds["solve"]), seconds.get("nonlocal", 0.0)
    merge = max(seconds["solve"] - network - mean, 0.0)
    return {
        "read": seconds["read"],
        "color": seconds["color"],
        "network": network,
        "merge": merge,
        "nonlocal": mean,
        "write": seconds["write"],
    }


def difference(matte: Path, reference: Path, trimap: FloatArray) -> Difference | None:
    """How far the alpha of ``matte`` is from that of ``reference`` where ``trimap`` is unknown; None if one lacks."""
    if not (matte.exists() and reference.exists()):
        return None
    distance = np.abs(np.load(matte) - np.load(reference))[trimap == 0.5]
    return Difference(float(distance.mean()), float(np.quantile(distance, 0.999)), float(distance.max()))
