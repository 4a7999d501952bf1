"""Workers for tests: one in this process, on pipes, and real ones."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.worker.server import Server
from gossamer_bridge.client import WorkerClient, WorkerSettings
from gossamer_bridge.protocol import Event, Failure, Message, Reply, Request, from_header, to_header
from gossamer_bridge.wire import read_frame, write_frame

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = f"import sys; sys.path[:0] = [{str(ROOT / 'core')!r}, {str(ROOT / 'export')!r}]; "
MAIN = "sys.argv[0] = 'gossamer'; from gossamer.__main__ import main; main()"
WAIT = 30.0
"""Seconds that a healthy worker never needs."""


def worker_program(before: str = "", *arguments: str) -> tuple[str, ...]:
    """The real worker from this working tree; ``before`` is Python that runs first."""
    return (sys.executable, "-c", PROGRAM + before + MAIN, "worker", *arguments)


class Host:
    """Holds the other ends of a server's pipes."""

    def __init__(self, *, idle_timeout: float = 60.0) -> None:
        to_worker, from_worker = os.pipe(), os.pipe()
        self.stdin = os.fdopen(to_worker[1], "wb", buffering=0)
        self.stdout = os.fdopen(from_worker[0], "rb", buffering=0)
        ends = os.fdopen(to_worker[0], "rb", buffering=0), os.fdopen(from_worker[1], "wb", buffering=0)
        self.server = Server(*ends, idle_timeout=idle_timeout)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        self._ends = ends
        self._answers: dict[int, Reply | Failure] = {}

    def send(self, request: Request) -> None:
        write_frame(self.stdin, to_header(request), request.body)

    def read(self) -> Message:
        """The next message; signs of life left out."""
        while True:
            message = from_header(*read_frame(self.stdout))
            if not (isinstance(message, Event) and message.name == "alive"):
                return message

    def answer(self, identifier: int) -> Reply | Failure:
        """The answer to a request; events are left out, other answers kept: they come in any order."""
        while identifier not in self._answers:
            message = self.read()
            if isinstance(message, (Reply, Failure)):
                self._answers[message.identifier] = message
        return self._answers.pop(identifier)

    def has_answered(self, identifier: int) -> bool:
        """Whether that request's answer is among those that were read while another one was waited for."""
        return identifier in self._answers

    def ask(self, identifier: int, verb: str, arguments: dict[str, Any] | None = None, body: bytes = b"") -> Any:
        self.send(Request(identifier, verb, arguments or {}, body))
        return self.answer(identifier)

    def has_ended(self) -> bool:
        self.thread.join(WAIT)
        return not self.thread.is_alive()

    def close(self) -> None:
        for stream in (self.stdin, self.stdout):
            stream.close()
        self.server.end("the test is over")
        assert self.has_ended()
        self._ends[0].close()


@pytest.fixture
def make_host() -> Iterator[Callable[..., Host]]:
    """Makes hosts with a server of their own in this process."""
    made: list[Host] = []

    def make(**options: Any) -> Host:
        made.append(Host(**options))
        return made[-1]

    yield make
    for host in made:
        host.close()


@pytest.fixture
def host(make_host: Callable[..., Host]) -> Host:
    return make_host()


@pytest.fixture
def make_worker() -> Iterator[Callable[..., WorkerClient]]:
    """Starts real workers as processes."""
    made: list[WorkerClient] = []

    def make(before: str = "", *arguments: str, **settings: Any) -> WorkerClient:
        client = WorkerClient(WorkerSettings(**{"command": worker_program(before, *arguments), **settings}))
        made.append(client)
        client.start()
        return client

    yield make
    for client in made:
        client.close()
        assert not client.is_alive


@pytest.fixture
def make_job(tiny_weights: Path, make_shot: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Makes jobs over a small shot of three frames with the tiny network, as JSON."""
    folder, _ = make_shot()

    def make(**changes: Any) -> dict[str, Any]:
        outputs = {"path": str(tmp_path / "out") + "/", "existing": "overwrite", **changes.pop("outputs", {})}
        job = {
            "schema": 1,
            "plate": str(folder / "plate.####.exr"),
            "trimap": str(folder / "trimap.####.exr"),
            "model": str(tiny_weights),
            "outputs": outputs,
        }
        return {**job, **changes}

    return make
