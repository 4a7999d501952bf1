"""``gossamer bench`` as it is typed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gossamer.cli import bench
from gossamer.errors import MissingDependencyError, ModelError, SettingError


@pytest.fixture
def run() -> Callable[..., Result]:
    app = typer.Typer()
    app.callback()(lambda: None)  # with a second node the command keeps its name
    bench.register(app)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["bench", *(str(word) for word in words)])


def test_the_table_stands_on_its_own(run: Callable[..., Result], tiny_weights: Path) -> None:
    result = run("--size", "96x64", "--band", 0.2, "--frames", 2, "--threads", 1, "--model", tiny_weights)
    assert result.exit_code == 0, result.output
    for title in ("read", "colour", "network", "merge", "non-local", "write", "total", "p95", "frames/s", "memory"):
        assert title in result.output
    assert "median of 2 frames" in result.output
    assert "96x64" in result.output
    assert "cores" in result.output
    assert "numpy" in result.output
    assert "1 threads" in result.output
    assert "[1/1] 96x64, band 20%" in result.stderr


def test_sizes_and_bands_are_combined_and_written_as_json(
    run: Callable[..., Result], tiny_weights: Path, tmp_path: Path
) -> None:
    words = ("--size", "64x48,48x64", "--band", 0.2, "--band", 1)
    result = run(*words, "--frames", 1, "--model", tiny_weights, "--json", tmp_path / "b.json")
    assert result.exit_code == 0, result.output
    values = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    pictures = [(found["width"], found["height"], found["band"]) for found in values["measurements"]]
    assert pictures == [(64, 48, 0.2), (64, 48, 1.0), (48, 64, 0.2), (48, 64, 1.0)]
    assert values["machine"]["versions"]["python"]


def test_a_failed_measurement_is_told_and_ends_with_one(run: Callable[..., Result], tiny_weights: Path) -> None:
    result = run("--size", "64x48", "--band", 1, "--frames", 1, "--model", f"closed-form,{tiny_weights}")
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "closed-form, 64x48, band 100%: " in result.stderr
    assert "Every pixel of the trimap is unknown" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--size", "big"), "--size is 'big'"),
        (("--band", "2"), "--band is 2"),
        (("--frames", "0"), "--frames is 0"),
        (("--model", " , "), "--model names nothing"),
        (("--band", "wide"), "--band is 'wide'"),
        (("--backends", "onnx"), "--backends has 'onnx'; give auto, onnxruntime"),
        (("--backends", "openvino:int4"), "each with :fp32, :fp16, :bf16"),
        (("--backends", "torch", "--precision", "bf16"), "leave out --backend and --precision"),
        (("--csv", "/nowhere/at/all/b.csv"), "There is no folder"),
        (("--plot", "b.jpg"), "give a file that ends in .png"),
        (("--json", "/nowhere/at/all/b.json"), "There is no folder"),
    ],
)
def test_a_wrong_setting_names_the_flag(run: Callable[..., Result], words: tuple[str, str], said: str) -> None:
    error = run(*words).exception
    assert isinstance(error, SettingError)
    assert said in str(error)


def test_an_unknown_model_is_named_before_anything_runs(run: Callable[..., Result]) -> None:
    result = run("--model", "no-such-model")
    assert isinstance(result.exception, ModelError)
    assert "no-such-model" in str(result.exception)
    assert result.stderr == ""


def test_backends_side_by_side_are_told_with_a_table_a_csv_and_a_plot(
    run: Callable[..., Result], tiny_weights: Path, tmp_path: Path
) -> None:
    files = ("--csv", tmp_path / "b.csv", "--plot", tmp_path / "b.png")
    result = run("--size", "64x48", "--frames", 1, "--model", tiny_weights, "--backends", "onnxruntime,torch", *files)
    assert result.exit_code == 1  # the tiny weights hold nothing for torch, and that is told
    assert f"{tiny_weights}: no reference to compare with." in result.stdout
    assert "by torch, 64x48, band 10%: The weights 'tiny' hold no safetensors file" in result.stderr
    rows = (tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[1] for row in rows] == ["backend", "onnxruntime", "torch"]
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_without_matplotlib_is_refused_before_anything_runs(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("--plot", "b.png")
    assert isinstance(result.exception, MissingDependencyError)
    assert "--plot needs matplotlib" in str(result.exception)
    assert result.stderr == ""
