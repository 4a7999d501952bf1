"""From a job to what will be done: sources opened, frames counted, model loaded, nothing computed yet.

Everything that can be known to be wrong before the first frame is solved is found here.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gossamer import __version__
from gossamer.config import Job
from gossamer.errors import ImageWriteError, SequenceError, SettingError
from gossamer.image.color import SpaceChoice, resolve_space
from gossamer.image.paths import expand_home, kind_of
from gossamer.image.sequence import FrameRange, FrameSource, ImageSequence, match_guide, open_source
from gossamer.inference.finished import find_finished
from gossamer.inference.outputs import check_outputs, frame_outputs
from gossamer.inference.solver import Cancelled, NetworkOpener, Solver, create_solver
from gossamer.inference.sources import Sources, find_missing

__all__ = ["Plan", "prepare"]

logger = logging.getLogger(__name__)

LEFTOVER_AGE = 600.0
"""Seconds without a change after which a hidden temporary file in the output folder belongs to no running process."""
_LONGEST_SHOT = 100_000
"""Frames; beyond it most have to be there."""


@dataclass(frozen=True)
class Plan:
    """A job that is ready to run."""

    job: Job
    solver: Solver
    sources: Sources
    frames: tuple[int, ...]
    """Frames to solve, rising."""
    finished: tuple[int, ...]
    """Frames that lie finished in the output folder and are kept."""
    missing: Mapping[int, tuple[str, ...]]
    """Frames left out because files are missing (``--missing skip``)."""
    job_hash: str
    width: int
    """Of the first frame's display window."""
    height: int
    data_type: str
    space: SpaceChoice
    """Of the first frame; each frame decides for itself and reports it."""
    notes: tuple[str, ...] = ()

    def describe(self) -> list[tuple[str, str]]:
        """What was taken, as lines of label and text, for the screen."""
        job, effective = self.job, self.solver.effective
        lines = [
            ("plate", self.sources.plate.describe()),
            ("", f"{self.width}x{self.height} {self.data_type}, {self.space.name}: {self.space.reason}"),
        ]
        lines += [(name, guide.describe()) for name, guide in self.sources.guides.items()]
        if not self.sources.guides:
            lines.append(("trimap", "none; the whole picture is solved"))
        identity = self.solver.identity[:12] if len(self.solver.identity) == 64 else self.solver.identity
        threads = f", {effective['threads']} threads" if "threads" in effective else ""
        runs_on = f"{effective['backend']} on {effective['device']}, {effective['precision']}{threads}"
        lines.append(("model", f"{self.solver.name} ({identity}), {runs_on}"))
        lines += [("", text) for text in _test_time(effective)]
        outputs = frame_outputs(job, self.sources.plate, (*self.frames, *self.finished)[0], ())
        lines += [("output", f"{path} ...") for path in outputs.all()]
        lines.append(("frames", self._frames_text()))
        lines += [("note", note) for note in self.notes]
        return lines

    def _frames_text(self) -> str:
        text = f"{len(self.frames)} to do"
        if self.frames:
            text += f" ({FrameRange(self.frames)})"
        if self.finished:
            text += f", {len(self.finished)} finished before ({FrameRange(self.finished)})"
        if self.missing:
            text += f", {len(self.missing)} left out for missing files ({FrameRange(tuple(self.missing))})"
        return text


def _test_time(effective: Mapping[str, Any]) -> list[str]:
    """What is done beside one pass over each tile, for the screen."""
    looks = {
        "whole": "the whole picture in one pass",
        "resize": "the whole picture, reduced (RESIZE)",
        "hybrid": "the whole picture, reduced to two sizes (HYBRID)",
    }
    averages = {
        "flips": "mean of the picture and its mirror image",
        "fine": "mean of the picture and one half as large again",
        "views": "mean of 8 views at 3 scales",
    }
    texts = [looks.get(effective.get("strategy", ""), ""), averages.get(effective.get("tta", ""), "")]
    if effective.get("refine"):
        texts.append(f"refined in {effective['refine']} steps a tile")
        texts.append("each frame begins where the one before ended" if effective.get("refine_carry") else "")
    text = "; ".join(text for text in texts if text)
    return [text] if text else []


