# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives as long as the add-on is switched on: the warm worker, the job that runs, what is to be read about both.

There is one of it, made by ``register`` and closed by ``unregister``; panels draw from it, operators change it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from uuid import uuid4

from gossamer_bridge.answers import Hello
from gossamer_bridge.client import WorkerSettings
from gossamer_bridge.errors import BridgeError
from gossamer_bridge.job import WorkerKeeper
from gossamer_bridge.launch import find_interpreter

from .host import BlenderHost
from .journal import Journal
from .run import Order, Run
from .status import clock, progress_lines

__all__ = ["Session", "close_session", "open_session", "session"]

DEFAULT_MODELS = ("gossamer-s",)
"""Offered as long as no worker has said what it has."""


@dataclass
class Session:
    """The add-on's state outside of any .blend file."""

    keeper: WorkerKeeper = field(default_factory=WorkerKeeper)
    run: Run | None = None
    last: tuple[str, ...] = ()
    """How the last job ended, for the panel."""
    is_error: bool = False
    hello: Hello | None = None
    test_lines: tuple[str, ...] = ()
    """What the Test button found."""
    testing: threading.Thread | None = None
    journal: Journal = field(default_factory=Journal)
    token: str = field(default_factory=lambda: uuid4().hex)
    """Stands for the .blend file as long as that has no path."""
    _found: tuple[str, bool] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a job runs."""
        return self.run is not None

    def renew_token(self) -> None:
        """Another .blend file is being opened."""
        self.token = uuid4().hex

    def begin(self, order: Order, host: BlenderHost | None = None) -> Run:
        """Start a job. There is one at a time; operators look at ``is_busy`` first."""
        self.run = Run(order, self.keeper, host)
        self.last = ()
        self.run.start()
        return self.run

    def end(self, lines: tuple[str, ...], *, is_error: bool = False) -> None:
        """The job is over."""
        self.run = None
        self.last, self.is_error = lines, is_error
        current = self.keeper.current
        if current is not None and current.is_alive:
            self.hello = current.hello

    def lines(self) -> tuple[str, ...]:
        """The status, line by line; of the job that runs, else of the last one."""
        if self.run is None:
            return self.last
        return tuple(progress_lines(self.run.host.progress, time.monotonic() - self.run.started_at))

    def needs_setting_up(self, python: str) -> bool:
        """Whether no worker's Python can be found; looked up once for each value of the setting."""
        if self._found is None or self._found[0] != python:
            try:
                find_interpreter(python)
                self._found = (python, True)
            except BridgeError:
                self._found = (python, False)
        return not self._found[1]

    def models(self) -> tuple[str, ...]:
        """Names of the models that the worker has."""
        return tuple(model.name for model in self.hello.models) if self.hello is not None else DEFAULT_MODELS

    def test(self, settings: WorkerSettings) -> None:
        """Ask the worker who it is, in a thread; the answer lands in ``test_lines``."""
        self.keeper.change(settings)
        self.test_lines = ("Asking the worker ...",)
        self.testing = threading.Thread(target=self._test, name="gossamer-test", daemon=True)
        self.testing.start()

    def _test(self) -> None:
        begun = time.monotonic()
        try:
            hello = self.keeper.client().hello
        except BridgeError as error:
            self.test_lines = (f"Not working: {error}",)
            return
        self.hello, self._found = hello, None
        memory = f"{hello.memory_free / 2**30:.1f} of {hello.memory_total / 2**30:.1f} GB memory free"
        self.test_lines = (
            f"Gossamer {hello.version}, Python {hello.python}, answered after {clock(time.monotonic() - begun)}",
            hello.executable,
            "Models: " + ", ".join(model.name for model in hello.models),
            "Devices: " + ", ".join(f"{device.name} ({device.description})" for device in hello.devices),
            *((memory,) if hello.memory_total else ()),
        )

    def close(self) -> None:
        """Stop the job and end the worker: after this nothing runs any more."""
        if self.run is not None:
            self.run.stop()
            self.run = None
        self.keeper.close()
        if self.testing is not None:
            self.testing.join(20.0)
            self.keeper.close()


_open: list[Session] = []


def open_session() -> Session:
    """Begin: the add-on is being switched on."""
    _open[:] = [Session()]
    return _open[0]


def session() -> Session:
    """The one session.

    Raises:
        BridgeError: the add-on is switched off.
    """
    if not _open:
        raise BridgeError("Gossamer is switched off.", next_step="Switch the add-on on in the preferences.")
    return _open[0]


def close_session() -> None:
    """End: stop the job and the worker."""
    for opened in _open:
        opened.close()
    _open.clear()
