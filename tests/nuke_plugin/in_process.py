"""The core's own run of a job behind the face of a worker: true mattes without the time that a process and a network
take to start. The default network's place is taken by a classical solver, which is there at once, unless a confidence
is asked for, which only networks have.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gossamer.config import load_job
from gossamer.errors import CancelledError, GossamerError
from gossamer.inference.run import Progress, run
from gossamer_bridge.answers import FrameDone, MatteDone
from gossamer_bridge.errors import JobCancelledError, JobError
from gossamer_bridge.protocol import Event

__all__ = ["InProcessClient", "InProcessKeeper"]


class InProcessClient:
    """What ``run_job`` asks of a ``WorkerClient``."""

    is_alive = True

    def __init__(self, keeper: InProcessKeeper) -> None:
        self.keeper = keeper

    def matte(
        self, job: dict[str, Any], *, on_event: Callable[[Event], None], cancelled: Callable[[], bool]
    ) -> MatteDone:
        self.keeper.jobs.append(job)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "job.json"
            needs_network = self.keeper.networks or job["outputs"]["confidence"]
            is_replaced = job["model"] == "gossamer-s" and not needs_network
            model = "closed-form" if is_replaced else job["model"]
            path.write_text(json.dumps({**job, "model": model}), encoding="utf-8")
            parsed = load_job(path)
        frames: list[FrameDone] = []
        on_event(Event(1, "started", {"frames": parsed.frames, "done": {}}))

        def listen(progress: Progress) -> None:
            if progress.finished is None:
                return
            done = FrameDone(progress.frame, progress.finished.outputs, notes=progress.finished.notes)
            frames.append(done)
            values = {"frame": done.frame, "outputs": list(done.outputs), "notes": list(done.notes)}
            on_event(Event(1, "frame", values))
            self.keeper.frame_done(done.frame)

        try:
            report = run(parsed, progress=listen, cancelled=cancelled)
        except CancelledError as error:
            raise JobCancelledError(str(error)) from error
        except GossamerError as error:
            raise JobError(str(error), kind=type(error).__name__) from error
        asked = {"device": parsed.device, "model": parsed.model}
        return MatteDone(asked, dict(report.effective), tuple(frames), "", "", report.seconds, True)


class InProcessKeeper:
    """What ``run_job`` and the session ask of a ``WorkerKeeper``."""

    def __init__(self, *, networks: bool = False) -> None:
        self.networks = networks
        """Whether the default network is run as it is."""
        self.jobs: list[dict[str, Any]] = []
        """The jobs that came in, as JSON values."""
        self.frame_done: Callable[[int], None] = lambda frame: None
        """Called when a frame has been written."""
        self.closed = 0
        self.settings: Any = None
        self.current: InProcessClient | None = None

    def hold(self) -> tuple[threading.Event, threading.Event]:
        """The first frame done sets the first event; the job goes on when the second is set, or after half a minute."""
        reached, go_on = threading.Event(), threading.Event()

        def wait(_frame: int) -> None:
            reached.set()
            go_on.wait(30)

        self.frame_done = wait
        return reached, go_on

    def client(self, *, cancelled: Callable[[], bool] | None = None) -> InProcessClient:
        self.current = self.current or InProcessClient(self)
        return self.current

    def change(self, settings: Any) -> None:
        if self.settings is not None and settings != self.settings:
            self.close()
        self.settings = settings

    def close(self) -> None:
        self.closed += 1
        self.current = None
