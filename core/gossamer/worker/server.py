"""The worker's life: read requests, answer them in their order, end when nobody needs it any more."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

from gossamer import __version__
from gossamer.errors import CancelledError, FrameError, GossamerError, SettingError
from gossamer.worker.channel import Outbox
from gossamer.worker.networks import KeptNetworks
from gossamer_bridge.errors import WireClosedError, WireError
from gossamer_bridge.protocol import VERBS, Event, Failure, Reply, Request, from_header
from gossamer_bridge.wire import read_frame

__all__ = ["Server"]

logger = logging.getLogger(__name__)

MOST_QUEUED = 64
"""Requests that may wait."""
TICK = 0.2
"""Seconds between looks at the clock."""
ALIVE = 2.0
"""Seconds between signs of life."""
FLUSH = 5.0
"""Seconds for the host to read the last answers."""


class ProtocolError(GossamerError):
    """A request that this worker does not understand."""

    exit_code = 2


@dataclass(eq=False)
class Work:
    """A request that waits or is being done."""

    request: Request
    cancelled: threading.Event = field(default_factory=threading.Event)
    has_begun: bool = False
    """Until then a cancel takes it out of ``Server._open`` and answers it."""


class Server:
    """Serves one host until it goes away, says ``shutdown``, or is silent for ``idle_timeout`` seconds."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], *, idle_timeout: float) -> None:
        self.idle_timeout = idle_timeout
        self.networks = KeptNetworks()
        self.ending = threading.Event()
        self._stdin = stdin
        self._outbox = Outbox(stdout)
        self._queue: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._open: dict[int, Work] = {}
        """Every request that is not answered yet, by its identifier."""
        self._current: Work | None = None
        # Reentrant, because a signal calls `end` on the main thread wherever that one is.
        self._lock = threading.RLock()
        self._heard = time.monotonic()
        self._files = ThreadPoolExecutor(1, "gossamer-files")
        self._quick: Mapping[str, Callable[[Request], Mapping[str, Any]]] = {
            "hello": self._hello,
            "status": self._status,
            "cancel": self._cancel,
            "shutdown": self._shutdown,
        }

    def run(self) -> None:
        """Serve. Returns when the host is gone or wants the worker to end; called from the main thread."""
        for target, name in ((self._read_all, "read"), (self._show_life, "alive")):
            threading.Thread(target=target, name=f"gossamer-{name}", daemon=True).start()
        while not self.ending.is_set():
            try:
                work = self._queue.get(timeout=TICK)
            except queue.Empty:
                if self._is_idle():
                    self.end(f"nothing was asked for {self.idle_timeout:g} s")
                continue
            self._do(work, self._with_model)
        self._files.shutdown(wait=False, cancel_futures=True)
        if not self._outbox.close(FLUSH):
            logger.warning("the host does not read the last answers")

    def end(self, reason: str) -> None:
        """Stop everything; from any thread."""
        if not self.ending.is_set():
            logger.info("the worker ends: %s", reason)
        self.ending.set()
        for work in list(self._open.values()):
            self._stop(work)

    def _stop(self, work: Work) -> None:
        work.cancelled.set()
        with self._lock:  # or the pass that is stopped may be the next request's
            if work is self._current:
                self.networks.interrupt()

    def _is_idle(self) -> bool:
        with self._lock:
            return not self._open and time.monotonic() - self._heard > self.idle_timeout

    def _read_all(self) -> None:
        """The reading thread: never waits for anything but the host."""
        try:
            while True:
                message = from_header(*read_frame(self._stdin))
                if not isinstance(message, Request):
                    raise WireError(f"A host sends requests, not a {type(message).__name__}.")
                self._accept(message)
        except WireClosedError:
            self.end("the host closed the pipe")
        except WireError as error:
            # What follows on the pipe cannot be told apart from the rest of this message.
            self._outbox.post(Failure(0, "ProtocolError", str(error), ProtocolError.exit_code))
            self.end(f"a message cannot be read: {error}")
        except OSError as error:
            self.end(f"the pipe cannot be read: {error}")
        except Exception:  # a reader that dies without a word would leave the host waiting
            logger.exception("reading failed")
            self.end("reading failed")

    def _accept(self, request: Request) -> None:
        with self._lock:
            self._heard = time.monotonic()
            is_known = request.identifier in self._open
            is_full = len(self._open) >= MOST_QUEUED
        if request.identifier < 1 or is_known:
            text = f"The request's id {request.identifier} is in use already or not above 0; count upwards."
            self._fail(request, ProtocolError(text))
        elif request.verb in self._quick:
            self._answer(request, lambda: (self._quick[request.verb](request), b""))
            if request.verb == "shutdown":  # after its answer is under way
                self.end("the host asked for it")
        elif request.verb not in VERBS:
            text = f"The worker {__version__} knows no verb {request.verb!r}, only {', '.join(VERBS)}. Update it."
            self._fail(request, ProtocolError(text))
        elif is_full:
            text = f"{MOST_QUEUED} requests wait already. Wait for them, or cancel some."
            self._fail(request, ProtocolError(text))
        else:
            work = Work(request)
            with self._lock:
                self._open[request.identifier] = work
            if request.verb in ("store", "fetch"):
                self._files.submit(self._do, work, self._with_files)
                return
            if self._current is not None:
                self._outbox.post(Event(request.identifier, "queued", {"before": len(self._open) - 1}))
            self._queue.put(work)

    def _do(self, work: Work, how: Callable[[Work], tuple[Mapping[str, Any], bytes]]) -> None:
        """Do a request and answer it, unless it was cancelled while it waited: then it is answered already."""
        is_model_work = how == self._with_model
        with self._lock:
            if self._open.get(work.request.identifier) is not work:
                return
            work.has_begun = True
            if is_model_work:
                self._current = work
        try:
            if work.cancelled.is_set():
                self._fail(work.request, CancelledError("Cancelled before it began."))
            else:
                self._answer(work.request, lambda: how(work))
        finally:
            with self._lock:
                self._open.pop(work.request.identifier, None)
                self._heard = time.monotonic()
                if is_model_work:
                    self._current = None

    def _answer(self, request: Request, act: Callable[[], tuple[Mapping[str, Any], bytes]]) -> None:
        try:
            values, body = act()
        except GossamerError as error:
            self._fail(request, error)
        except Exception as error:
            logger.exception("%s failed", request.verb)
            text = f"The worker failed: {type(error).__name__}: {error}. Its log says where; please report it."
            self._outbox.post(Failure(request.identifier, "InternalError", text))
        else:
            self._outbox.post(Reply(request.identifier, values, body))

    def _fail(self, request: Request, error: GossamerError) -> None:
        logger.info("%s %d: %s", request.verb, request.identifier, error)
        self._outbox.post(Failure(request.identifier, type(error).__name__, str(error), error.exit_code))

    def _with_model(self, work: Work) -> tuple[Mapping[str, Any], bytes]:
        from gossamer.worker.jobs import matte, prepare_model

        request = work.request
        if request.verb == "release":
            return {"released": self.networks.release()}, b""

        def emit(name: str, values: Mapping[str, Any]) -> None:
            self._outbox.post(Event(request.identifier, name, values))

        try:
            if request.verb == "prepare":
                return prepare_model(request.arguments, self.networks, emit, work.cancelled.is_set), b""
            job = request.arguments.get("job")
            if not isinstance(job, dict):
                raise SettingError("matte takes the argument job, an object as `gossamer run` reads it.")
            return matte(job, self.networks, emit, work.cancelled.is_set), b""
        except (CancelledError, SettingError, FrameError):
            raise
        except Exception:
            self.networks.release()  # whatever state the network is in, the next job loads it afresh
            raise

    def _with_files(self, work: Work) -> tuple[Mapping[str, Any], bytes]:
        from gossamer.worker.files import fetch, store

        if work.request.verb == "store":
            return store(work.request.arguments, work.request.body), b""
        return fetch(work.request.arguments)

    def _hello(self, request: Request) -> Mapping[str, Any]:
        from gossamer.worker.facts import greet

        return greet(request.arguments)

    def _status(self, request: Request) -> Mapping[str, Any]:
        from gossamer.evaluation.machine import memory
        from gossamer.worker.facts import memory_used

        current = self._current
        with self._lock:
            others = len(self._open) - (0 if current is None else 1)
        state = "idle" if current is None else "loading" if current.request.verb == "prepare" else "working"
        _, free = memory() or (0, 0)
        return {
            "state": state,
            "queued": max(0, others),
            "loaded": list(self.networks.names),
            "memory_used": memory_used(),
            "memory_free": free,
        }

    def _cancel(self, request: Request) -> Mapping[str, Any]:
        identifier = request.arguments.get("id", 0)
        with self._lock:
            work = self._open.get(identifier)
            if work is None:
                return {"found": False}
            is_waiting = not work.has_begun
            if is_waiting:
                del self._open[identifier]
        if is_waiting:
            # Answered here: what it waits for may take longer than a host waits before it ends the whole worker.
            self._fail(work.request, CancelledError("Cancelled before it began."))
        else:
            self._stop(work)
        return {"found": True}

    def _shutdown(self, request: Request) -> Mapping[str, Any]:
        return {}

    def _show_life(self) -> None:
        """The thread that tells of each open request that the worker is alive."""
        while not self.ending.wait(ALIVE):
            for identifier in list(self._open):
                self._outbox.post(Event(identifier, "alive"))
            if self._outbox.is_broken:
                self.end("the host closed its end of the pipe")
