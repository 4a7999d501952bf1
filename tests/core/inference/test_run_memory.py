"""A job's memory: bounded, whatever the length of the shot and the size of its frames."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from gossamer.image.image import Image
from gossamer.image.sequence import ImageSequence
from gossamer.inference import run as run_module
from gossamer.inference.frame import load_frame
from gossamer.inference.plan import prepare
from gossamer.inference.run import execute, run, start_report
from tests.core.inference.jobs import MakeShot, job_for


def test_memory_does_not_grow_with_the_shot(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=tuple(range(1, 21)))
    plan = prepare(job_for(folder, tiny_weights, tmp_path / "out"))
    live: set[int] = set()
    most = [0]
    read = load_frame

    def counted(*arguments: Any) -> Any:
        loaded = read(*arguments)
        live.add(loaded.frame)
        weakref.finalize(loaded.plate, live.discard, loaded.frame)  # which the writer holds too
        most[0] = max(most[0], len(live))
        return loaded

    monkeypatch.setattr(run_module, "load_frame", counted)
    execute(plan, start_report(plan))
    gc.collect()
    assert most[0] <= run_module.MOST_FRAMES
    assert not live


@pytest.mark.parametrize(
    ("width", "height", "slots"), [(1920, 1080, 3), (3840, 2160, 3), (7680, 4320, 2), (16384, 8640, 1)]
)
def test_large_frames_are_held_in_smaller_numbers(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, width: int, height: int, slots: int
) -> None:
    from dataclasses import replace

    folder, _ = make_shot()
    plan = replace(prepare(job_for(folder, tiny_weights, tmp_path / "out")), width=width, height=height)
    pipeline = run_module._Pipeline(plan, start_report(plan), None, None)
    pipeline.close()
    assert pipeline.slots == slots


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_any_number_of_frames_in_memory_gives_the_same_result(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=tuple(range(1, 8)))
    monkeypatch.setattr(run_module, "MOST_FRAMES", slots)
    report = run(job_for(folder, tiny_weights, tmp_path / "out"))
    assert [frame.frame for frame in report.frames] == list(range(1, 8))


def test_reading_overlaps_solving(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=(1, 2, 3))
    plan = prepare(job_for(folder, tiny_weights, tmp_path / "out"))
    read_while_solving: list[bool] = []
    began = threading.Event()
    read, solve = ImageSequence.read, plan.solver.solve

    def reading(self: ImageSequence, frame: int) -> Image:
        began.set()
        return read(self, frame)

    def solving(*arguments: Any, **named: Any) -> Any:
        if len(read_while_solving) < 2:  # there is a next frame
            read_while_solving.append(began.wait(5))
        began.clear()
        return solve(*arguments, **named)

    monkeypatch.setattr(ImageSequence, "read", reading)
    monkeypatch.setattr(plan.solver, "solve", solving)
    execute(plan, start_report(plan))
    assert read_while_solving == [True, True]
