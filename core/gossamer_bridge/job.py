"""One job from knobs to result, inside a host. Both adapters use this and nothing below it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gossamer_bridge.answers import FrameDone, MatteDone, engine_text
from gossamer_bridge.client import WorkerClient
from gossamer_bridge.errors import JobCancelledError, KnobError, WorkerDiedError
from gossamer_bridge.host import HostPort, JobProgress
from gossamer_bridge.keeper import WorkerKeeper
from gossamer_bridge.pixels import Pixels
from gossamer_bridge.protocol import Event
from gossamer_bridge.settings import Knobs, frames_text, job_values, parse_frames

__all__ = ["JobResult", "WorkerKeeper", "run_job"]

PICTURES = ("plate", "trimap", "mask", "core_matte", "garbage_matte")


@dataclass(frozen=True)
class JobResult:
    """What a job gave."""

    frames: tuple[FrameDone, ...]
    """Frames written, those before a restart included."""
    asked: Mapping[str, Any]
    done: Mapping[str, Any]
    """``backend``, ``device``, ``precision``, ``tile`` ... as they were."""
    finished_before: str
    """Frames that lay finished already, as text."""
    missing: str
    """Frames left out because files are missing, as text."""
    notes: tuple[str, ...]
    seconds: float
    """From the call to the result, the worker's start included."""
    restarts: int = 0
    """How often the worker had to be replaced."""

    @property
    def engine(self) -> str:
        """One line: what it ran on."""
        return engine_text(self.done)


def run_job(
    knobs: Knobs,
    host: HostPort,
    keeper: WorkerKeeper,
    *,
    base_folder: str = "",
    pictures: Mapping[str, Callable[[], Pixels]] | None = None,
) -> JobResult:
    """Run one job and tell the host how it goes. Blocks; call it from a thread of the host's own.

    A worker that dies, or is ended by anyone but the keeper's ``close``, is replaced once, and the job goes on with the
    frames that are not finished.

    Args:
        knobs: what the artist set.
        host: told of progress, asked for cancellation.
        keeper: holds the worker between jobs.
        base_folder: what relative paths are relative to.
        pictures: inputs that exist only in the host's memory, by knob (``plate``, ``trimap``, ``mask``, ``core_matte``,
            ``garbage_matte``): each is called on the host's main thread and stored for the time of the job. The plate's
            ``color_space`` becomes ``plate_space`` if that knob is empty.

    Raises:
        KnobError: nothing was started.
        JobError: the worker's own words.
        JobCancelledError: finished frames are on disk.
        WorkerDiedError: the worker died twice; the message carries the last lines of its log.
        WorkerNotFoundError, WorkerStartError, WorkerVersionError, WorkerTimeoutError.
    """
    return _Run(knobs, host, keeper, base_folder, dict(pictures or {})).go()


