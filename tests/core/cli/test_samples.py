"""``gossamer samples`` and ``gossamer trimaps``: files to train on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from gossamer.cli import samples, trimaps
from gossamer.data import written_samples
from gossamer.errors import DataError, ImageWriteError, SettingError
from gossamer.image.io import write_image


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


def test_samples_are_composed_over_photographs(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert cv2.imwrite(str(tmp_path / "photos" / "blue.png"), np.full((40, 50, 3), (255, 0, 0), np.uint8))
    words = ("--count", 2, "--size", 64, "--set", "element_size=128", "--backgrounds", tmp_path / "photos")
    pictures = {}
    for name, extra in (("plain", ()), ("rssn", ("--rssn",))):
        result = run("samples", tmp_path / name, *words, *extra)
        assert result.exit_code == 0, result.output
        files = [tmp_path / name / "image" / f"{k:06d}.png" for k in range(2)]
        pictures[name] = [np.asarray(cv2.imread(str(file))) for file in files]
    clear = cv2.imread(str(tmp_path / "plain" / "alpha" / "000000.png"), cv2.IMREAD_GRAYSCALE) == 0
    assert (pictures["plain"][0][clear] == (255, 0, 0)).all()
    # Half of RSSN's compositions have noise; of these two with this seed at least one.
    assert any(not np.array_equal(a, b) for a, b in zip(pictures["plain"], pictures["rssn"], strict=True))
    error = run("samples", tmp_path / "x", "--rssn").exception
    assert isinstance(error, SettingError)
    assert "--rssn composes over photographs" in str(error)


SMALL = ("--size", 64, "--set", "element_size=128", "--set", "window=2")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ImageWriteError("The disk is full.")])
def test_a_sample_that_was_not_finished_leaves_nothing_and_the_command_goes_on(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    assert run("samples", tmp_path / "whole", "--count", 3, *SMALL).exit_code == 0
    written: list[Path] = []

    def fail_at_the_eighth(path: Path, *values: Any, **settings: Any) -> None:
        written.append(path)
        if len(written) == 8:
            raise error
        write_image(path, *values, **settings)

    monkeypatch.setattr(written_samples, "write_image", fail_at_the_eighth)
    assert run("samples", tmp_path / "set", "--count", 3, *SMALL).exit_code != 0
    assert {name[-10:] for name in contents(tmp_path / "set")} == {"000000.png"}
    result = run("samples", tmp_path / "set", "--count", 3, *SMALL)
    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
    assert len(written) == 8 + 10  # the first sample was kept


def test_a_sample_that_a_killed_process_left_in_part_is_completed(run: Callable[..., Result], tmp_path: Path) -> None:
    run("samples", tmp_path, "--count", 2, *SMALL)
    whole = contents(tmp_path)
    (tmp_path / "fg" / "000000.png").unlink()
    (tmp_path / "fg" / ".gossamer-abc.tmp.png").write_bytes(b"")
    assert run("samples", tmp_path, "--first", 1, "--count", 1, *SMALL).exit_code == 0
    assert contents(tmp_path) == whole | {"fg/.gossamer-abc.tmp.png": b""}


def test_samples_made_in_another_way_are_not_mixed(run: Callable[..., Result], tmp_path: Path) -> None:
    run("samples", tmp_path, "--count", 1, *SMALL)
    before = contents(tmp_path)
    for other in (("--seed", 3), ("--trimaps", "gfm"), ("--size", 96)):
        error = run("samples", tmp_path, "--count", 2, *SMALL, *other).exception
        assert isinstance(error, DataError)
        assert "made in another way: number 0 differs" in str(error)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["notes.txt", "image/sunset.png", "alpha"])
def test_a_folder_with_something_else_gets_no_samples(run: Callable[..., Result], tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    error = run("samples", tmp_path, "--count", 1, *SMALL).exception
    assert isinstance(error, DataError)
    assert f"holds something else already ({name})" in str(error)


def test_a_file_gets_no_samples(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    error = run("samples", tmp_path / "file", "--count", 1, *SMALL).exception
    assert isinstance(error, DataError)
    assert "is a file; name a folder" in str(error)
