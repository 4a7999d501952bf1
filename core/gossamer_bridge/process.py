"""The worker as a child process on pipes. No call in here waits longer than it says."""

from __future__ import annotations

import contextlib
import logging
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from gossamer_bridge.errors import WireClosedError, WireError, WorkerStartError, WorkerTimeoutError
from gossamer_bridge.wire import Buffer, read_frame, write_frame

__all__ = ["WorkerProcess"]

logger = logging.getLogger(__name__)

LOG_LINES = 40
"""Lines of the worker's log that are kept."""
LOG_LINE_LENGTH = 500
POLL = 0.05
"""Seconds between looks at whether the sending thread still lives."""
END_GRACE = 2.0
"""Seconds between asking a process to end and ending it."""


class WorkerProcess:
    """A started worker: messages go out in order, arriving ones are handed to ``on_message``, its log is kept.

    Three threads of their own serve the pipes, so neither side can block the other: a worker that does not read stalls
    the writing thread only, a worker that writes more log than anybody reads stalls nothing.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        on_message: Callable[[dict[str, Any], bytes], None],
        on_end: Callable[[WireError | None], None],
    ) -> None:
        """Start it.

        Args:
            command: program and arguments.
            environment: the whole of it.
            on_message: header and body of each message, from the reading thread.
            on_end: called once from the reading thread when nothing more will come; with the error if what came was
                no message.

        Raises:
            WorkerStartError: the system cannot start the program.
        """
        self.command = tuple(command)
        self._on_message = on_message
        self._on_end = on_end
        options: dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW
        else:
            options["start_new_session"] = True  # Ctrl-C in the host's terminal is the host's
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=dict(environment),
                cwd=tempfile.gettempdir(),
                **options,
            )
        except (OSError, ValueError) as error:
            raise WorkerStartError(f"{self.command[0]} cannot be started: {error}.") from error
        self.was_ended = False
        """Whether it had to be ended, instead of ending by itself."""
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._log_lock = threading.Lock()
        self._outbox: queue.SimpleQueue[_Parcel | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=target, name=f"gossamer-{name}", daemon=True)
            for name, target in (("send", self._send_all), ("receive", self._receive_all), ("log", self._drain_log))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def log_tail(self, lines: int = 12) -> str:
        """The last lines that the worker wrote to its log."""
        with self._log_lock:
            return "\n".join(list(self._log)[-lines:])

    def send(self, header: Mapping[str, Any], body: Buffer = b"", *, timeout: float) -> None:
        """Send one message.

        Raises:
            WorkerTimeoutError: the worker does not read; it has been ended.
            OSError: the pipe is closed; the reading thread knows why.
            WireError: the message is too large; nothing was sent.
        """
        parcel = _Parcel(header, body)
        self._outbox.put(parcel)
        deadline = time.monotonic() + timeout
        while not parcel.done.wait(POLL):
            if not self._threads[0].is_alive():
                raise BrokenPipeError("the worker's input is closed")
            if time.monotonic() > deadline:
                self.kill()
                raise WorkerTimeoutError(f"The worker did not read a message within {timeout:g} s and was ended.")
        if parcel.error is not None:
            raise parcel.error

    def close(self, timeout: float) -> int | None:
        """Close its input, wait for its end, and end it if it does not. Gives the exit code. May be called again."""
        self._outbox.put(None)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            logger.warning("the worker %d did not end within %g s and is ended", self.pid, timeout)
        self.kill()
        return self._process.returncode

    def kill(self) -> None:
        """End it at once. Returns when it has ended; may be called from any thread, any number of times."""
        for end in (self._process.terminate, self._process.kill):
            if self._process.poll() is not None:
                break
            self.was_ended = True
            end()
            try:
                self._process.wait(END_GRACE)
            except subprocess.TimeoutExpired:
                continue
        self._outbox.put(None)
        deadline = time.monotonic() + END_GRACE
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _stream(self, name: str) -> IO[bytes]:
        stream: IO[bytes] | None = getattr(self._process, name)
        assert stream is not None
        return stream

    def _send_all(self) -> None:
        stream = self._stream("stdin")
        try:
            while True:
                parcel = self._outbox.get()
                if parcel is None:
                    break
                try:
                    write_frame(stream, parcel.header, parcel.body)
                except (WireError, OSError, ValueError) as error:
                    parcel.error = error
                parcel.done.set()
        finally:
            _close(stream)

    def _receive_all(self) -> None:
        stream = self._stream("stdout")
        failure: WireError | None = None
        try:
            while True:
                self._on_message(*read_frame(stream))
        except WireClosedError:
            pass
        except WireError as error:
            failure = error
        except (OSError, ValueError) as error:
            logger.warning("reading from the worker failed: %s", error)
        finally:
            _close(stream)
            self._on_end(failure)

    def _drain_log(self) -> None:
        stream = self._stream("stderr")
        line = bytearray()
        try:
            while True:
                piece = stream.read(4096)
                if not piece:
                    break
                line += piece
                *whole, rest = line.split(b"\n")
                for text in whole:
                    self._note(text)
                # A line without an end must not grow without one.
                line = rest if len(rest) <= 4 * LOG_LINE_LENGTH else rest[: 4 * LOG_LINE_LENGTH]
            self._note(line)
        except (OSError, ValueError):
            pass
        finally:
            _close(stream)

    def _note(self, line: bytes | bytearray) -> None:
        text = line.decode("utf-8", "replace").rstrip()[:LOG_LINE_LENGTH]
        if text:
            with self._log_lock:
                self._log.append(text)
            logger.debug("worker: %s", text)


class _Parcel:
    """A message on its way to the writing thread."""

    def __init__(self, header: Mapping[str, Any], body: Buffer) -> None:
        self.header = header
        self.body = body
        self.done = threading.Event()
        self.error: Exception | None = None


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError):
        stream.close()
