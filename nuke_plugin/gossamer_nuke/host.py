"""The only module that imports ``nuke``; the others take it from here. Also what a job may ask of Nuke."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import nuke

from gossamer_bridge.errors import JobCancelledError
from gossamer_bridge.host import JobProgress
from gossamer_nuke.errors import NukeError
from gossamer_nuke.files import FileState, file_state

__all__ = ["NukePort", "is_main_thread", "is_still", "later_on_main_thread", "node_by_name", "nuke", "version_text"]

Result = TypeVar("Result")

START_DEADLINE = 600.0
"""Seconds that Nuke's main thread may be busy with something else before a call counts as lost."""
RUN_DEADLINE = 7200.0
"""Seconds that one call may take: rendering one frame of the inputs."""
STATUS_INTERVAL = 0.5
"""Seconds between two changes of the status label."""


def version_text() -> str:
    """Who asks, for the worker's log."""
    return f"Nuke {nuke.NUKE_VERSION_STRING}"


def is_main_thread() -> bool:
    """Whether the caller may touch the node graph."""
    return threading.current_thread() is threading.main_thread()


def node_by_name(name: str) -> nuke.Node | None:
    """The node of a full name, whatever group the caller stands in."""
    return nuke.toNode(f"root.{name}")


def is_still(node: nuke.Node, name: str) -> bool:
    """Whether ``node`` is in the open script and has that full name. On the main thread.

    Another node of the name, made after the first was deleted or in the next script, is another object.
    """
    try:
        return node.fullName() == name
    except ValueError:  # what Nuke raises for whatever is asked of a node that is no more
        return False


def later_on_main_thread(function: Callable[[], Any]) -> None:
    """Have ``function`` called on the main thread; do not wait."""
    if is_main_thread():
        function()
    else:
        nuke.executeInMainThread(function)


class NukePort:
    """What ``gossamer_bridge`` asks of a host, for the frames of one node. Used from the thread that runs the job."""

    def __init__(self, title: str, total: int, show_status: Callable[[str], None]) -> None:
        """
        Args:
            title: on the progress bar.
            total: frames to be matted in all views.
            show_status: puts a line into the node; called on the main thread.
        """
        self.title = title
        self.total = max(1, total)
        self.done = 0
        """Frames that finished batches have done."""
        self.notes: list[str] = []
        self._finished: list[tuple[int, tuple[str, ...], FileState | None]] = []
        self._closed = False
        self._show_status = show_status
        self._cancelled = threading.Event()
        self._last_status = 0.0
        self._task = nuke.ProgressTask(title) if nuke.GUI else None

    def cancel(self) -> None:
        """Stop as soon as possible; may be called from any thread."""
        self._cancelled.set()

    def close(self) -> None:
        """Take the progress bar away. What is on its way to the status comes too late: the last word is said."""
        self._closed = True
        self._task = None

    def is_cancelled(self) -> bool:
        if self._task is not None and self._task.isCancelled():
            self._cancelled.set()
        return self._cancelled.is_set()

    def run_on_main_thread(self, function: Callable[[], Result]) -> Result:
        """Call ``function`` there and wait; its exception is raised here.

        Raises:
            NukeError: Nuke did not come round to it in time.
            JobCancelledError: the artist cancelled before it was begun; it is not called any more.
        """
        if is_main_thread():
            return function()
        call = _Call(function)
        nuke.executeInMainThread(call)
        begun = time.monotonic()
        while not call.started.wait(0.05):
            if (self.is_cancelled() or time.monotonic() - begun > START_DEADLINE) and call.withdraw():
                if self.is_cancelled():
                    raise JobCancelledError("Cancelled.")
                raise NukeError(
                    f"{self.title}: Nuke was busy with something else for {START_DEADLINE:g} s. "
                    "Wait until its render is done and press the button again."
                )
        if not call.finished.wait(RUN_DEADLINE):
            raise NukeError(
                f"{self.title}: Nuke did not finish one step within {RUN_DEADLINE:g} s. "
                "Render the plate to files first and matte those."
            )
        if call.error is not None:
            if self.is_cancelled():  # the script may be closed, so what went wrong is no news
                raise JobCancelledError("Cancelled.") from call.error
            raise call.error
        return call.result  # type: ignore[no-any-return]

    def report_progress(self, progress: JobProgress) -> None:
        done = self.done + progress.done
        part = progress.part if progress.state == "solving" and not progress.finished else 0.0
        text = _progress_text(progress, done, self.total)
        self.notes += [note for note in progress.notes if note not in self.notes]
        self.tell(text, (done + part) / self.total)
        if progress.finished and progress.frame is not None:
            self._finished.append((progress.frame, progress.finished, file_state(progress.finished[0])))
        if progress.finished and not nuke.GUI:
            nuke.tprint(f"{self.title}: frame {progress.frame} done, {done} of {self.total}")

    def take_finished(self) -> list[tuple[int, tuple[str, ...], FileState | None]]:
        """Frames written since the last call, with their files and how the matte, the first, was then."""
        taken, self._finished = self._finished, []
        return taken

    def tell(self, text: str, fraction: float) -> None:
        """Show where the job is, on the bar and, not too often, in the node."""
        if self._task is not None:
            self._task.setMessage(text)
            self._task.setProgress(max(0, min(100, int(100 * fraction))))
        if time.monotonic() - self._last_status > STATUS_INTERVAL and nuke.GUI:
            self._last_status = time.monotonic()
            later_on_main_thread(lambda: None if self._closed else self._show_status(text))

    def show_message(self, text: str) -> None:
        self.notes.append(text)
        nuke.tprint(f"{self.title}: {text}")


class _Call:
    """A function on its way to the main thread. Nuke itself would lose its exception."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.started, self.finished = threading.Event(), threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self._function = function
        self._lock = threading.Lock()
        self._withdrawn = False

    def withdraw(self) -> bool:
        """Take it back unless it has begun."""
        with self._lock:
            self._withdrawn = not self.started.is_set()
            return self._withdrawn

    def __call__(self) -> None:
        with self._lock:
            if self._withdrawn:
                return
            self.started.set()
        try:
            self.result = self._function()
        except BaseException as error:
            self.error = error
        self.finished.set()


def _progress_text(progress: JobProgress, done: int, total: int) -> str:
    if progress.state in ("starting", "restarting"):
        return f"{progress.state} the worker"
    if progress.state == "loading":
        return "loading the model"
    if progress.state == "building":
        return f"building an engine for this card, once: {100 * progress.part:.0f} %"
    if progress.state == "cancelling":
        return "cancelling"
    text = f"{done} of {total} frames"
    if progress.frame is not None:
        text = f"frame {progress.frame}, {text}"
    if progress.seconds_left is not None:
        text += f", {progress.seconds_left:.0f} s left in this batch"
    return f"{text}, {progress.engine}" if progress.engine else text
