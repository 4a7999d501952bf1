"""``gossamer refine-foregrounds`` as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from gossamer.cli import refine_foregrounds
from gossamer.errors import SettingError


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """Runs the command over two foregrounds."""
    for name in ("one", "two"):
        for folder, shape in (("fg", (8, 8, 3)), ("alpha", (8, 8))):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), np.full(shape, 100, np.uint8))
    app = typer.Typer()
    app.callback()(lambda: None)  # with a second node the command keeps its name
    refine_foregrounds.register(app)
    folders = (str(tmp_path / "fg"), str(tmp_path / "alpha"))
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["refine-foregrounds", *folders, "-o", str(tmp_path / "out"), *words])


def test_files_are_written_once(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "2 written on cpu, 0 were there already" in result.output
    assert "[1/2] one" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.png", "two.png"]
    assert "0 written on cpu, 2 were there already" in run("--device", "cpu").output


def test_a_bar_can_be_asked_for(run: Callable[..., Result]) -> None:
    result = run("--progress", "rich", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "[1/2] one" not in result.output


def test_an_unknown_kind_of_progress_is_refused(run: Callable[..., Result]) -> None:
    error = run("--progress", "loud").exception
    assert isinstance(error, SettingError)
    assert "--progress is auto, rich, plain, not 'loud'" in str(error)
