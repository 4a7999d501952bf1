"""Asking one worker and waiting for its answers, with a deadline on everything."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gossamer_bridge.errors import (
    BridgeError,
    JobCancelledError,
    JobError,
    WireError,
    WireFormatError,
    WorkerDiedError,
    WorkerTimeoutError,
)
from gossamer_bridge.process import WorkerProcess
from gossamer_bridge.protocol import Event, Failure, Message, Reply, Request, from_header, to_header
from gossamer_bridge.settings import name_knobs
from gossamer_bridge.wire import Buffer

__all__ = ["Cancelled", "Exchange", "Listener", "WorkerSettings"]

POLL = 0.05
"""Seconds between looks at ``cancelled`` and at the clock while waiting."""

Listener = Callable[[Event], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class WorkerSettings:
    """How the worker is started and how long anything may take. Seconds."""

    python: str = ""
    """The host's own setting; see :func:`gossamer_bridge.launch.find_interpreter`."""
    host: str = ""
    """Who asks, for the worker's log: ``Nuke 15.1``, ``Blender 4.2``."""
    start_timeout: float = 60.0
    """From the start to the answer to ``hello``. Includes imports from a cold network disk."""
    answer_timeout: float = 30.0
    """For quick questions, and for a message to be read."""
    load_timeout: float = 300.0
    """To load a model and warm it up."""
    silence_timeout: float = 120.0
    """While it works the worker gives a sign of life every few seconds; without one for this long it counts as dead."""
    stall_timeout: float = 1800.0
    """Without any progress of a job for this long, the job counts as hung."""
    cancel_timeout: float = 15.0
    """A cancelled job has this long to end by itself; then its worker is ended."""
    close_timeout: float = 5.0
    """The worker has this long to end by itself."""
    idle_timeout: float = 600.0
    """The worker ends by itself after this long without a request."""
    command: tuple[str, ...] = ()
    """Start this instead of a Python that is looked for. For tests."""
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    """Instead of the host's own environment; cleaned all the same."""
    knob_names: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the host calls the command line's options, ``--tile`` and so on; for what the worker says of them."""