def prepare(
    job: Job,
    *,
    building: Callable[[float, str], None] | None = None,
    cancelled: Cancelled | None = None,
    open_network: NetworkOpener | None = None,
) -> Plan:
    """Open everything ``job`` names and decide which frames are to be solved.

    Args:
        job: what to do.
        building: told how far an engine is that has to be built first (TensorRT), 0..1, and what goes on.
        cancelled: asked while it is built.
        open_network: gives networks that are loaded already; see :func:`gossamer.inference.solver.create_solver`.

    Raises:
        SequenceError: sources or frames are missing, or outputs exist already; nothing has been written then.
        SettingError, ModelError, MissingDependencyError, ColorError, ImageReadError: see the message.
    """
    check_outputs(job.outputs)
    sources, notes = _open_sources(job)
    wanted = _wanted_frames(job, sources.plate)
    missing = find_missing(sources, wanted)
    if missing.files and job.missing == "error":
        raise SequenceError(missing.message())
    present = tuple(frame for frame in wanted if frame not in missing.files)
    if not present:
        raise SequenceError(f"None of the {len(wanted)} frames has all its files. {missing.message()}")
    solver = create_solver(
        job.model,
        backend=job.backend,
        device=job.device,
        precision=job.precision,
        tile=job.tile,
        threads=job.threads,
        strategy=job.strategy,
        tta=job.tta,
        refine=job.refine,
        refine_carry=job.refine_carry,
        nonlocal_mean=job.nonlocal_mean,
        building=building,
        cancelled=cancelled,
        open_network=open_network,
    )
    if solver.needs_trimap and not sources.guides:
        raise SettingError(
            f"{solver.name} needs to know where to look: give --trimap, or --mask with --band-in and --band-out, or "
            "--core and --garbage mattes."
        )
    first = sources.plate.read(present[0])
    space = resolve_space(first, job.plate_space)
    job_hash = job.hash(weights=solver.identity, version=__version__)
    finished = find_finished(job, sources, present, first, job_hash)
    _make_folder(frame_outputs(job, sources.plate, present[0], sources.guides.values()).matte.parent)
    return Plan(
        job=job,
        solver=solver,
        sources=sources,
        frames=tuple(frame for frame in present if frame not in finished),
        finished=tuple(frame for frame in present if frame in finished),
        missing=missing.files,
        job_hash=job_hash,
        width=first.display_window.width,
        height=first.display_window.height,
        data_type=first.data_type,
        space=space,
        notes=tuple(notes),
    )


def _open_sources(job: Job) -> tuple[Sources, list[str]]:
    frames = FrameRange.parse(job.frames) if job.frames else None
    plate = open_source(job.plate, frames=frames)
    # Guides go on with the plate: both from one numbered file to its sequence, or neither. Else one trimap would serve
    # every frame of a whole run, and be a sequence for a part of it.
    is_file = kind_of(expand_home(job.plate)) == "file"
    is_expanded = isinstance(plate, ImageSequence) and not plate.is_still and is_file
    texts = {"trimap": job.trimap, "mask": job.mask, "core": job.core_matte, "garbage": job.garbage_matte}
    notes: list[str] = []
    if job.trimap and job.mask:
        del texts["mask"]
        notes.append("the mask is not used: the trimap wins")
    guides: dict[str, FrameSource] = {}
    for name, text in texts.items():
        if not text:
            continue
        guide = match_guide(plate, open_source(text, frames=frames if is_expanded else None))
        guides[name] = guide
        if guide.is_still and not plate.is_still and len(plate.frames) > 1:
            notes.append(f"one {name} is used for every frame: {guide.path(guide.frames[0]).name}")
    return Sources(plate, guides), notes


def _wanted_frames(job: Job, plate: FrameSource) -> tuple[int, ...]:
    if not job.frames:
        return _without_gaps(plate)
    wanted = FrameRange.parse(job.frames).frames
    if plate.is_still and wanted != plate.frames:
        raise SequenceError(
            f"--frames {job.frames}: {plate.path(plate.frames[0])} is one still picture and nothing beside it belongs "
            "to the same sequence. Leave out --frames."
        )
    return wanted


def _without_gaps(plate: FrameSource) -> tuple[int, ...]:
    """Every frame from the first to the last, at the step the numbers have: a hole is a missing frame, not a choice."""
    frames = plate.frames
    step = math.gcd(*(after - before for before, after in pairwise(frames)))
    span = (frames[-1] - frames[0]) // step + 1 if step else len(frames)
    if span > _LONGEST_SHOT and span > 2 * len(frames):
        # As the names of a telephone's photographs, which hold the time of day.
        raise SequenceError(
            f"{plate.describe()} That would be {span:,} frames, of which {len(frames)} exist: these numbers seem to be "
            "no frame numbers. Give the files one by one, or say with --frames which ones are meant."
        )
    return tuple(range(frames[0], frames[-1] + 1, step)) if step else frames


def _make_folder(folder: Path) -> None:
    """Create the output folder, and clear it of temporary files that a killed run left long ago."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".gossamer-*.tmp.*"):
            with suppress(FileNotFoundError):  # another chunk of the same shot has finished that frame by now
                if time.time() - leftover.stat().st_mtime > LEFTOVER_AGE:
                    leftover.unlink()
                    logger.info("removed %s, left by a run that was killed", leftover)
    except OSError as error:
        raise ImageWriteError(f"Cannot write into the output folder {folder}: {error.strerror}.") from error
