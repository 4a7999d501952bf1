# SPDX-License-Identifier: GPL-3.0-or-later
"""One job on its way: a thread that talks to the worker, while the main thread stays Blender's. No Blender in here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from gossamer_bridge.errors import BridgeError, JobCancelledError, WorkerDiedError
from gossamer_bridge.host import JobProgress
from gossamer_bridge.job import JobResult, WorkerKeeper, run_job
from gossamer_bridge.pixels import Pixels
from gossamer_bridge.settings import Knobs

from .host import BlenderHost

__all__ = ["Order", "Run"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What is to be done, in plain values and in calls for the main thread."""

    knobs: Knobs
    cache: Path
    """Folder for pictures that exist in Blender's memory only."""
    pictures: Mapping[str, Callable[[], Pixels]] = field(default_factory=dict)
    """By knob: reads a picture on the main thread."""
    steps: tuple[Callable[[], None], ...] = ()
    """Done on the main thread one by one before the job: each is short enough not to be felt (a mask's frame)."""


class Run:
    """Runs an order in a thread. Start it, then call :meth:`tend` from the main thread until ``is_finished``."""

    def __init__(self, order: Order, keeper: WorkerKeeper, host: BlenderHost | None = None) -> None:
        self.order = order
        self.host = host or BlenderHost()
        self.result: JobResult | None = None
        self.error: BridgeError | None = None
        self.is_cancelled = False
        self.started_at = time.monotonic()
        self._keeper = keeper
        self._thread = threading.Thread(target=self._work, name="gossamer-job", daemon=True)

    def start(self) -> None:
        """Return at once; the rest happens elsewhere."""
        self._thread.start()

    @property
    def is_finished(self) -> bool:
        """Whether ``result``, ``error`` or ``is_cancelled`` says how it went."""
        return not self._thread.is_alive()

    def tend(self, budget: float = 0.05) -> None:
        """Give the job what it needs from the main thread."""
        self.host.make_calls(budget)

    def cancel(self) -> None:
        """Ask for the end; frames that are finished stay."""
        self.host.cancel()

    def stop(self, timeout: float = 20.0) -> bool:
        """Cancel and wait for the thread; whether it ended. For unregistering: nothing may be left running."""
        self.cancel()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def fail(self, error: Exception) -> None:
        """Keep what went wrong, as a sentence also where nobody expected it; what came first counts."""
        if not isinstance(error, BridgeError):
            logger.error("the job ended unexpectedly", exc_info=error)
            error = BridgeError(
                f"{type(error).__name__}: {error}", next_step="The console has the details; please report them."
            )
        self.error = self.error or error

    def _work(self) -> None:
        try:
            self._prepare()
            stored: dict[str, Any] = self._store()
            knobs = replace(self.order.knobs, **stored)
            self.result = run_job(knobs, self.host, self._keeper)
        except JobCancelledError:
            self.is_cancelled = True
        except Exception as error:
            self.fail(error)

    def _prepare(self) -> None:
        steps = self.order.steps
        for index, step in enumerate(steps):
            self._go_on()
            self.host.report_progress(JobProgress("drawing", index, len(steps)))
            self.host.run_on_main_thread(step)

    def _store(self) -> dict[str, Any]:
        """Bring pictures to disk under a name made of their content, so that a resumed job has the same inputs."""
        stored: dict[str, Any] = {}
        for knob, read in self.order.pictures.items():
            self._go_on()
            self.host.report_progress(JobProgress("storing"))
            pixels = self.host.run_on_main_thread(read)
            stored[knob] = str(self._store_one(pixels))
            if knob == "plate" and pixels.color_space and not self.order.knobs.plate_space:
                stored["plate_space"] = pixels.color_space
        return stored

    def _store_one(self, pixels: Pixels) -> Path:
        facts = f"{pixels.width} {pixels.height} {pixels.channels} {pixels.rows} {pixels.color_space} "
        name = sha256(facts.encode() + pixels.data).hexdigest()[:24]
        path = self.order.cache / f"{name}.exr"
        if path.exists():
            return path
        try:
            return Path(self._keeper.client().store(pixels, str(self.order.cache), name))
        except WorkerDiedError:  # replaced once, as the job itself does it
            self._go_on()
            return Path(self._keeper.client().store(pixels, str(self.order.cache), name))

    def _go_on(self) -> None:
        if self.host.is_cancelled():
            raise JobCancelledError("Cancelled.")
