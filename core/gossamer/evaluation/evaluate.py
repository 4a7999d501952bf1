"""Run solvers over a folder of pictures with known alpha and measure them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.errors import CancelledError, FrameError, GossamerError, ModelError, SettingError
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
    """One picture with the mattes of the models that solved it, for those who want to see it."""

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
    pixels are held at a time. A picture that cannot be read or solved is named in the answer and costs no other. An
    answer that was stopped half-way has what was done by then.

    Args:
        folder: holds ``image/``, ``alpha/`` and ``trimap*/`` with equal stems.
        solvers: loaded, by the names under which they are reported.
        trimap: name of the trimap folder.
        plate_space: OCIO colour space of the plates; empty: what their headers or file types say.
        guided: give the trimap to solvers that need none, too.
        on_picture: given each picture with its mattes as soon as all models have tried it.
        progress: told before each solve and at the end.
        cancelled: asked between and during solves.

    Raises:
        DataError: the folder is incomplete; every fault is listed before anything is solved.
        SettingError: no solver is given.
        GossamerError: nothing could be solved; of the first failure's kind, and names all of them.
        CancelledError: ``cancelled`` said so before anything was solved.
    """
    if not solvers:
        raise SettingError("No model given; name at least one.")
    cases = find_cases(folder, trimap)
    warmed = {name: warm_up(name, solver) for name, solver in solvers.items()}
    total = len(cases) * len(solvers)
    pictures: dict[str, dict[str, PictureScores]] = {case.stem: {} for case in cases}
    failures: list[_Failure] = []
    notes: dict[str, list[str]] = {}
    counts: dict[str, Counter[str]] = {name: Counter() for name in solvers}
    with suppress(CancelledError, KeyboardInterrupt):  # hours of work are not thrown away with the rest
        for index, case in enumerate(cases):
            with _noting(failures, case.stem):
                pixels = load_case(case, plate_space=plate_space)
                for note in pixels.notes:
                    notes.setdefault(note, []).append(case.stem)
                mattes: dict[str, FloatArray] = {}
                for done, (name, solver) in enumerate(solvers.items(), index * len(solvers)):
                    if cancelled is not None and cancelled():
                        raise CancelledError("Cancelled.")
                    if progress is not None:
                        progress(done, total, f"{case.stem} {name}")
                    with _noting(failures, f"{name} on {case.plate}"):
                        solution, scores = _solve(solver, pixels, cancelled, guided=guided)
                        mattes[name], pictures[case.stem][name] = solution.alpha, scores
                        effective = solution.effective
                        counts[name].update({key: effective[key] for key in COUNTED if key in effective})
                if on_picture is not None and mattes:
                    on_picture(SolvedCase(case, pixels, mattes, pictures[case.stem]))
        if progress is not None:
            progress(total, total, "")
    if not any(pictures.values()):
        if not failures:
            raise CancelledError("Cancelled; nothing was reported.")
        raise failures[0].kind("Nothing could be solved:\n  " + "\n  ".join(failure.text for failure in failures))
    return Evaluation(
        folder=str(folder),
        trimap=trimap,
        models=tuple(solvers),
        pictures=pictures,
        details={
            name: {**_details(solver, warmed[name], guided=guided), **counts[name]} for name, solver in solvers.items()
        },
        versions=versions(),
        notes=tuple(_shorten(note, stems, len(cases)) for note, stems in notes.items()),
        failures=tuple(failure.text for failure in failures),
    )


@dataclass(frozen=True)
class _Failure:
    kind: type[GossamerError]
    text: str


@contextmanager
def _noting(failures: list[_Failure], label: str) -> Iterator[None]:
    """What fails inside is noted and goes no further. Only its text is kept: an exception holds on to the pixels."""
    try:
        yield
    except CancelledError:
        raise
    except GossamerError as error:
        failures.append(_Failure(type(error), f"{label}: {error}"))
    except MemoryError:
        failures.append(_Failure(FrameError, f"{label}: not enough memory; close programs."))


def _solve(
    solver: Solver, pixels: LoadedCase, cancelled: Cancelled | None, *, guided: bool
) -> tuple[Solution, PictureScores]:
    """What it answered and how good that is."""
    guide = pixels.trimap if solver.needs_trimap or guided else None
    started = time.perf_counter()
    solution = solver.solve(pixels.plate, guide, cancelled=cancelled)
    seconds = time.perf_counter() - started
    alpha, truth, trimap = solution.alpha, pixels.truth, pixels.trimap
    if alpha.shape != trimap.shape:
        raise ModelError(f"the matte has shape {alpha.shape}, the plate {trimap.shape}.")
    broken = int((~np.isfinite(alpha)).sum())
    if broken:
        raise ModelError(f"{broken} pixels of the matte are not numbers.")
    return solution, PictureScores(
        unknown=measure(alpha, truth, trimap, region="unknown", seconds=seconds),
        whole=measure(alpha, truth, trimap, region="whole", seconds=seconds),
    )


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


def _details(solver: Solver, warmed: float, *, guided: bool) -> dict[str, Any]:
    return {
        "identity": solver.identity,
        **solver.effective,
        "guided": guided and not solver.needs_trimap,
        "warm_up_seconds": warmed,
    }


def _shorten(note: str, stems: list[str], pictures: int) -> str:
    if len(stems) == pictures:
        return f"all pictures: {note}"
    return f"{', '.join(stems)}: {note}"
