"""A Nuke for one test, plates on disk, and a worker that works in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.fake_nuke import Application
from tests.nuke_plugin.in_process import InProcessKeeper
from tests.nuke_plugin.shots import Shot

PLUGIN = Path(__file__).resolve().parents[2] / "nuke_plugin"


def _forget() -> None:
    for name in [name for name in sys.modules if name == "nuke" or name.split(".")[0] == "gossamer_nuke"]:
        del sys.modules[name]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Application]]:
    """``start(gui=False)``: a Nuke with the plug-in on its path; ``import nuke`` is it, for this test alone."""
    started: list[Application] = []

    def begin(*, gui: bool = True, arguments: tuple[str, ...] = ()) -> Application:
        _forget()
        app = Application(PLUGIN, gui=gui)
        app.module.EXE_PATH = str(PLUGIN / "Nuke")  # type: ignore[attr-defined]
        if arguments:
            app.module.rawArgs = ["nuke", *arguments]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "nuke", app.module)
        from gossamer_nuke import startup

        startup.init()
        if gui:
            startup.menu()
        started.append(app)
        return app

    yield begin
    for _ in started:
        session: Any = sys.modules.get("gossamer_nuke.session")
        if session is not None:
            session.close_worker()
    _forget()


@pytest.fixture
def app(start: Callable[..., Application]) -> Application:
    """A Nuke with a GUI."""
    return start()


@pytest.fixture
def terminal(start: Callable[..., Application]) -> Application:
    """``nuke -t``."""
    return start(gui=False)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[], InProcessKeeper]:
    """``worker()``: the core's own code does the jobs, in this process."""

    def use() -> InProcessKeeper:
        from gossamer_nuke import session

        keeper = InProcessKeeper()
        monkeypatch.setattr(session, "_keeper", keeper)
        return keeper

    return use


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """Frames 1001 to 1004 of a disc before a gradient, with a trimap and a mask."""
    return Shot(tmp_path / "plates", np.random.default_rng(6))
