"""The add-on imported on a fake Blender, for one test at a time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer_bridge.client import WorkerSettings
from gossamer_bridge.job import WorkerKeeper
from tests.fakes.fake_bpy import FakeBlender
from tests.fakes.fake_worker import Life, fake_worker

DONE = {"backend": "onnxruntime", "device": "cpu", "precision": "fp32", "tile": 0}


class Addon:
    """A fake Blender with the add-on switched on."""

    def __init__(self, blender: FakeBlender) -> None:
        self.blender = blender
        blender.install()
        self.main = importlib.import_module("gossamer_blender")
        self.main.register()

    def module(self, name: str) -> Any:
        return importlib.import_module(f"gossamer_blender.{name}")

    @property
    def session(self) -> Any:
        return self.module("session").session()

    def use_worker(self, *lives: Life, counter: Path | None = None) -> None:
        """Workers that live like that from now on."""
        keeper = WorkerKeeper(WorkerSettings(command=fake_worker(*lives, counter=counter)))
        keeper.change = lambda settings: None  # type: ignore[method-assign]
        self.session.keeper.close()
        self.session.keeper = keeper

    def switch_off(self) -> None:
        if self.module("session")._open:
            self.main.unregister()
        self.blender.remove()


@pytest.fixture(params=[(4, 2, 0)])
def addon(request: pytest.FixtureRequest) -> Iterator[Addon]:
    made = Addon(FakeBlender(request.param))
    try:
        yield made
    finally:
        made.switch_off()


def matte_life(*files: Path) -> Life:
    """A worker that writes these files, frames 1, 2, 3 ..., as a job's answer."""
    events: list[list[Any]] = [["event", "started", {"frames": f"1-{len(files)}", "done": DONE}]]
    for number, file in enumerate(files, start=1):
        events.append(["file", str(file), "matte"])
        events.append(["event", "frame", {"frame": number, "outputs": [str(file)], "seconds": {}}])
    return {"matte": [*events, ["reply", {"asked": {}, "done": DONE, "seconds": 1.0}]]}
