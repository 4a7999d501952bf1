"""What a run did, frame by frame: for the screen, for ``--report`` and for farm scripts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossamer import __version__
from gossamer.config import Job
from gossamer.errors import CancelledError, GossamerError
from gossamer.image.writing import replace_when_done

__all__ = ["REPORT_SCHEMA", "FrameReport", "RunReport", "report_before", "write_report"]

REPORT_SCHEMA = "gossamer.inference.report"
REPORT_VERSION = 1


@dataclass(frozen=True)
class FrameReport:
    """One finished frame."""

    frame: int
    plate: str
    """The file that was read."""
    outputs: tuple[str, ...]
    """The files that were written, the matte first."""
    width: int
    height: int
    """Of the data window."""
    color_space: str
    color_space_reason: str
    effective: Mapping[str, Any]
    """What the solver did: tiles, passes, pixels the network read, part that was unknown; refinement: steps a tile,
    tiles, tiles where the guard took steps back, tiles where no step helped, mean loss before and after."""
    seconds: Mapping[str, float]
    """``read`` (files and trimap), ``color``, ``solve`` (of which ``network``, if there is one), ``write``."""
    bad_pixels: int = 0
    """Samples of the plate that are NaN or infinite. The network saw 0 (or a large value) there; outputs keep them."""
    notes: tuple[str, ...] = ()
    """Where the trimap comes from, and what is legal but unusual."""

    def remarks(self) -> tuple[str, ...]:
        """Everything that a person should be told of this frame."""
        found = (*self.notes, *self.effective.get("notes", ()))
        if self.bad_pixels:
            return (*found, "the plate holds NaN or infinite values; the report counts them, the outputs keep them")
        return found


@dataclass
class RunReport:
    """One run of a job. Filled while the run goes on, so that it tells what was done when something stops it."""

    job: Job
    job_hash: str
    model: Mapping[str, Any]
    """``name``, ``identity`` (SHA-256 of the weights, or the version of a library)."""
    effective: Mapping[str, Any]
    """What was used, beside what the job asked for: backend, device, precision, threads, strategy, tta, refine,
    nonlocal_mean."""
    total: int
    """Frames that were to be solved."""
    finished_before: tuple[int, ...] = ()
    """Frames that an earlier run had finished."""
    missing: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Frames left out because the plate or a guide lacks them, with the missing files."""
    notes: list[str] = field(default_factory=list)
    frames: list[FrameReport] = field(default_factory=list)
    state: str = "running"
    """``running``, ``done``, ``cancelled`` or ``failed``."""
    error: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("backend", "device", "precision", "tile", "threads", "strategy", "tta", "refine", "nonlocal_mean")
        asked = {name: getattr(self.job, name) for name in names}
        return {
            "schema": REPORT_SCHEMA,
            "version": REPORT_VERSION,
            "gossamer": __version__,
            "state": self.state,
            "error": self.error,
            "job": dataclasses.asdict(self.job),
            "job_hash": self.job_hash,
            "model": dict(self.model),
            "asked": asked,
            "effective": dict(self.effective),
            "seconds": round(self.seconds, 3),
            "frames_total": self.total,
            "frames_done": len(self.frames),
            "finished_before": list(self.finished_before),
            "missing": {str(frame): list(files) for frame, files in self.missing.items()},
            "notes": list(self.notes),
            "frames": [dataclasses.asdict(frame) for frame in self.frames],
        }


def report_before(job: Job, error: GossamerError) -> RunReport:
    """The report of a job that was stopped before its first frame: nothing is known of model and frames."""
    state = "cancelled" if isinstance(error, CancelledError) else "failed"
    return RunReport(job=job, job_hash="", model={}, effective={}, total=0, state=state, error=str(error))


def write_report(report: RunReport, path: Path) -> None:
    """Write ``report`` as JSON, whole or not at all.

    Raises:
        ImageWriteError: the file cannot be written.
    """
    with replace_when_done(path) as temporary:
        text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"
        # Names may hold bytes that are no UTF-8; what stands for these is JSON as well.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
