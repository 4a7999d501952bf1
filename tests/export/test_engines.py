"""The cache of engines is shown and cleared."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gossamer.inference.backends.engine_file import EngineKey, EngineManifest, write_engine_manifest
from gossamer.models.weights import WeightsFile, file_sha256
from gossamer_export import cli, engines
from gossamer_export.engines import find_engines, prune_engines

HERE = EngineKey("RTX A", "8.6", "11.4", "590")
ELSEWHERE = dataclasses.replace(HERE, gpu="RTX B")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good engine, one of another machine, a damaged one, and what a cut-off build left."""
    monkeypatch.setenv("GOSSAMER_ENGINES", str(tmp_path))
    for name, key in (("good", HERE), ("other", ELSEWHERE), ("damaged", HERE)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.engine").write_bytes(name.encode() * 1000)
        entry = WeightsFile("model.engine", file_sha256(folder / "model.engine"), 4000)
        manifest = EngineManifest("gossamer-s", "fp16", key, (64, 64), (512, 512), (1024, 1536), "0" * 64, entry)
        write_engine_manifest(manifest, folder)
    (tmp_path / "damaged" / "model.engine").write_bytes(b"x")
    (tmp_path / ".cut.off").mkdir()
    (tmp_path / "timing.cache").write_bytes(b"t")
    return tmp_path


@pytest.fixture
def command() -> Callable[..., Any]:
    app = typer.Typer()
    cli.register(app)
    return lambda *arguments: CliRunner().invoke(app, ["engines", *arguments])


def test_each_engine_is_shown_with_its_machine(
    cache: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "this_machine", lambda: HERE)
    said = command("list").output
    assert "fp16, 64x64 to 1536x1024; RTX A (8.6), TensorRT 11.4, driver 590 (this machine)" in said
    assert "RTX B (8.6), TensorRT 11.4, driver 590 (not here: gpu RTX A instead of RTX B)" in said
    assert "cannot be used:" in said
    assert "left over from a build that was cut off" in said
    assert f"4 engines, 0.0 MB in {cache}" in said


def test_pruning_removes_what_cannot_run_here(cache: Path) -> None:
    assert [engine.folder.name for engine in prune_engines(cache, HERE)] == [".cut.off", "damaged", "other"]
    assert sorted(path.name for path in cache.iterdir()) == ["good", "timing.cache"]


def test_without_a_gpu_other_machines_engines_are_kept(
    cache: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "this_machine", lambda: None)
    said = command("prune").output
    assert "2 engines" in said
    assert "No GPU with TensorRT here, so engines of other machines were kept; --all removes them." in said
    assert sorted(path.name for path in cache.iterdir()) == ["good", "other", "timing.cache"]


def test_all_removes_everything(cache: Path, command: Callable[..., Any]) -> None:
    assert command("prune", "--all").exit_code == 0
    assert list(cache.iterdir()) == []


def test_what_onnxruntime_compiled_is_shown_and_goes_only_with_all(
    cache: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = cache / "onnxruntime-0123456789ab"
    kept.mkdir()
    (kept / "TensorrtExecutionProvider_sm86.engine").write_bytes(b"compiled")
    monkeypatch.setattr(engines, "this_machine", lambda: HERE)
    assert f"{kept.name}  0.0 MB\n  compiled by ONNX Runtime" in command("list").output
    assert kept.name not in command("prune").output
    assert f"removed {kept.name}" in command("prune", "--all").output


def test_no_cache_is_an_empty_one(tmp_path: Path) -> None:
    assert find_engines(tmp_path / "none") == []
    assert prune_engines(tmp_path / "none", None, everything=True) == []