class _Run:
    """The state of one call of :func:`run_job`."""

    def __init__(
        self,
        knobs: Knobs,
        host: HostPort,
        keeper: WorkerKeeper,
        base_folder: str,
        pictures: dict[str, Callable[[], Pixels]],
    ) -> None:
        unknown = sorted(set(pictures) - set(PICTURES))
        if unknown:
            raise KnobError(
                f"No picture can be given for {', '.join(unknown)}.", next_step=f"Use {', '.join(PICTURES)}."
            )
        self.host = host
        self.keeper = keeper
        self.pictures = pictures
        self.folder = tempfile.mkdtemp(prefix="gossamer-") if pictures else ""
        stored: dict[str, Any] = {name: f"{self.folder}/{name}.exr" for name in pictures}
        self.knobs = replace(knobs, **stored)
        self.base_folder = base_folder
        self.begun = time.monotonic()
        self.started_at = self.begun
        self.frames: list[FrameDone] = []
        self.wanted: tuple[int, ...] | None = None
        self.total = 0
        self.said: Mapping[str, Any] = {}
        self.engine = ""

    def go(self) -> JobResult:
        try:
            job_values(self.knobs, base_folder=self.base_folder)  # before anything is started
            try:
                return self.result(self.attempt("starting"), restarts=0)
            except WorkerDiedError as error:
                self.host.show_message(f"The worker is started again. {error}")
            self.check_cancelled()
            try:
                return self.result(self.attempt("restarting"), restarts=1)
            except WorkerDiedError as error:
                died = WorkerDiedError(f"The worker died twice on this job. {error.message}", next_step=error.next_step)
                died.log = error.log
                raise died from error
        finally:
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def attempt(self, state: str) -> MatteDone | None:
        """One worker's try; None if nothing is left to be done."""
        self.host.report_progress(self.progress(state))
        job = self.job_left()
        if job is None:
            return None
        self.check_cancelled()
        worker = self.keeper.client(cancelled=self.host.is_cancelled)
        self.check_cancelled()
        self.store_pictures(worker)
        self.host.report_progress(self.progress("loading"))
        return worker.matte(self.with_space(job), on_event=self.listen, cancelled=self.host.is_cancelled)

    def job_left(self) -> dict[str, Any] | None:
        """The job without the frames that a worker before finished."""
        knobs = self.knobs
        if self.wanted is not None:
            finished = {frame.frame for frame in self.frames}
            left = [frame for frame in self.wanted if frame not in finished]
            if not left:
                return None
            knobs = replace(knobs, frames=frames_text(left) if len(self.wanted) > 1 else knobs.frames)
            if knobs.existing == "error":
                # The first worker found nothing in the way, so what lies there now is this job's own.
                knobs = replace(knobs, existing="skip")
        return job_values(knobs, base_folder=self.base_folder)

    def store_pictures(self, worker: WorkerClient) -> None:
        """Bring pictures that exist in memory only to where the worker can read them; once, a restart keeps them."""
        for name in list(self.pictures):
            pixels = self.host.run_on_main_thread(self.pictures[name])
            self.check_cancelled()
            worker.store(pixels, self.folder, name)
            if name == "plate" and pixels.color_space and not self.knobs.plate_space:
                self.knobs = replace(self.knobs, plate_space=pixels.color_space)
            del self.pictures[name]

    def with_space(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job with the colour space that a stored plate has."""
        return {**job, "plate_space": self.knobs.plate_space}

    def listen(self, event: Event) -> None:
        """Turn the worker's events into progress."""
        values = event.values
        if event.name == "started":
            self.said = values
            self.engine = engine_text(values.get("done", {}))
            if self.wanted is None:
                self.wanted = parse_frames(str(values.get("frames", "")))
                self.total = len(self.wanted)
            self.started_at = time.monotonic()
            self.host.report_progress(self.progress("solving"))
        elif event.name == "building":
            part = float(values.get("part", 0.0))
            self.host.report_progress(self.progress("building", part=part, notes=(str(values.get("text", "")),)))
        elif event.name == "progress":
            frame, part = values.get("frame"), float(values.get("part", 0.0))
            self.host.report_progress(self.progress("solving", frame=frame, part=part))
        elif event.name == "frame":
            done = FrameDone.from_values(values)
            self.frames.append(done)
            self.host.report_progress(
                self.progress("solving", frame=done.frame, part=1.0, finished=done.outputs, notes=done.notes)
            )

    def progress(
        self,
        state: str,
        *,
        frame: int | None = None,
        part: float = 0.0,
        finished: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> JobProgress:
        done = len(self.frames)
        left = None
        if done and self.total:
            left = (time.monotonic() - self.started_at) / done * (self.total - done)
        state = "cancelling" if self.host.is_cancelled() else state
        return JobProgress(state, done, self.total, frame, part, left, self.engine, finished, notes)

    def check_cancelled(self) -> None:
        if self.host.is_cancelled():
            raise JobCancelledError("Cancelled.")

    def result(self, answer: MatteDone | None, *, restarts: int) -> JobResult:
        if answer is None:
            # The worker died between the last frame and its answer: what it said at the beginning holds.
            said = self.said
            texts = (str(said.get("finished_before", "")), str(said.get("missing", "")))
            answer = MatteDone(said.get("asked", {}), said.get("done", {}), (), *texts, 0.0, False)
        seconds = time.monotonic() - self.begun
        return JobResult(
            tuple(self.frames),
            answer.asked,
            answer.done,
            answer.finished_before,
            answer.missing,
            answer.notes,
            seconds,
            restarts,
        )
