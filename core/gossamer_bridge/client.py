"""The host's side of one worker: start, ask, listen, cancel, close. Safe to use from several threads."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gossamer_bridge import __version__
from gossamer_bridge.answers import FrameDone, Hello, MatteDone, Prepared, Status
from gossamer_bridge.errors import (
    BridgeError,
    JobCancelledError,
    JobError,
    WireError,
    WireFormatError,
    WorkerDiedError,
    WorkerStartError,
    WorkerTimeoutError,
    WorkerVersionError,
)
from gossamer_bridge.launch import clean_environment, find_interpreter, worker_command
from gossamer_bridge.pixels import BOTTOM_UP, Pixels
from gossamer_bridge.process import WorkerProcess
from gossamer_bridge.protocol import PROTOCOL_VERSION, Event, Failure, Message, Reply, Request, from_header, to_header

__all__ = ["WorkerClient", "WorkerSettings"]

POLL = 0.05
"""Seconds between looks at ``cancelled`` and at the process while waiting."""

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


class WorkerClient:
    """One worker process. Use :class:`gossamer_bridge.job.WorkerKeeper` to keep one and to replace it when it dies.

    ::

        with WorkerClient(WorkerSettings(host="Nuke 15.1")) as worker:
            print(worker.hello.describe())
            worker.matte(job_values(knobs), on_event=print, cancelled=lambda: False)
    """

    def __init__(self, settings: WorkerSettings = WorkerSettings()) -> None:
        self.settings = settings
        self._process: WorkerProcess | None = None
        self._hello: Hello | None = None
        self._identifiers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[Message | None]] = {}
        self._ended = threading.Event()
        self._wire_error: WireError | None = None

    def __enter__(self) -> WorkerClient:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def hello(self) -> Hello:
        """What the worker answered to the first question. Raises WorkerStartError before :meth:`start`."""
        if self._hello is None:
            raise WorkerStartError("The worker has not been started.")
        return self._hello

    @property
    def is_alive(self) -> bool:
        """Whether it has been started and still runs."""
        process = self._process
        return process is not None and not self._ended.is_set() and process.exit_code is None

    @property
    def pid(self) -> int | None:
        """Of the worker; None before it is started."""
        return None if self._process is None else self._process.pid

    def log_tail(self) -> str:
        """The last lines of the worker's log."""
        return "" if self._process is None else self._process.log_tail()

    def start(self, *, cancelled: Cancelled | None = None) -> Hello:
        """Start the process and ask who it is. May be called once.

        Raises:
            WorkerNotFoundError: no Python is known.
            WorkerStartError: it cannot be started, or ended before it answered.
            WorkerVersionError: it speaks another protocol.
            WorkerTimeoutError: it did not answer within ``start_timeout``.
            JobCancelledError: ``cancelled`` said so; the process is gone.
        """
        settings = self.settings
        command = settings.command
        if not command:
            interpreter = find_interpreter(settings.python, settings.environment)
            command = worker_command(interpreter, idle_timeout=settings.idle_timeout)
        environment = clean_environment(settings.environment)
        self._process = WorkerProcess(command, environment, on_message=self._receive, on_end=self._end)
        arguments = {"protocol": PROTOCOL_VERSION, "bridge": __version__, "host": settings.host}
        try:
            reply = self._ask("hello", arguments, timeout=settings.start_timeout, cancelled=cancelled)
            self._check_version(reply.values)
            self._hello = Hello.from_values(reply.values)
        except WorkerDiedError as error:
            self.kill()
            raise WorkerStartError(
                f"The worker ended before it answered (exit code {self._process.exit_code}). "
                f"Started as {' '.join(command[:4])} ... Its last words: {error.log or 'none'}"
            ) from error
        except JobError as error:
            self.kill()
            if error.kind == "VersionError":
                raise WorkerVersionError(str(error)) from error
            raise WorkerStartError(f"The worker refused the first question: {error}") from error
        except BaseException:
            self.kill()
            raise
        return self._hello

    def prepare(
        self,
        model: str = "gossamer-s",
        *,
        backend: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        tile: int = 0,
        threads: int = 0,
        cancelled: Cancelled | None = None,
    ) -> Prepared:
        """Load a model and warm it up; the next job with the same settings starts at once.

        Raises:
            JobError: the worker says why not.
            JobCancelledError, WorkerDiedError, WorkerTimeoutError.
        """
        arguments = {
            "model": model,
            "backend": backend,
            "device": device,
            "precision": precision,
            "tile": tile,
            "threads": threads,
        }
        timeout = self.settings.load_timeout
        return Prepared.from_values(self._ask("prepare", arguments, timeout=timeout, cancelled=cancelled).values)

    def matte(
        self, job: Mapping[str, Any], *, on_event: Listener | None = None, cancelled: Cancelled | None = None
    ) -> MatteDone:
        """Do a job.

        Args:
            job: of :func:`gossamer_bridge.settings.job_values`.
            on_event: told ``queued``, ``started``, ``progress`` and ``frame`` from the calling thread.
            cancelled: asked many times a second.

        Raises:
            JobError: the worker says what is wrong; finished frames are on disk.
            JobCancelledError: ``cancelled`` said so; finished frames are on disk.
            WorkerDiedError: the worker ended, or gave no sign of life; it is gone.
            WorkerTimeoutError: no progress for ``stall_timeout``; the worker has been ended.
        """
        frames: list[FrameDone] = []

        def listen(event: Event) -> None:
            if event.name == "frame":
                frames.append(FrameDone.from_values(event.values))
            if on_event is not None and event.name != "alive":
                on_event(event)

        values = self._ask("matte", {"job": dict(job)}, timeout=None, on_event=listen, cancelled=cancelled).values
        return MatteDone(
            asked=values.get("asked", {}),
            done=values.get("done", {}),
            frames=tuple(frames),
            finished_before=str(values.get("finished_before", "")),
            missing=str(values.get("missing", "")),
            seconds=float(values.get("seconds", 0.0)),
            was_loaded=bool(values.get("was_loaded", False)),
            notes=tuple(values.get("notes", ())),
        )

    def status(self) -> Status:
        """What the worker is doing; answered at any time, also while a job runs."""
        return Status.from_values(self._ask("status", {}, timeout=self.settings.answer_timeout).values)

    def release(self) -> int:
        """Free the models that are held, after the job that runs. Gives their number."""
        return int(self._ask("release", {}, timeout=None).values.get("released", 0))

    def store(self, pixels: Pixels, folder: str, name: str) -> str:
        """Have the worker write pixels that exist in memory only as a float EXR; gives its path.

        Args:
            pixels: any row order; the file has its rows as files have them.
            folder: absolute; made if it is not there. The caller removes the file when it is no longer needed.
            name: without folder and ending; ``plate.1001`` gives ``plate.1001.exr``.
        """
        arguments = {key: value for key, value in asdict(pixels).items() if key != "data"}
        arguments.update(folder=folder, name=name)
        return str(self._ask("store", arguments, body=pixels.data, timeout=self.settings.load_timeout).values["path"])

    def fetch(
        self, path: str, channels: tuple[str, ...] = ("A",), *, rows: str = BOTTOM_UP, window: str = "display"
    ) -> Pixels:
        """Read channels of a picture file back as raw float32.

        Args:
            path: absolute path of a result.
            channels: in the order in which they are wanted.
            rows: row order of the answer.
            window: ``display``: the picture as framed, 0 where the file has no pixels; ``data``: the pixels there are.
        """
        arguments = {"path": path, "channels": list(channels), "rows": rows, "window": window}
        reply = self._ask("fetch", arguments, timeout=self.settings.load_timeout)
        values = reply.values
        return Pixels(
            width=int(values["width"]),
            height=int(values["height"]),
            channels=tuple(values["channels"]),
            data=reply.body,
            rows=str(values["rows"]),
            color_space=str(values.get("color_space", "")),
        )

    def close(self) -> None:
        """Ask the worker to end, and end it if it does not within ``close_timeout``. May be called again."""
        process = self._process
        if process is None:
            return
        if process.exit_code is None:
            header = to_header(Request(next(self._identifiers), "shutdown"))
            with contextlib.suppress(BridgeError, OSError, ValueError):  # it is being ended anyway
                process.send(header, timeout=self.settings.close_timeout)
        process.close(self.settings.close_timeout)

    def kill(self) -> None:
        """End the worker at once."""
        if self._process is not None:
            self._process.kill()

    def _check_version(self, values: Mapping[str, Any]) -> None:
        theirs, version = values.get("protocol"), values.get("version", "?")
        if theirs == PROTOCOL_VERSION:
            return
        is_older = isinstance(theirs, int) and theirs < PROTOCOL_VERSION
        next_step = (
            "Update the worker: `PYTHON -m pip install --upgrade gossamer-matting` with its Python."
            if is_older
            else "Update the add-on: run `gossamer install-hosts` of the worker's version, and restart the host."
        )
        raise WorkerVersionError(
            f"The worker is Gossamer {version} with protocol {theirs}, the add-on is {__version__} and wants protocol "
            f"{PROTOCOL_VERSION}.",
            next_step=next_step,
        )

    def _ask(
        self,
        verb: str,
        arguments: Mapping[str, Any],
        *,
        timeout: float | None,
        body: bytes = b"",
        on_event: Listener | None = None,
        cancelled: Cancelled | None = None,
    ) -> Reply:
        """Send a request and wait for its answer. ``timeout`` None: as long as the worker shows life and progress."""
        process = self._process
        if process is None:
            raise WorkerStartError("The worker has not been started.")
        request = Request(next(self._identifiers), verb, arguments, body)
        inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        with self._lock:
            self._waiting[request.identifier] = inbox
        try:
            if self._ended.is_set():
                raise self._death()
            try:
                process.send(to_header(request), body, timeout=self.settings.silence_timeout)
            except (OSError, ValueError) as error:
                self._ended.wait(self.settings.close_timeout)
                raise self._death() from error
            return self._wait(request, inbox, timeout, on_event, cancelled)
        finally:
            with self._lock:
                self._waiting.pop(request.identifier, None)

    def _wait(
        self,
        request: Request,
        inbox: queue.SimpleQueue[Message | None],
        timeout: float | None,
        on_event: Listener | None,
        cancelled: Cancelled | None,
    ) -> Reply:
        begun = heard = moved = time.monotonic()
        cancel_sent: float | None = None
        while True:
            now = time.monotonic()
            if cancel_sent is None and cancelled is not None and cancelled():
                if request.verb == "hello":  # nothing is lost with a worker that has not begun
                    self.kill()
                    raise JobCancelledError("Cancelled.")
                cancel_sent = now
                self._send_cancel(request.identifier)
            if cancel_sent is not None and now - cancel_sent > self.settings.cancel_timeout:
                self.kill()
                raise JobCancelledError(
                    "Cancelled. The worker did not stop by itself and was ended; it starts again with the next job."
                )
            self._check_deadlines(request.verb, timeout, now - begun, now - heard, now - moved)
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
                    moved = heard
                if on_event is not None:
                    on_event(message)
            elif isinstance(message, Reply):
                return message
            elif isinstance(message, Failure):
                if message.kind == "CancelledError":
                    raise JobCancelledError(message.message)
                raise JobError(message.message, kind=message.kind, exit_code=message.exit_code)

    def _check_deadlines(
        self, verb: str, timeout: float | None, since_begin: float, since_heard: float, since_moved: float
    ) -> None:
        settings = self.settings
        if timeout is not None and since_begin > timeout:
            self.kill()
            raise WorkerTimeoutError(
                f"The worker did not answer {verb!r} within {timeout:g} s and was ended. Its last words: "
                f"{self.log_tail() or 'none'}"
            )
        if timeout is None and since_heard > settings.silence_timeout:
            self.kill()
            raise WorkerDiedError(
                f"The worker gave no sign of life for {settings.silence_timeout:g} s and was ended.",
                log=self.log_tail(),
            )
        if timeout is None and since_moved > settings.stall_timeout:
            self.kill()
            raise WorkerTimeoutError(
                f"The worker made no progress for {settings.stall_timeout:g} s and was ended. Its last words: "
                f"{self.log_tail() or 'none'}"
            )

    def _send_cancel(self, identifier: int) -> None:
        assert self._process is not None
        header = to_header(Request(next(self._identifiers), "cancel", {"id": identifier}))
        # The loop that called sees the worker's end or its own deadline.
        with contextlib.suppress(BridgeError, OSError, ValueError):
            self._process.send(header, timeout=self.settings.cancel_timeout)

    def _death(self) -> BridgeError:
        """Why nothing more will come."""
        assert self._process is not None
        if self._wire_error is not None:
            return WorkerDiedError(
                f"The worker sent what is no message and was ended. {self._wire_error.message}", log=self.log_tail()
            )
        code = self._process.exit_code
        return WorkerDiedError(f"The worker ended (exit code {code}).", log=self.log_tail())

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
        process = self._process
        self._wire_error = failure
        if process is not None:
            if failure is not None:
                process.kill()
            else:
                process.close(self.settings.close_timeout)
        self._ended.set()
        with self._lock:
            for inbox in self._waiting.values():
                inbox.put(None)
