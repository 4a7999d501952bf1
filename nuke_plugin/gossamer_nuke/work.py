"""Does a plan: Nuke renders the inputs in batches, the worker mattes one batch while Nuke renders the next."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from gossamer_bridge.errors import JobCancelledError
from gossamer_bridge.job import JobResult, WorkerKeeper, run_job
from gossamer_bridge.settings import Knobs
from gossamer_nuke.background import Background
from gossamer_nuke.errors import NukeError
from gossamer_nuke.files import FileState, file_state
from gossamer_nuke.frames import batches
from gossamer_nuke.host import NukePort
from gossamer_nuke.others import check_alone, check_mattes, no_mattes, without_note
from gossamer_nuke.paths import check_writable, make_scratch
from gossamer_nuke.plan import Plan, check_unchanged, frame_key
from gossamer_nuke.plates import remove_frames, render_inputs
from gossamer_nuke.upper import forget_frame

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
    kept: list[tuple[str, int]] = field(default_factory=list)
    """View and frame of mattes that were current."""
    others: set[str] = field(default_factory=set)
    """Scripts that made mattes which lay in the way."""
    asked: dict[str, Any] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    engine: str = ""
    notes: list[str] = field(default_factory=list)
    restarts: int = 0
    seconds: float = 0.0


def do_plan(
    plan: Plan, port: NukePort, keeper: WorkerKeeper, outcome: Outcome, *, before: Callable[[], None] | None = None
) -> None:
    """Matte every frame that ``plan`` has left to do. Blocks; any thread.

    Args:
        plan: what to do.
        port: asked to render, told how it goes.
        keeper: of the worker.
        outcome: is filled.
        before: called on the main thread before the first frame, if there is one to do; may refuse.

    Raises:
        NukeError, BridgeError: the first thing that went wrong; ``outcome`` has what was done before.
        JobCancelledError: the artist cancelled.
    """
    begun = time.monotonic()
    todo = {view: _left_to_do(plan, view, port, outcome) for view in plan.views}
    left = [(frame, view) for view, frames in todo.items() for frame in frames]
    port.total = max(1, len(left))
    if not left:
        return
    check_writable(plan.pattern, plan.node)
    unknown = without_note(plan, left)
    foreign = no_mattes(unknown)

    def look() -> None:
        if before is not None:
            before()
        check_alone(plan, left, foreign, unknown)

    port.run_on_main_thread(look)
    check_mattes(plan, foreign)
    if outcome.others:
        port.show_message(
            f"mattes of the script {', '.join(sorted(outcome.others))} lie in {plan.pattern} and are replaced. Put "
            "{script} and {node} into the file name to keep both."
        )
    if plan.color.note:
        port.show_message(plan.color.note)
    scratch = make_scratch()
    try:
        for view, frames in todo.items():
            folder = scratch / view
            folder.mkdir()
            _View(plan, view, folder, port, keeper, outcome).do(frames)
    finally:
        outcome.seconds = time.monotonic() - begun
        outcome.notes += [note for note in port.notes if note not in outcome.notes]
        shutil.rmtree(scratch, ignore_errors=True)


def _left_to_do(plan: Plan, view: str, port: NukePort, outcome: Outcome) -> tuple[int, ...]:
    """The frames whose mattes are missing or out of date."""
    left = []
    for frame in plan.frames:
        key = ""
        if plan.keep and plan.stamps.is_there(frame, view):
            if port.is_cancelled():
                raise JobCancelledError("Cancelled.")
            key = port.run_on_main_thread(partial(frame_key, plan, frame, view))
        if key and plan.stamps.is_current(frame, view, key):
            outcome.kept.append((view, frame))
        else:
            left.append(frame)
            outcome.others |= {plan.stamps.script(frame, view)} - {"", plan.script}
    return tuple(left)


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
    ) -> None:
        self.plan, self.view, self.scratch = plan, view, scratch
        self.port, self.keeper, self.outcome = port, keeper, outcome
        self.keys: dict[int, str] = {}
        self.running: Background[JobResult] | None = None
        self.batch: tuple[int, ...] = ()

    def do(self, frames: tuple[int, ...]) -> None:
        try:
            for upcoming in self.batches(frames):
                for frame in upcoming:
                    self.render(frame)
                self.finish()
                self.batch = upcoming
                self.running = self.start(self.plan.knobs(self.view, upcoming, self.scratch.as_posix()))
            self.finish()
        except BaseException as error:
            if self.running is not None:
                if not isinstance(error, NukeError):  # a frame that cannot be rendered spoils none before it
                    self.port.cancel()
                self.running.wait()
                with contextlib.suppress(Exception):  # what stopped us comes first
                    self.settle()
            raise

    def batches(self, frames: tuple[int, ...]) -> list[tuple[int, ...]]:
        """``frames`` in pieces that are one job each: the worker takes one band for all frames of a job."""
        alike = groupby(frames, key=self.plan.bands.__getitem__)
        return [piece for _, group in alike for piece in batches(tuple(group), BATCH)]

    def start(self, knobs: Knobs) -> Background[JobResult]:
        """Hand a batch to the worker."""
        return Background(lambda: run_job(knobs, self.port, self.keeper), f"gossamer {self.plan.node} worker")

    def render(self, frame: int) -> None:
        """Have Nuke render the inputs of a frame, unless there is no use in it any more."""
        if self.port.is_cancelled():
            raise JobCancelledError("Cancelled.")
        if self.running is None:
            self.port.tell(f"rendering frame {frame}", len(self.outcome.frames) / self.port.total)
        elif self.running.is_done():
            self.running.result()
        self.keys[frame] = self.port.run_on_main_thread(lambda: self.take_inputs(frame))

    def take_inputs(self, frame: int) -> str:
        """Check, render and give the key in one call on the main thread, so that nobody changes the script between."""
        check_unchanged(self.plan, frame)
        key = frame_key(self.plan, frame, self.view)
        render_inputs(self.plan, frame, self.view, self.scratch)
        return key

    def finish(self) -> None:
        """Wait for the batch that the worker has; note what it wrote, also if it did not come to the end."""
        if self.running is None:
            return
        self.running.wait()
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
        for frame, files, state in self.port.take_finished():
            self.outcome.frames.append(Done(frame, self.view, files))
            self.note(frame, files[0], state)
        self.port.done = len(self.outcome.frames)

    def note(self, frame: int, matte: str, state: FileState | None) -> None:
        """Write from what a matte was made, unless it is another one by now: a batch takes minutes.

        Machines of a farm may do the same frames at the same time. What they put in the place of ours is as good.
        """
        settings, now = self.plan.settings, file_state(matte)
        forget_frame(self.plan.pattern, frame)
        noted = self.plan.stamps.key(frame, self.view) if now != state else ""
        if noted == self.keys[frame]:
            return  # by whoever made it
        if state is None or now is None or (now != state and (noted or not now.is_alike(state))):
            self.port.show_message(
                f"{matte} was replaced by somebody else after it was written. It counts as out of date: look whether "
                "another Nuke mattes the same files, and press Matte range."
            )
            return
        self.plan.stamps.write(
            frame,
            self.view,
            self.keys[frame],
            size=state.size,
            script=self.plan.script,
            foreground=settings.wants_foreground,
            confidence=settings.write_confidence,
        )
