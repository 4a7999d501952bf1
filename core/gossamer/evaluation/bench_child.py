"""One configuration of ``gossamer bench`` in a process of its own, so that its peak of memory is its own.

Started as ``python -m gossamer.evaluation.bench_child JOB ANSWER [MATTE]``: does the job of the file JOB as ``gossamer
run`` would, and writes what it took to the file ANSWER. MATTE receives the first frame's alpha, solved once more.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.config import load_job
from gossamer.errors import GossamerError
from gossamer.evaluation.evaluate import warm_up
from gossamer.inference.frame import load_frame
from gossamer.inference.plan import prepare
from gossamer.inference.run import execute, start_report

__all__ = ["device_memory", "main", "peak_memory"]


def peak_memory() -> int | None:
    """Most bytes of memory that this process has held at once; None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return _peak_memory_elsewhere()


def _peak_memory_elsewhere() -> int | None:
    """macOS counts bytes. Linux is not asked this way: there the number begins with what the parent held."""
    if sys.platform != "darwin":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def device_memory() -> int | None:
    """Bytes that this process holds on NVIDIA GPUs; None where there is none. Libraries keep what they once took."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        rows = [line.split(",") for line in said.splitlines() if line.strip()]
        held = [int(memory) for process, memory in rows if int(process) == os.getpid()]
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return sum(held) * 2**20 if held else None


def _measure(job_file: Path, matte: Path | None) -> dict[str, Any]:
    started = time.monotonic()
    plan = prepare(load_job(job_file))
    loaded = time.monotonic()
    warm_up(plan.solver.name, plan.solver)
    report = start_report(plan)
    warm = time.monotonic()
    execute(plan, report)
    peak, peak_device = peak_memory(), device_memory()
    if matte is not None:
        loaded_frame = load_frame(plan, plan.frames[0])
        assert loaded_frame.display is not None
        solved = plan.solver.solve(loaded_frame.display, loaded_frame.trimap, origin=loaded_frame.origin)
        np.save(matte, solved.alpha)
    return {
        "load_seconds": loaded - started,
        "warm_up_seconds": warm - loaded,
        "wall_seconds": report.seconds,
        "peak_memory": peak,
        "peak_device_memory": peak_device,
        "identity": plan.solver.identity,
        "effective": dict(plan.solver.effective),
        "frames": [{"seconds": dict(frame.seconds), "effective": dict(frame.effective)} for frame in report.frames],
    }


def main(job_file: Path, answer_file: Path, matte: Path | None = None) -> None:
    """Measure and answer; what the project can explain is an answer too."""
    try:
        answer = _measure(job_file, matte)
    except GossamerError as error:
        answer = {"error": str(error)}
    answer_file.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]))
