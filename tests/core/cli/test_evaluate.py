"""``gossamer evaluate`` as it is typed."""

import csv
import json
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from gossamer.cli import evaluate
from gossamer.errors import CancelledError, DataError, FrameError, ModelError, SettingError
from gossamer.evaluation.evaluate import SolvedCase
from gossamer.evaluation.report import Report
from gossamer.image.image import FloatArray
from gossamer.inference.solver import Solution


@pytest.fixture
def run() -> Callable[..., Result]:
    app = typer.Typer()
    app.callback()(lambda: None)  # with a second node the command keeps its name
    evaluate.register(app)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["evaluate", *(str(word) for word in words)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One picture, 48x32, half of it unknown."""
    alpha = np.broadcast_to(np.clip((np.arange(48) - 12) / 24, 0, 1), (32, 48))
    plate = alpha[..., None] * np.array([0.9, 0.5, 0.2]) + (1 - alpha[..., None]) * np.array([0.1, 0.3, 0.4])
    guide = np.where((alpha > 0) & (alpha < 1), 128 / 255, alpha)
    for name, values in (("image", plate), ("trimap", guide), ("trimap_wide", guide), ("alpha", alpha)):
        (tmp_path / "set" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / name / "one.png"), np.rint(values * 255).astype(np.uint8))
    return tmp_path / "set"


def test_the_table_shows_both_regions(run: Callable[..., Result], folder: Path, tiny_weights: Path) -> None:
    result = run(folder, "--model", tiny_weights, "--trimap", "trimap_wide")
    assert result.exit_code == 0, result.output
    assert "trimap_wide, unknown region, mean of 1 pictures" in result.output
    assert "trimap_wide, whole picture" in result.output
    assert "worst picture one" in result.output


def test_json_csv_and_report_are_written(
    run: Callable[..., Result], folder: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run(
        folder, "--model", tiny_weights, "--report", out, "--json", tmp_path / "n.json", "--csv", tmp_path / "n.csv"
    )
    assert result.exit_code == 0, result.output
    values = json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))
    assert set(values["mean"]) == {str(tiny_weights)}
    assert values["pictures"]["one"][str(tiny_weights)]["sad"] > 0
    assert (tmp_path / "n.csv").read_text(encoding="utf-8").startswith("picture,model,sad,")
    assert (out / "index.html").is_file()
    assert str(out / "index.html") in result.output


class Free:
    """A network that needs no trimap."""

    needs_trimap = False
    identity = "free weights"
    effective: Mapping[str, Any] = {"backend": "none"}

    def solve(self, plate: FloatArray, trimap: FloatArray | None, **_: object) -> Solution:
        return Solution(np.full(plate.shape[:2], 0.5, np.float32) if trimap is None else trimap)


def test_a_guided_measurement_says_so(
    run: Callable[..., Result], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossamer.inference.solver.create_solver", lambda *_, **__: Free())
    plain = run(folder, "--model", "free", "--json", tmp_path / "plain.json")
    guided = run(folder, "--model", "free", "--json", tmp_path / "guided.json", "--guided")
    assert "trimap, guided, unknown region" in " ".join(guided.output.split())
    assert "guided" not in plain.output
    told = [json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8")) for name in ("plain", "guided")]
    assert [values["models"]["free"]["guided"] for values in told] == [False, True]


def test_several_models_are_compared(
    run: Callable[..., Result], folder: Path, make_tiny_weights: Callable[..., Path], tmp_path: Path
) -> None:
    names = [str(make_tiny_weights("one")), str(make_tiny_weights("two", gain=0.1))]
    result = run(folder, "--model", ", ".join(names), "--json", tmp_path / "n.json")
    assert result.exit_code == 0, result.output
    assert list(json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))["mean"]) == names


def test_a_log_gets_a_line_for_each_solve(run: Callable[..., Result], folder: Path, tiny_weights: Path) -> None:
    assert f"[1/1] one {tiny_weights}" in run(folder, "--model", tiny_weights).stderr


def test_a_faulty_folder_ends_with_its_exit_code(run: Callable[..., Result], folder: Path, tiny_weights: Path) -> None:
    (folder / "alpha" / "one.png").unlink()
    error = run(folder, "--model", tiny_weights).exception
    assert isinstance(error, DataError)
    assert error.exit_code == 7
    assert "one: nothing in alpha/" in str(error)


def test_an_unknown_model_is_named_before_anything_runs(run: Callable[..., Result], folder: Path) -> None:
    error = run(folder, "--model", "no-such-model").exception
    assert isinstance(error, ModelError)
    assert "no-such-model" in str(error)


def test_an_empty_list_of_models_is_refused(run: Callable[..., Result], folder: Path) -> None:
    error = run(folder, "--model", " , ").exception
    assert isinstance(error, SettingError)
    assert "--model names no model" in str(error)


def test_a_model_named_twice_is_refused(run: Callable[..., Result], folder: Path) -> None:
    error = run(folder, "--model", "knn,shared,knn").exception
    assert isinstance(error, SettingError)
    assert "--model names knn twice" in str(error)


def test_a_place_for_the_json_that_is_not_there_is_refused_first(
    run: Callable[..., Result], folder: Path, tmp_path: Path
) -> None:
    error = run(folder, "--model", "no-such-model", "--json", tmp_path / "nowhere" / "n.json").exception
    assert isinstance(error, SettingError)
    assert "There is no folder" in str(error)


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_a_folder_in_place_of_a_file_is_refused_first(
    run: Callable[..., Result], folder: Path, tmp_path: Path, option: str
) -> None:
    error = run(folder, "--model", "no-such-model", option, tmp_path).exception
    assert isinstance(error, SettingError)
    assert f"{option} {tmp_path} is a folder; name a file" in str(error)


@pytest.fixture
def two(folder: Path) -> Path:
    """The picture again under another name, with a trimap that tells a classical solver nothing."""
    for name in ("image", "alpha"):
        shutil.copy(folder / name / "one.png", folder / name / "two.png")
    cv2.imwrite(str(folder / "trimap" / "two.png"), np.full((32, 48), 128, np.uint8))
    return folder


def test_a_picture_that_fails_is_named_after_the_rest_is_reported(
    run: Callable[..., Result], two: Path, tmp_path: Path
) -> None:
    result = run(two, "--model", "knn", "--json", tmp_path / "n.json", "--report", tmp_path / "report")
    assert isinstance(result.exception, FrameError)
    assert result.exception.exit_code == 4
    assert re.search(
        r"over 1 of 2 pictures.*\n  knn on .*two\.png: Every pixel of the trimap is unknown", str(result.exception)
    )
    assert "unknown region, mean of 1 of 2 pictures" in result.output
    assert json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))["complete"] is False
    assert (tmp_path / "report" / "index.html").is_file()


def test_ctrl_c_reports_what_is_done(
    run: Callable[..., Result], two: Path, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Report.add

    def press(self: Report, solved: SolvedCase) -> None:
        add(self, solved)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Report, "add", press)
    result = run(two, "--model", tiny_weights, "--csv", tmp_path / "n.csv", "--report", tmp_path / "report")
    assert isinstance(result.exception, CancelledError)
    assert "over 1 of 2 pictures" in str(result.exception)
    rows = list(csv.DictReader((tmp_path / "n.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["picture"] for row in rows] == ["one"]
    assert (tmp_path / "report" / "index.html").is_file()
