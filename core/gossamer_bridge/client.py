"""The host's side of one worker: start, ask, listen, cancel, close. Safe to use from several threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gossamer_bridge import __version__
from gossamer_bridge.answers import FrameDone, Hello, MatteDone, Prepared, Status
from gossamer_bridge.errors import JobError, WorkerDiedError, WorkerStartError, WorkerVersionError
from gossamer_bridge.exchange import Cancelled, Exchange, Listener, WorkerSettings
from gossamer_bridge.launch import clean_environment, find_interpreter, worker_command
from gossamer_bridge.pixels import BOTTOM_UP, Pixels
from gossamer_bridge.protocol import PROTOCOL_VERSION, Event, Reply

__all__ = ["WorkerClient", "WorkerSettings"]


class WorkerClient:
    """One worker process. Use :class:`gossamer_bridge.job.WorkerKeeper` to keep one and to replace it when it dies.

    ::

        with WorkerClient(WorkerSettings(host="Nuke 15.1")) as worker:
            print(worker.hello.describe())
            worker.matte(job_values(knobs), on_event=print, cancelled=lambda: False)
    """

    def __init__(self, settings: WorkerSettings = WorkerSettings()) -> None:  # noqa: B008 - frozen
        self.settings = settings
        self._exchange: Exchange | None = None
        self._hello: Hello | None = None

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
        return self._exchange is not None and self._exchange.is_alive

    @property
    def pid(self) -> int | None:
        """Of the worker; None before it is started."""
        return None if self._exchange is None else self._exchange.process.pid

    def log_tail(self) -> str:
        """The last lines of the worker's log."""
        return "" if self._exchange is None else self._exchange.process.log_tail()

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
        self._exchange = Exchange(tuple(command), environment, settings)
        arguments = {"protocol": PROTOCOL_VERSION, "bridge": __version__, "host": settings.host}
        try:
            reply = self._ask("hello", arguments, timeout=settings.start_timeout, cancelled=cancelled)
            self._check_version(reply.values)
            self._hello = Hello.from_values(reply.values)
        except WorkerDiedError as error:
            self.kill()
            next_step = None
            if "No module named gossamer" in error.log:
                next_step = f"Install it there: {command[0]} -m pip install gossamer-matting; or choose another Python."
            raise WorkerStartError(
                f"The worker ended before it answered. {error.message} It was started as {' '.join(command[:3])} ...",
                next_step=next_step,
            ) from error
        except JobError as error:
            self.kill()
            if error.kind == "VersionError":
                raise WorkerVersionError(error.message, next_step="") from error  # the worker says what to do
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
        stall = self.settings.load_timeout
        reply = self._ask("prepare", arguments, timeout=None, stall=stall, cancelled=cancelled)
        return Prepared.from_values(reply.values)

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
            JobCancelledError: ``cancelled`` said so, or :meth:`close` was called; finished frames are on disk.
            WorkerDiedError: the worker ended, also by a signal or for another job's sake, or gave no sign of life; it
                is gone.
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
        """What the worker is doing; answered at any time, also while a job runs.

        Raises:
            WorkerTimeoutError: it is too busy to answer; it goes on with what it does.
        """
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
        """Ask the worker to end, and end it if it does not within ``close_timeout``. May be called again.

        Jobs that it has are cancelled.
        """
        if self._exchange is not None:
            self._exchange.close()

    def kill(self) -> None:
        """End the worker at once."""
        if self._exchange is not None:
            self._exchange.process.kill()

    def _ask(
        self,
        verb: str,
        arguments: Mapping[str, Any],
        *,
        timeout: float | None,
        stall: float | None = None,
        body: bytes = b"",
        on_event: Listener | None = None,
        cancelled: Cancelled | None = None,
    ) -> Reply:
        if self._exchange is None:
            raise WorkerStartError("The worker has not been started.")
        return self._exchange.ask(
            verb, arguments, timeout=timeout, stall=stall, body=body, on_event=on_event, cancelled=cancelled
        )

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
