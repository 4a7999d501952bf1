"""What a host has to offer so that a job can be run in it: a port with few verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

__all__ = ["HostPort", "JobProgress"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class JobProgress:
    """Where a job is, for a status line and a progress bar."""

    state: str
    """``starting`` (the worker), ``loading`` (the model), ``building`` (an engine for this card, once; ``part`` of it
    is done), ``solving``, ``cancelling``, ``restarting`` (a worker that died)."""
    done: int = 0
    """Frames finished."""
    total: int = 0
    """Frames to be done in all; 0 as long as nobody knows."""
    frame: int | None = None
    """The frame this is about."""
    part: float = 0.0
    """Solved part of ``frame``, 0..1."""
    seconds_left: float | None = None
    """Estimate; None until a frame is finished."""
    engine: str = ""
    """What it runs on, as it is: ``onnxruntime 1.20 on cpu, fp32``."""
    finished: tuple[str, ...] = ()
    """Set when ``frame`` has just been written: its files, the matte first."""
    notes: tuple[str, ...] = ()
    """What the worker says about this frame that the artist should know."""

    @property
    def fraction(self) -> float:
        """0..1 over the whole job."""
        if self.total <= 0:
            return 0.0
        part = 0.0 if self.finished else self.part
        return min(1.0, (self.done + part) / self.total)


class HostPort(Protocol):
    """A host, as far as a job needs it. All verbs are called from the thread that runs the job, main or not."""

    def run_on_main_thread(self, function: Callable[[], Result]) -> Result:
        """Call ``function`` on the host's main thread, wait, and give its result or raise what it raises.

        Everything that touches the host's own data goes through here. It must not wait for ever: an adapter whose main
        thread may be busy raises after a deadline of its own.
        """
        ...

    def report_progress(self, progress: JobProgress) -> None:
        """Take note of where the job is. Must return quickly; the adapter brings it to the screen by its own means."""
        ...

    def is_cancelled(self) -> bool:
        """Whether the artist wants the job to stop. Asked many times a second."""
        ...

    def show_message(self, text: str) -> None:
        """One sentence for the artist's eyes (console, message list): what was done differently from what was asked."""
        ...
