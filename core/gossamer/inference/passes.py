"""Passes of a network over tiles: one after the other, or side by side where that is faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from gossamer.errors import CancelledError
from gossamer.inference.solution import Cancelled
from gossamer.inference.tiling import MAX_WINDOW_AREA

__all__ = ["busy_seconds", "run_passes"]

Answer = TypeVar("Answer")

POLL = 0.05
"""Seconds between looks at ``cancelled`` while passes go on."""


def run_passes(
    areas: Sequence[int],
    work: Callable[[int, bool], Answer],
    *,
    at_once: int = 1,
    cancelled: Cancelled | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[Answer]:
    """Do every pass and return the answers in the order of ``areas``.

    Large passes run alone with all threads; smaller ones side by side, the largest first, as many as together read no
    more than one pass may (MAX_WINDOW_AREA): memory stays as bounded as it is with one after the other.

    Args:
        areas: pixels that each pass reads.
        work: does the pass of an index; the flag says that others go on beside it. Called from several threads.
        at_once: passes that may go on at the same time.
        cancelled: asked between passes.
        progress: told the finished part, 0..1, before each pass or after it.

    Raises:
        CancelledError: ``cancelled`` said so.
        Exception: what ``work`` raised first; passes that have not begun are dropped.
    """
    small = [index for index, area in enumerate(areas) if 2 * area <= MAX_WINDOW_AREA]
    if at_once < 2 or len(small) < 2:
        small = []
    answers: dict[int, Answer] = {}
    for index in range(len(areas)):
        if index in small:
            continue
        _tell(cancelled, progress, len(answers) / len(areas))
        answers[index] = work(index, False)
    if small:
        small.sort(key=lambda index: (-areas[index], index))
        workers = min(at_once, len(small), MAX_WINDOW_AREA // max(areas[small[0]], 1))
        with ThreadPoolExecutor(workers, "gossamer-tile") as pool:
            futures: dict[Future[Answer], int] = {pool.submit(work, index, True): index for index in small}
            try:
                while futures:
                    _tell(cancelled, progress, len(answers) / len(areas))
                    for future in wait(futures, timeout=POLL, return_when=FIRST_COMPLETED).done:
                        answers[futures.pop(future)] = future.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    return [answers[index] for index in range(len(areas))]


def _tell(cancelled: Cancelled | None, progress: Callable[[float], None] | None, part: float) -> None:
    if cancelled is not None and cancelled():
        raise CancelledError("Cancelled.")
    if progress is not None:
        progress(part)


def busy_seconds(spans: Sequence[tuple[float, float]]) -> float:
    """Time within at least one of the ``spans`` (start, end): what went by while the network worked."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
