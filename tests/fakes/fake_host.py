"""A host without a window: does what ``HostPort`` promises and notes what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from gossamer_bridge.host import JobProgress

__all__ = ["FakeHost"]

Result = TypeVar("Result")


class FakeHost:
    """Runs everything at once on the calling thread.

    Args:
        cancel_when: looked at after each report; once it says yes the host is cancelled.
        cancelled: cancelled from the beginning.
    """

    def __init__(self, *, cancel_when: Callable[[JobProgress], bool] | None = None, cancelled: bool = False) -> None:
        self.reports: list[JobProgress] = []
        self.messages: list[str] = []
        self.main_thread_calls = 0
        self._cancel_when = cancel_when
        self._cancelled = threading.Event()
        if cancelled:
            self._cancelled.set()

    def run_on_main_thread(self, function: Callable[[], Result]) -> Result:
        self.main_thread_calls += 1
        return function()

    def report_progress(self, progress: JobProgress) -> None:
        self.reports.append(progress)
        if self._cancel_when is not None and self._cancel_when(progress):
            self.cancel()

    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def show_message(self, text: str) -> None:
        self.messages.append(text)

    def cancel(self) -> None:
        """What the artist's Cancel button does."""
        self._cancelled.set()

    @property
    def states(self) -> list[str]:
        """The states that were reported, repetitions left out."""
        found: list[str] = []
        for report in self.reports:
            if not found or found[-1] != report.state:
                found.append(report.state)
        return found
