"""Run solvers over a folder of pictures with known alpha and measure them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.errors import CancelledError, GossamerError, ModelError, SettingError
from gossamer.evaluation.cases import Case, LoadedCase, find_cases, load_case
from gossamer.evaluation.machine import versions
from gossamer.evaluation.results import Evaluation, PictureScores
from gossamer.evaluation.scores import measure
from gossamer.image.image import FloatArray
from gossamer.inference.solver import Cancelled, Solution, Solver

__all__ = ["Progress", "SolvedCase", "evaluate", "warm_up"]

logger = logging.getLogger(__name__)

COUNTED = ("passes", "refine_tiles", "refine_steps", "refine_guarded", "refine_unchanged")
"""What solvers report of a picture that is summed up over all of them."""

Progress = Callable[[int, int, str], None]
"""Told the solves done, the solves in all, and what comes next."""


@dataclass(frozen=True, eq=False)
class SolvedCase:
    """One picture with every model's matte, for those who want to see it."""

    case: Case
    pixels: LoadedCase
    mattes: Mapping[str, FloatArray]
    """By model: H x W, 0..1."""
    scores: Mapping[str, PictureScores]


def evaluate(
    folder: Path,
    solvers: Mapping[str, Solver],
    *,
    trimap: str = "trimap",
    plate_space: str = "",
    guided: bool = False,
    on_picture: Callable[[SolvedCase], None] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Evaluation:
    """Solve every picture of ``folder`` with every solver and measure the mattes over both regions.

    Each solver first runs once on a small made-up picture, so that compilers and allocators do not count. One picture's
    pixels are held at a time.

    Args:
        folder: holds ``image/``, ``alpha/`` and ``trimap*/`` with equal stems.
        solvers: loaded, by the names under which they are reported.
        trimap: name of the trimap folder.
        plate_space: OCIO colour space of the plates; empty: what their headers or file types say.
        guided: give the trimap to solvers that need none, too.
        on_picture: given each picture with its mattes as soon as all models have solved it.
        progress: told before each solve and at the end.
        cancelled: asked between and during solves.

    Raises:
        DataError: the folder is incomplete; every fault is listed before anything is solved.
        SettingError: no solver is given.
        ModelError: a solver returned something that is no matte; names model and picture.
        CancelledError: ``cancelled`` said so.
    """
    if not solvers:
        raise SettingError("No model given; name at least one.")
    cases = find_cases(folder, trimap)
    warmed = {name: warm_up(name, solver) for name, solver in solvers.items()}
    total, done = len(cases) * len(solvers), 0
    pictures: dict[str, dict[str, PictureScores]] = {}
    notes: dict[str, list[str]] = {}
    counts: dict[str, Counter[str]] = {name: Counter() for name in solvers}
    for case in cases:
        pixels = load_case(case, plate_space=plate_space)
        for note in pixels.notes:
            notes.setdefault(note, []).append(case.stem)
        mattes: dict[str, FloatArray] = {}
        pictures[case.stem] = {}
        for name, solver in solvers.items():
            if cancelled is not None and cancelled():
                raise CancelledError("Cancelled; nothing was reported.")
            if progress is not None:
                progress(done, total, f"{case.stem} {name}")
            solution, seconds = _solve(name, solver, case, pixels, cancelled, guided=guided)
            alpha = mattes[name] = solution.alpha
            counts[name].update({key: solution.effective[key] for key in COUNTED if key in solution.effective})
            pictures[case.stem][name] = PictureScores(
                unknown=measure(alpha, pixels.truth, pixels.trimap, region="unknown", seconds=seconds),
                whole=measure(alpha, pixels.truth, pixels.trimap, region="whole", seconds=seconds),
            )
            done += 1
        if on_picture is not None:
            on_picture(SolvedCase(case, pixels, mattes, pictures[case.stem]))
    if progress is not None:
        progress(total, total, "")
    return Evaluation(
        folder=str(folder),
        trimap=trimap,
        models=tuple(solvers),
        pictures=pictures,
        details={name: {**_details(solver, warmed[name]), **counts[name]} for name, solver in solvers.items()},
        versions=versions(),
        notes=tuple(_shorten(note, stems, len(cases)) for note, stems in notes.items()),
    )


def _solve(
    name: str, solver: Solver, case: Case, pixels: LoadedCase, cancelled: Cancelled | None, *, guided: bool
) -> tuple[Solution, float]:
    """What it answered and the seconds it took. Errors name the model and the picture."""
    guide = pixels.trimap if solver.needs_trimap or guided else None
    started = time.perf_counter()
    try:
        solution = solver.solve(pixels.plate, guide, cancelled=cancelled)
    except CancelledError:
        raise
    except GossamerError as error:
        raise type(error)(f"{name} on {case.plate}: {error}") from error
    seconds = time.perf_counter() - started
    alpha = solution.alpha
    if alpha.shape != pixels.trimap.shape:
        raise ModelError(f"{name} on {case.plate}: the matte has shape {alpha.shape}, the plate {pixels.trimap.shape}.")
    broken = int((~np.isfinite(alpha)).sum())
    if broken:
        raise ModelError(f"{name} on {case.plate}: {broken} pixels of the matte are not numbers.")
    return solution, seconds


def warm_up(name: str, solver: Solver) -> float:
    """Solve a small picture and return the seconds: compilers and allocators do not count in what is timed later.

    Known background on the left, known foreground on the right, a ramp between.
    """
    side = 96
    ramp = np.clip((np.arange(side, dtype=np.float32) - side / 3) / (side / 3), 0, 1)
    alpha = np.broadcast_to(ramp, (side, side))
    noise = np.random.default_rng(0).random((2, side, side, 3), np.float32) * np.float32(0.1)
    plate = alpha[..., None] * (np.float32(0.7) + noise[0]) + (1 - alpha[..., None]) * (np.float32(0.1) + noise[1])
    trimap = np.where((alpha > 0) & (alpha < 1), np.float32(0.5), alpha)
    started = time.perf_counter()
    solver.solve(plate, trimap if solver.needs_trimap else None)
    seconds = time.perf_counter() - started
    logger.info("%s warmed up in %.2f s", name, seconds)
    return seconds


def _details(solver: Solver, warmed: float) -> dict[str, Any]:
    return {"identity": solver.identity, **solver.effective, "warm_up_seconds": warmed}


def _shorten(note: str, stems: list[str], pictures: int) -> str:
    if len(stems) == pictures:
        return f"all pictures: {note}"
    return f"{', '.join(stems)}: {note}"
