"""``render.py`` as Nuke runs it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.nuke_plugin.shots import Shot

RENDER = Path(__file__).resolve().parents[2] / "nuke_plugin" / "render.py"


@pytest.fixture
def script(terminal: Any, shot: Shot) -> Path:
    node = shot.node(terminal)
    terminal.module.nodes.Write(
        inputs=[node], file=f"{shot.folder.parent.as_posix()}/out/comp.%04d.exr", raw=True, create_directories=True
    )
    terminal.save_as(shot.folder.parent / "shot.nk")
    return shot.folder.parent / "shot.nk"


def run(app: Any, monkeypatch: pytest.MonkeyPatch, seen: list[str], raw: list[str]) -> object:
    """The exit code with what Nuke leaves in ``sys.argv`` and what was typed."""
    monkeypatch.setattr(sys, "argv", [str(RENDER), *seen])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(app.module, "rawArgs", raw)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(RENDER), run_name="__main__")
    return ended.value.code


@pytest.mark.parametrize("is_eaten", [False, True])
def test_a_range_that_nuke_takes_for_itself_is_found_all_the_same(
    terminal: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch, script: Path, is_eaten: bool
) -> None:
    keeper = worker()
    typed = [str(script), "1002-1003"]
    raw = ["/opt/Nuke15.1v1/Nuke15.1", "-t", str(RENDER), *typed]
    assert run(terminal, monkeypatch, typed[:1] if is_eaten else typed, raw) == 0
    assert [job["frames"] for job in keeper.jobs] == ["1002-1003"]
    assert len(list((shot.folder.parent / "out").glob("*.exr"))) == 2


def test_where_nukes_own_list_does_not_name_the_file_what_python_got_will_do(
    terminal: Any, worker: Any, monkeypatch: pytest.MonkeyPatch, script: Path
) -> None:
    keeper = worker()
    assert run(terminal, monkeypatch, [str(script), "1002"], ["nuke", "-t"]) == 0
    assert [job["frames"] for job in keeper.jobs] == ["1002"]


def test_without_frames_it_says_how_it_is_used(
    terminal: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(terminal, monkeypatch, ["shot.nk"], ["nuke", "-t", str(RENDER), "shot.nk"]) == 2
    assert "SCRIPT FRAMES [WRITE ...]" in caplog.text
