"""``gossamer samples`` and ``gossamer trimaps``: files to train on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from gossamer.cli import samples, trimaps
from gossamer.errors import DataError, SettingError


@pytest.fixture
def run() -> Callable[..., Result]:
    app = typer.Typer()
    samples.register(app)
    trimaps.register(app)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_samples_become_files_and_their_alphas_trimaps(run: Callable[..., Result], tmp_path: Path) -> None:
    words = ("--count", 2, "--size", 64, "--trimaps", "ellipse", "--seed", 3, "--set", "element_size=128")
    result = run("samples", tmp_path / "set", *words)
    assert result.exit_code == 0, result.output
    assert "set: 2 samples" in result.output
    result = run("trimaps", tmp_path / "set" / "alpha", "-o", tmp_path / "again", "--seed", 3)
    assert "2 written, 0 were there already; seed 3" in result.output
    for name in ("000000.png", "000001.png"):
        first, second = (
            cv2.imread(str(tmp_path / folder / name), cv2.IMREAD_GRAYSCALE) for folder in ("set/trimap", "again")
        )
        assert first is not None
        assert second is not None
        assert np.array_equal(first, second)
        assert set(np.unique(first)) <= {0, 128, 255}
    with (tmp_path / "again" / "trimaps.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["3", "3"]
    assert (
        "0 written, 2 were there already"
        in run("trimaps", tmp_path / "set/alpha", "-o", tmp_path / "again", "--seed", 3).output
    )


@pytest.mark.parametrize("text", ["size=3", "window", "photos=x", "window=many"])
def test_a_setting_of_the_samples_that_cannot_be_is_named(
    run: Callable[..., Result], tmp_path: Path, text: str
) -> None:
    error = run("samples", tmp_path / "x", "--set", text).exception
    assert isinstance(error, SettingError)
    assert f"--set {text}: " in str(error)


def test_a_kind_of_trimap_that_is_not_there_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    error = run("samples", tmp_path / "x", "--trimaps", "square").exception
    assert isinstance(error, SettingError)
    assert "--trimaps is 'square'; use painted, gfm, ellipse" in str(error)


def test_alphas_that_are_not_there_are_named(run: Callable[..., Result], tmp_path: Path) -> None:
    error = run("trimaps", tmp_path / "nowhere", "-o", tmp_path / "x").exception
    assert isinstance(error, DataError)
    assert "There is no folder" in str(error)
    error = run("trimaps", tmp_path, "-o", tmp_path / "x").exception
    assert isinstance(error, DataError)
    assert "there are no pictures" in str(error)