class Exchange:
    """A started worker process and the questions that are open. Safe to use from several threads."""

    def __init__(self, command: tuple[str, ...], environment: Mapping[str, str], settings: WorkerSettings) -> None:
        """Start the process.

        Raises:
            WorkerStartError: the system cannot start it.
        """
        self.settings = settings
        self._identifiers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[Message | None]] = {}
        self._ended = threading.Event()
        self._is_closing = False
        self._why_ended = ""
        """For the other requests, when one of them had the worker ended."""
        self._wire_error: WireError | None = None
        self.process = WorkerProcess(command, environment, on_message=self._receive, on_end=self._end)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs and talks."""
        return not self._ended.is_set() and self.process.exit_code is None

    def ask(
        self,
        verb: str,
        arguments: Mapping[str, Any],
        *,
        timeout: float | None,
        stall: float | None = None,
        body: Buffer = b"",
        on_event: Listener | None = None,
        cancelled: Cancelled | None = None,
    ) -> Reply:
        """Send a request and wait for its answer. ``timeout`` None: as long as the worker shows life and progress.

        ``stall`` is how long it may go without progress, waiting behind other requests not counted.

        Raises:
            JobError: the worker's own refusal.
            JobCancelledError: ``cancelled`` said so, or :meth:`close` was called; whatever the worker still does is
                not waited for any longer.
            WorkerDiedError: it ended, was told to end by somebody else, talked nonsense, or gave no sign of life; it
                is gone.
            WorkerTimeoutError: too late; it has been ended.
        """
        process = self.process
        request = Request(next(self._identifiers), verb, arguments)
        inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        with self._lock:
            self._waiting[request.identifier] = inbox
        try:
            if self._ended.is_set():
                raise self._death()
            try:
                limit = self.settings.silence_timeout
                process.send(to_header(request), body, timeout=limit if timeout is None else min(limit, timeout))
            except (OSError, ValueError) as error:
                self._ended.wait(self.settings.close_timeout)
                raise self._death() from error
            return self._wait(request, inbox, timeout, stall or self.settings.stall_timeout, on_event, cancelled)
        except BridgeError:
            raise
        except BaseException:  # the host's own functions failed: nobody waits for this answer any more
            self._send_cancel(request.identifier)
            raise
        finally:
            with self._lock:
                self._waiting.pop(request.identifier, None)

    def _wait(
        self,
        request: Request,
        inbox: queue.SimpleQueue[Message | None],
        timeout: float | None,
        stall: float,
        on_event: Listener | None,
        cancelled: Cancelled | None,
    ) -> Reply:
        begun = heard = moved = time.monotonic()
        is_queued = False
        cancel_sent: float | None = None
        while True:
            now = time.monotonic()
            if cancel_sent is None and cancelled is not None and cancelled():
                if request.verb == "hello":  # nothing is lost with a worker that has not begun
                    self.process.kill()
                    raise JobCancelledError("Cancelled.")
                cancel_sent = now
                self._send_cancel(request.identifier)
            if cancel_sent is not None and now - cancel_sent > self.settings.cancel_timeout:
                self._kill("another job was cancelled and did not stop in time")
                raise JobCancelledError(
                    "Cancelled. The worker did not stop by itself and was ended; it starts again with the next job."
                )
            if timeout is not None:
                self._check_answer(request.verb, timeout, now - begun)
            else:
                self._check_life(now - heard, stall, 0.0 if is_queued else now - moved)
            try:
                message = inbox.get(timeout=POLL)
            except queue.Empty:
                continue
            heard = time.monotonic()
            if message is None:
                if cancel_sent is not None:
                    raise JobCancelledError("Cancelled.") from self._death()
                raise self._death()
            if isinstance(message, Event):
                if message.name != "alive":
                    moved, is_queued = heard, message.name == "queued"
                if on_event is not None:
                    on_event(message)
            elif isinstance(message, Reply):
                return message
            elif isinstance(message, Failure):
                if message.kind == "CancelledError":
                    if cancel_sent is None and not self._is_closing:
                        raise self._death(was_told_to_end=True)
                    raise JobCancelledError(message.message)
                text = name_knobs(message.message, self.settings.knob_names)
                raise JobError(text, kind=message.kind, exit_code=message.exit_code)

    def _check_answer(self, verb: str, timeout: float, since_begin: float) -> None:
        if since_begin <= timeout:
            return
        if verb == "status":  # asked while a job runs, which must not be the victim
            text = f"The worker did not answer within {timeout:g} s."
            raise WorkerTimeoutError(text, next_step="It is busy; ask later.")
        self._kill(f"it did not answer {verb!r} in time")
        log = self.process.log_tail() or "none"
        raise WorkerTimeoutError(
            f"The worker did not answer {verb!r} within {timeout:g} s and was ended. Its last words: {log}"
        )

    def _check_life(self, since_heard: float, stall: float, since_moved: float) -> None:
        silence = self.settings.silence_timeout
        if since_heard > silence:
            self._kill("it gave no sign of life")
            text = f"The worker gave no sign of life for {silence:g} s and was ended."
            raise WorkerDiedError(text, log=self.process.log_tail())
        if since_moved > stall:
            self._kill("another job made no progress")
            log = self.process.log_tail() or "none"
            raise WorkerTimeoutError(
                f"The worker made no progress for {stall:g} s and was ended. Its last words: {log}"
            )

    def close(self) -> None:
        """Ask the worker to end, and end it if it does not within ``close_timeout``. May be called again.

        What is open then counts as cancelled: nobody is to start another worker for it.
        """
        self._is_closing = True
        timeout = self.settings.close_timeout
        if self.process.exit_code is None:
            with contextlib.suppress(BridgeError, OSError, ValueError):  # it is gone, or does not read
                self.process.send(to_header(Request(next(self._identifiers), "shutdown")), timeout=timeout)
        self.process.close(timeout)

    def _kill(self, why: str) -> None:
        self._why_ended = self._why_ended or why
        self.process.kill()

    def _send_cancel(self, identifier: int) -> None:
        header = to_header(Request(next(self._identifiers), "cancel", {"id": identifier}))
        # The loop that called sees the worker's end or its own deadline.
        with contextlib.suppress(BridgeError, OSError, ValueError):
            self.process.send(header, timeout=self.settings.cancel_timeout)

    def _death(self, *, was_told_to_end: bool = False) -> BridgeError:
        """Why nothing more will come.

        A worker that is told to end, by a signal say, answers what it is at with a CancelledError. Where no cancel was
        sent, that is ``was_told_to_end``.
        """
        if self._wire_error is None:
            code = self.process.close(self.settings.close_timeout)
        else:
            self.process.kill()
        # First what this side did: a worker that is ended may leave half a message behind.
        if self._is_closing:
            return JobCancelledError("Cancelled, because the worker was closed.")
        if self._why_ended:
            return WorkerDiedError(f"The worker was ended, because {self._why_ended}.", log=self.process.log_tail())
        if self._wire_error is not None:
            return WorkerDiedError(
                f"The worker sent what is no message and was ended. {self._wire_error.message}",
                log=self.process.log_tail(),
            )
        if was_told_to_end:
            return WorkerDiedError(
                "The worker was told to end from outside of the host, which some systems do when memory runs out.",
                log=self.process.log_tail(),
                next_step="Run the job again with a smaller tile.",
            )
        if self.process.was_ended:
            return WorkerDiedError("The worker closed its end of the pipe and was ended.", log=self.process.log_tail())
        if code == -9:
            text = "The worker was killed, which the system does when memory runs out."
            return WorkerDiedError(
                text, log=self.process.log_tail(), next_step="Run the job again with a smaller tile."
            )
        return WorkerDiedError(f"The worker ended (exit code {code}).", log=self.process.log_tail())

    def _receive(self, header: dict[str, Any], body: bytes) -> None:
        """On the reading thread: hand a message to whoever waits for it."""
        message = from_header(header, body)
        if isinstance(message, Failure) and message.identifier == 0:
            raise WireFormatError(f"The worker could not read a message: {message.message}")
        with self._lock:
            inbox = self._waiting.get(message.identifier)
        if inbox is not None:
            inbox.put(message)

    def _end(self, failure: WireError | None) -> None:
        """On the reading thread: nothing more will come."""
        self._wire_error = failure
        self._ended.set()
        with self._lock:
            for inbox in self._waiting.values():
                inbox.put(None)
