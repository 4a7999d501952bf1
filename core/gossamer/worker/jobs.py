"""What the worker does with models: load one, run a job."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gossamer.config import Job, job_from_values
from gossamer.errors import CancelledError, GossamerError, SettingError
from gossamer.image.sequence import FrameRange
from gossamer.inference.plan import Plan, prepare
from gossamer.inference.report import FrameReport, RunReport
from gossamer.inference.run import Progress, execute, start_report
from gossamer.inference.solver import create_solver
from gossamer.worker.networks import KeptNetworks

__all__ = ["matte", "plain", "prepare_model"]

Emit = Callable[[str, Mapping[str, Any]], None]
"""Takes an event's name and values."""

BETWEEN_PROGRESS = 0.1
"""Seconds between two reports of progress within a frame."""
WISHES = ("backend", "device", "precision", "tile", "threads")


def prepare_model(
    arguments: Mapping[str, Any], networks: KeptNetworks, emit: Emit, cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Load a model and let it solve a small picture, so that the first frame does not pay for what is done once.

    Args:
        arguments: ``model`` and the wishes ``backend``, ``device``, ``precision``, ``tile``, ``threads``.
        networks: keeps what is loaded.
        emit: told what goes on.
        cancelled: asked before the model is loaded and before it is warmed up.

    Raises:
        CancelledError: ``cancelled`` said so.
        GossamerError: the wishes exclude each other, or cannot be met here.
    """
    begun = time.monotonic()
    values = {name: arguments[name] for name in ("model", *WISHES) if name in arguments}
    unknown = sorted(set(arguments) - set(values))
    if unknown:
        raise SettingError(f"prepare takes model, {', '.join(WISHES)}; {', '.join(unknown)} is unknown.")
    # A job checks every setting's type and value; this one's plate is never opened.
    job = job_from_values({"schema": 1, "plate": "none", **values}, "prepare")
    networks.was_loaded = False
    if cancelled():
        raise CancelledError("Cancelled before it began.")
    solver = create_solver(
        job.model,
        backend=job.backend,
        device=job.device,
        precision=job.precision,
        tile=job.tile,
        threads=job.threads,
        building=_building(emit),
        cancelled=cancelled,
        open_network=networks.open,
    )
    if cancelled():
        raise CancelledError("Cancelled. The model is loaded and stays.")
    if not networks.was_loaded:
        trimap = np.full((64, 64), 0.5, np.float32)
        trimap[:, :16], trimap[:, 48:] = 0, 1
        solver.solve(np.random.default_rng(0).random((64, 64, 3), np.float32), trimap)
    return {
        "model": solver.name,
        "identity": solver.identity,
        "needs_trimap": solver.needs_trimap,
        "asked": {"model": job.model, **_asked(job)},
        "done": {**solver.effective, "tile": job.tile or "auto"},
        "seconds": round(time.monotonic() - begun, 3),
        "was_loaded": networks.was_loaded,
    }


def matte(
    values: Mapping[str, Any], networks: KeptNetworks, emit: Emit, cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Run a job given as the JSON of ``gossamer run``.

    Emits ``started`` once everything is checked and the model is there, ``progress`` within frames, and ``frame`` for
    each one written.

    Raises:
        CancelledError: ``cancelled`` said so; the message tells how many frames are finished.
        GossamerError: what went wrong, with the number of finished frames.
    """
    job = job_from_values(values, "the job")
    networks.was_loaded = False
    if cancelled():
        raise CancelledError("Cancelled before it began.")
    plan = prepare(job, building=_building(emit), cancelled=cancelled, open_network=networks.open)
    was_loaded = networks.was_loaded
    report = start_report(plan)
    asked = {"model": job.model, **_asked(job)}
    done = {**plan.solver.effective, "model": plan.solver.name, "identity": plan.solver.identity}
    emit(
        "started",
        {
            "frames": str(FrameRange(plan.frames)),
            "total": len(plan.frames),
            "finished_before": str(FrameRange(plan.finished)),
            "missing": str(FrameRange(tuple(plan.missing))),
            "asked": asked,
            "done": {**done, "tile": job.tile or "auto"},
            "notes": list(plan.notes),
        },
    )
    try:
        execute(plan, report, progress=_Reporter(emit), cancelled=cancelled)
    except CancelledError as error:
        raise CancelledError(f"Cancelled. {_finished(report)}") from error
    except GossamerError as error:
        if cancelled():  # a pass that was stopped in the middle fails like any other
            raise CancelledError(f"Cancelled. {_finished(report)}") from error
        raise type(error)(f"{error} {_finished(report)}".strip()) from error
    return {
        "asked": asked,
        "done": {**done, "tile": _largest_tile(report) or job.tile or "auto"},
        "finished_before": str(FrameRange(plan.finished)),
        "missing": str(FrameRange(tuple(plan.missing))),
        "seconds": round(report.seconds, 3),
        "was_loaded": was_loaded,
        "notes": [*report.notes, *_space_note(plan)],
    }


class _Reporter:
    """Turns the run's progress into events, a few a second."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.last = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.finished is not None:
            self.emit("frame", _frame_values(progress.finished))
            return
        now = time.monotonic()
        if now - self.last < BETWEEN_PROGRESS:
            return
        self.last = now
        values = {"frame": progress.frame, "part": progress.part, "done": progress.done, "total": progress.total}
        self.emit("progress", values)


def _building(emit: Emit) -> Callable[[float, str], None]:
    """Tells the host how far an engine is that has to be built first: it takes minutes, once for a card."""
    return lambda part, text: emit("building", {"part": part, "text": text})


def _frame_values(frame: FrameReport) -> dict[str, Any]:
    return {
        "frame": frame.frame,
        "outputs": list(frame.outputs),
        "width": frame.width,
        "height": frame.height,
        "seconds": {name: round(value, 4) for name, value in frame.seconds.items()},
        "done": {key: plain(value) for key, value in frame.effective.items() if key != "notes"},
        "notes": list(frame.remarks()),
    }


def plain(value: Any) -> Any:
    """A fact as JSON can hold it: numpy's numbers become Python's, what is no number becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _asked(job: Job) -> dict[str, Any]:
    names = (*WISHES, "strategy", "tta", "refine", "nonlocal_mean")
    return {name: getattr(job, name) for name in names if hasattr(job, name)}


def _finished(report: RunReport) -> str:
    done = len(report.frames)
    if report.total == 1:
        return "" if done else "Nothing was written."
    return f"{done} of {report.total} frames are finished and stay."


def _largest_tile(report: RunReport) -> str:
    sizes = [str(frame.effective.get("largest_tile", "")) for frame in report.frames]
    return max(sizes, key=_area, default="")


def _area(size: str) -> int:
    width, _, height = size.partition("x")
    return int(width) * int(height) if width.isdigit() and height.isdigit() else 0


def _space_note(plan: Plan) -> list[str]:
    return [f"plate: {plan.space.name} ({plan.space.reason})"]
