"""Does a plan: Nuke renders the inputs in batches, the worker mattes one batch while Nuke renders the next."""

from __future__ import annotations

import contextlib
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossamer_bridge.errors import JobCancelledError
from gossamer_bridge.job import JobResult, WorkerKeeper, run_job
from gossamer_nuke.errors import NukeError
from gossamer_nuke.frames import batches
from gossamer_nuke.host import NukePort
from gossamer_nuke.paths import make_scratch
from gossamer_nuke.plan import Plan
from gossamer_nuke.plates import remove_frames, render_inputs

__all__ = ["BATCH", "Done", "Outcome", "do_plan"]

BATCH = 8
"""Frames whose inputs lie on disk at once, twice over."""


@dataclass(frozen=True)
class Done:
    """A matte that was written."""

    frame: int
    view: str
    files: tuple[str, ...]


@dataclass
class Outcome:
    """What was done; filled while the work goes on, so that it tells the truth when something stops it."""

    frames: list[Done] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    engine: str = ""
    notes: list[str] = field(default_factory=list)
    restarts: int = 0
    seconds: float = 0.0


def do_plan(plan: Plan, port: NukePort, keeper: WorkerKeeper, outcome: Outcome) -> None:
    """Matte every frame that ``plan`` has left to do. Blocks; any thread.

    Raises:
        NukeError, BridgeError: the first thing that went wrong; ``outcome`` has what was done before.
        JobCancelledError: the artist cancelled.
    """
    scratch = make_scratch()
    begun = time.monotonic()
    try:
        with ThreadPoolExecutor(1, "gossamer-matte") as pool:
            for view, frames in plan.todo.items():
                folder = scratch / view
                folder.mkdir()
                _View(plan, view, folder, port, keeper, outcome, pool).do(frames)
    finally:
        outcome.seconds = time.monotonic() - begun
        outcome.notes += [note for note in port.notes if note not in outcome.notes]
        shutil.rmtree(scratch, ignore_errors=True)


class _View:
    """The frames of one view."""

    def __init__(
        self,
        plan: Plan,
        view: str,
        scratch: Path,
        port: NukePort,
        keeper: WorkerKeeper,
        outcome: Outcome,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.plan, self.view, self.scratch = plan, view, scratch
        self.port, self.keeper, self.outcome, self.pool = port, keeper, outcome, pool
        self.running: Future[JobResult] | None = None
        self.batch: tuple[int, ...] = ()

    def do(self, frames: tuple[int, ...]) -> None:
        try:
            for upcoming in batches(frames, BATCH):
                for frame in upcoming:
                    self.render(frame)
                self.finish()
                self.batch = upcoming
                knobs = self.plan.knobs(self.view, upcoming, self.scratch.as_posix())
                self.running = self.pool.submit(run_job, knobs, self.port, self.keeper)
            self.finish()
        except BaseException as error:
            if self.running is not None:
                if not isinstance(error, NukeError):  # a frame that cannot be rendered spoils none before it
                    self.port.cancel()
                wait([self.running])
                with contextlib.suppress(Exception):  # what stopped us comes first
                    self.settle()
            raise

    def render(self, frame: int) -> None:
        """Have Nuke render the inputs of a frame, unless there is no use in it any more."""
        if self.port.is_cancelled():
            raise JobCancelledError("Cancelled.")
        if self.running is None:
            self.port.tell(f"rendering frame {frame}", len(self.outcome.frames) / self.port.total)
        elif self.running.done():
            self.running.result()
        self.port.run_on_main_thread(lambda: render_inputs(self.plan, frame, self.view, self.scratch))

    def finish(self) -> None:
        """Wait for the batch that the worker has; note what it wrote, also if it did not come to the end."""
        if self.running is None:
            return
        wait([self.running])
        running, self.running = self.running, None
        self.settle()
        result = running.result()
        self.outcome.restarts += result.restarts
        if result.done:
            self.outcome.asked, self.outcome.done = dict(result.asked), dict(result.done)
            self.outcome.engine = result.engine
        self.outcome.notes += [note for note in result.notes if note not in self.outcome.notes]
        remove_frames(self.plan, self.batch, self.scratch)

    def settle(self) -> None:
        """Take over what the worker said it has written."""
        for frame, files in self.port.take_finished():
            self.outcome.frames.append(Done(frame, self.view, files))
            self.plan.stamps.write(frame, self.view, self.plan.keys[self.view, frame])
        self.port.done = len(self.outcome.frames)
