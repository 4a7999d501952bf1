"""The run over a job: reading ahead, solving, writing behind, in bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from gossamer.config import Job
from gossamer.errors import CancelledError
from gossamer.inference.frame import Loaded, load_frame, naming, needs_foreground, write_frame
from gossamer.inference.plan import Plan, prepare
from gossamer.inference.report import FrameReport, RunReport
from gossamer.inference.solution import Cancelled

__all__ = ["Progress", "execute", "run", "start_report"]

Result = TypeVar("Result")

POLL = 0.05
"""Seconds between looks at ``cancelled`` while waiting for a file."""
MOST_FRAMES = 3
"""Frames in memory at once: one being read, one solved, one written."""
MEMORY = 2_500_000_000
"""Bytes that those frames may take; large pictures get fewer at once."""
BYTES_A_PIXEL = 36
"""Plate, display copy, trimap, alpha and a temporary, float32."""
BYTES_A_PIXEL_COLORS = 80
"""What solving the foreground's colours takes more."""


@dataclass(frozen=True)
class Progress:
    """Where a run is."""

    done: int
    """Frames finished in this run."""
    total: int
    """Frames to be solved in this run."""
    frame: int
    """The frame this is about."""
    part: float
    """Solved part of ``frame``, 0..1."""
    finished: FrameReport | None = None
    """Set when ``frame`` has just been written."""


Listener = Callable[[Progress], None]


def run(job: Job, *, progress: Listener | None = None, cancelled: Cancelled | None = None) -> RunReport:
    """Do a job: prepare it, solve every frame, write the results.

    Args:
        job: what to do.
        progress: told after each frame and within long ones, from the calling thread.
        cancelled: asked often; true ends the run. Finished frames stay.

    Raises:
        CancelledError: ``cancelled`` said so.
        GossamerError: the first thing that went wrong. Frames finished before stay on disk.
    """
    plan = prepare(job)
    report = start_report(plan)
    execute(plan, report, progress=progress, cancelled=cancelled)
    return report


def start_report(plan: Plan) -> RunReport:
    """The report of a run that has not begun."""
    return RunReport(
        job=plan.job,
        job_hash=plan.job_hash,
        model={"name": plan.solver.name, "identity": plan.solver.identity},
        effective=dict(plan.solver.effective),
        total=len(plan.frames),
        finished_before=plan.finished,
        missing=plan.missing,
        notes=list(plan.notes),
    )


def execute(
    plan: Plan, report: RunReport, *, progress: Listener | None = None, cancelled: Cancelled | None = None
) -> None:
    """Run ``plan`` and fill ``report``, which tells what was done even when this raises (see :func:`run`)."""
    started = time.monotonic()
    try:
        _Pipeline(plan, report, progress, cancelled).go()
        report.state = "done"
    except (CancelledError, KeyboardInterrupt):
        report.state = "cancelled"
        raise
    except BaseException as error:
        report.state, report.error = "failed", str(error) or type(error).__name__
        raise
    finally:
        report.seconds = time.monotonic() - started


class _Pipeline:
    """Three stages: a thread that reads, the calling thread that solves, a thread that writes.

    Each stage hands over a future, so an error surfaces in the calling thread in the order of the frames, and no stage
    waits for a queue that nobody empties.
    """

    def __init__(self, plan: Plan, report: RunReport, progress: Listener | None, cancelled: Cancelled | None):
        self.plan, self.report = plan, report
        self.progress, self.cancelled = progress, cancelled
        self.waiting = deque(plan.frames)
        self.reads: deque[Future[Loaded]] = deque()
        self.writes: deque[Future[FrameReport]] = deque()
        colors = needs_foreground(plan.job.outputs)
        size = plan.width * plan.height * (BYTES_A_PIXEL + (BYTES_A_PIXEL_COLORS if colors else 0))
        self.slots = max(1, min(MOST_FRAMES, MEMORY // max(size, 1)))
        self.reader = ThreadPoolExecutor(1, "gossamer-read")
        self.writer = ThreadPoolExecutor(1, "gossamer-write")

    def go(self) -> None:
        """All frames, in order."""
        try:
            self.read_ahead(solving=0)
            while self.reads:
                loaded = self.wait_for(self.reads.popleft())
                self.read_ahead(solving=1)
                self.solve(loaded)
                del loaded
                while len(self.writes) > 1:
                    self.finish_write()
                self.read_ahead(solving=0)
                while not self.reads and self.waiting:  # no room: let a frame out first
                    self.finish_write()
                    self.read_ahead(solving=0)
            while self.writes:
                self.finish_write()
        finally:
            self.close()

    def read_ahead(self, solving: int) -> None:
        """Start to read the next frame if there is room for it."""
        while self.writes and self.writes[0].done():
            self.finish_write()
        if self.waiting and not self.reads and len(self.writes) + solving < self.slots:
            self.reads.append(self.reader.submit(load_frame, self.plan, self.waiting.popleft()))

    def solve(self, loaded: Loaded) -> None:
        """Solve a frame in this thread and hand it to the writer."""
        assert loaded.display is not None
        frame, started = loaded.frame, time.monotonic()
        with naming(frame):
            solution = self.plan.solver.solve(
                loaded.display,
                loaded.trimap,
                origin=loaded.origin,
                confidence=self.plan.job.outputs.confidence,
                cancelled=self.cancelled,
                progress=lambda part: self.tell(frame, part),
            )
        seconds = time.monotonic() - started
        self.writes.append(self.writer.submit(write_frame, self.plan, loaded.for_writing(), solution, seconds))

    def tell(self, frame: int, part: float, finished: FrameReport | None = None) -> None:
        """Pass on where the run is."""
        if self.progress is not None:
            self.progress(Progress(len(self.report.frames), len(self.plan.frames), frame, part, finished))

    def finish_write(self) -> None:
        """Wait for the oldest write and put it into the report."""
        finished = self.wait_for(self.writes[0])
        self.writes.popleft()
        self.report.frames.append(finished)
        self.tell(finished.frame, 1.0, finished)

    def wait_for(self, future: Future[Result]) -> Result:
        """The future's result, looking at ``cancelled`` meanwhile."""
        while True:
            if self.cancelled is not None and self.cancelled():
                raise CancelledError("Cancelled.")
            try:
                return future.result(timeout=POLL)
            except TimeoutError:
                if future.done():  # the work itself timed out
                    raise

    def close(self) -> None:
        """Stop the threads. What is solved is still written, unless writing is what failed."""
        self.reader.shutdown(wait=True, cancel_futures=True)
        self.writer.shutdown(wait=True)
        self.report.frames += [write.result() for write in self.writes if write.exception() is None]
