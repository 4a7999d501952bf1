# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender as the bridge sees it: a queue of calls for the main thread, and a note of where the job is.

``bpy`` may be used from the main thread only. The thread that runs the job puts calls into the queue and waits; whoever
owns the main thread (a modal operator's timer, or the loop of a script) makes them in :meth:`BlenderHost.make_calls`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gossamer_bridge.errors import BridgeError, JobCancelledError
from gossamer_bridge.host import JobProgress

__all__ = ["BlenderHost", "MainThreadBusyError"]

Result = TypeVar("Result")

POLL = 0.05
"""Seconds between looks at whether a waiting thread is still wanted."""


class MainThreadBusyError(BridgeError):
    """Blender did not find the time for a call."""

    next_step = "Wait until the render or the dialogue that keeps Blender busy is over, and start the job again."


@dataclass
class _Call:
    function: Callable[[], Any]
    done: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: BaseException | None = None
    is_abandoned: bool = False


class BlenderHost:
    """The port between one job and Blender (``gossamer_bridge.host.HostPort``)."""

    def __init__(self, *, deadline: float = 900.0) -> None:
        """``deadline``: seconds that the main thread may be busy with something else, a render for instance."""
        self._deadline = deadline
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._progress = JobProgress("starting")
        self._finished: dict[int, tuple[str, ...]] = {}
        self._messages: list[str] = []
        self._notes: list[str] = []

    def run_on_main_thread(self, function: Callable[[], Result]) -> Result:
        """See ``HostPort``; gives up when the job is cancelled, for then nobody may be left to make the call."""
        call = _Call(function)
        self._calls.put(call)
        end = time.monotonic() + self._deadline
        while not call.done.wait(POLL):
            if self._cancelled.is_set():
                call.is_abandoned = True
                raise JobCancelledError("Cancelled.")
            if time.monotonic() > end:
                call.is_abandoned = True
                raise MainThreadBusyError(f"Blender was busy with something else for {self._deadline:g} seconds.")
        if call.error is not None:
            raise call.error
        value: Result = call.value
        return value

    def report_progress(self, progress: JobProgress) -> None:
        """Keep the newest state; the main thread looks at it when it draws."""
        self._progress = progress
        if progress.finished and progress.frame is not None:
            self._finished[progress.frame] = progress.finished
        self._notes += [note for note in progress.notes if note not in self._notes]

    def is_cancelled(self) -> bool:
        """Whether Cancel or Esc was pressed, the file was closed, or the add-on is being switched off."""
        return self._cancelled.is_set()

    def show_message(self, text: str) -> None:
        """Keep a sentence for the artist; the operator reports it."""
        self._messages.append(text)

    def cancel(self) -> None:
        """Ask the job to stop."""
        self._cancelled.set()

    @property
    def progress(self) -> JobProgress:
        """The newest state."""
        return self._progress

    @property
    def finished(self) -> dict[int, tuple[str, ...]]:
        """Files of the frames that have been written so far, by frame number."""
        return dict(self._finished)

    def take_messages(self) -> list[str]:
        """Sentences since the last look."""
        taken, self._messages = self._messages, []
        return taken

    @property
    def notes(self) -> list[str]:
        """What the worker said about frames, each sentence once."""
        return list(self._notes)

    def make_calls(self, budget: float = 0.05) -> int:
        """On the main thread: make the calls that wait, for about ``budget`` seconds. Gives their number."""
        end = time.monotonic() + budget
        made = 0
        while made == 0 or time.monotonic() < end:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                break
            if call.is_abandoned:
                continue
            try:
                call.value = call.function()
            except Exception as error:
                call.error = error
            call.done.set()
            made += 1
        return made
