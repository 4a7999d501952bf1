"""From weights to an artifact with a manifest, or to a refusal that leaves nothing."""

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import typer
from torch import nn
from typer.testing import CliRunner

from gossamer.errors import DataError, ModelError, SettingError
from gossamer.inference.backends import open_backend
from gossamer.inference.solver import create_solver
from gossamer.models.registry import create_model
from gossamer.models.weights import Manifest, find_manifest
from gossamer_export import cli, onnx_target
from gossamer_export.artifact import artifact_of, load_schema, read_artifact
from gossamer_export.export import export, verify_artifact
from gossamer_export.settings import EngineSettings, ExportSettings
from gossamer_export.source import open_source
from gossamer_export.targets import find_target, list_targets
from gossamer_export.verify import Limits

MakeWeights = Callable[..., Path]


def make(weights: Path, output: Path, limits: Limits | None = None, **changes: Any) -> Manifest:
    return export(ExportSettings(str(weights), **changes), output, limits=limits)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_manifest_says_all_and_fits_its_schema(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, precision: str
) -> None:
    made = make(make_weights(tiny), tmp_path / "out", precision=precision)
    name = f"mine-{precision}.onnx"
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [name, f"{name}.json"]
    stored = json.loads((tmp_path / "out" / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.validate(stored, load_schema())
    artifact = artifact_of(made)
    assert (artifact.target, artifact.precision, artifact.status) == ("onnx", precision, "built, run")
    assert artifact.source["weights"] == "mine"
    assert made.training == {"seed": 5}
    assert made.license == "CC0-1.0"
    assert {"gossamer", "python", "torch", "onnx", "onnxruntime"} <= set(artifact.toolchain)
    assert artifact.results is not None
    assert artifact.results["inputs"] == 20
    assert artifact.timing is not None


def test_an_artifact_pulls_mattes_by_its_path(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    make(make_weights(tiny), tmp_path / "out", self_contained=True)
    trimap = np.full((50, 61), 0.5, np.float32)
    plate = np.random.default_rng(0).random((50, 61, 3), np.float32)
    answers = []
    for path in ("weights", "out/mine-fp32-self-contained.onnx", "out/mine-fp32-self-contained.onnx.json", "out"):
        solver = create_solver(str(tmp_path / path), device="cpu")
        answers.append(solver.solve(plate, trimap).alpha)
    assert all(np.abs(answer - answers[0]).max() < 1e-5 for answer in answers)


def test_a_trimap_free_network_is_exported_with_one_input(
    make_weights: MakeWeights, registered: None, tmp_path: Path
) -> None:
    made = make(make_weights(create_model("tiny-free"), "tiny-free"), tmp_path / "out", self_contained=True)
    artifact = artifact_of(made)
    assert [port["name"] for port in artifact.inputs] == ["plate"]
    assert "trimap" not in made.input_convention
    assert open_backend(made).infer(np.zeros((1, 3, 20, 30), np.float32), None).shape == (1, 1, 20, 30)
    stored = json.loads((made.folder / "mine-fp32-self-contained.onnx.json").read_text(encoding="utf-8"))
    jsonschema.validate(stored, load_schema())
    assert stored["artifact"]["results"]["region"] == "whole"


def test_the_weights_own_graph_is_taken_and_a_wrong_one_refused(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path
) -> None:
    other = create_model("tiny")  # a corrupted weight: the graph answers something else than the safetensors
    other.load_state_dict(tiny.state_dict())
    nn.init.constant_(other.body[3].bias, 0.9)  # type: ignore[index,union-attr]
    weights = make_weights(tiny, graph_of=other)
    with pytest.raises(ModelError) as caught:
        make(weights, tmp_path / "out")
    message = str(caught.value)
    assert "mine-fp32.onnx answers differently from the network mine: largest error" in message
    assert "Nothing was written" in message
    assert "--retrace writes the graph anew" in message
    assert "--force" in message
    assert list((tmp_path / "out").iterdir()) == []
    assert artifact_of(make(weights, tmp_path / "out", retrace=True)).status == "built, run"


def test_a_file_that_does_not_obey_the_trimap_is_refused(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disobeying(manifest: Manifest) -> Any:
        infer = onnx_target.open_onnx(manifest)
        return lambda plate, trimap: infer(plate, trimap) * np.float32(0.999)

    target = dataclasses.replace(onnx_target.TARGET, open=disobeying)
    monkeypatch.setattr("gossamer_export.export.find_target", lambda _name: target)
    weights = make_weights(tiny)
    with pytest.raises(ModelError, match=r"known pixels that are not exactly .* 0 or 1: \d+, first on 'gradient' \(22"):
        make(weights, tmp_path / "out", Limits(max=1))
    assert list((tmp_path / "out").iterdir()) == []
    made = make(weights, tmp_path / "out", Limits(max=1), force=True)
    stored = json.loads((made.folder / "mine-fp32.onnx.json").read_text(encoding="utf-8"))
    jsonschema.validate(stored, load_schema())
    assert stored["artifact"]["forced"]
    assert stored["artifact"]["results"]["disobeyed_pixels"] > 0


def test_diagnose_names_the_node_of_a_corrupted_weight(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path
) -> None:
    other = create_model("tiny")
    other.load_state_dict(tiny.state_dict())
    other.body[0].weight.data[2, 1] += 1  # type: ignore[index,union-attr]
    with pytest.raises(ModelError, match=r"The first node that differs .*/body/body\.0/Conv \(Conv, .*layer body\.0\)"):
        make(make_weights(tiny, graph_of=other), tmp_path / "out", diagnose=True)


def test_a_lower_limit_refuses_the_same_artifact(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    weights = make_weights(tiny)
    make(weights, tmp_path / "out", precision="fp16")
    before = {entry.name: entry.read_bytes() for entry in (tmp_path / "out").iterdir()}
    with pytest.raises(ModelError, match=r"mine-fp16\.onnx answers .* mean error .*, allowed 1e-07.* worst input is '"):
        make(weights, tmp_path / "out", Limits(mean=1e-7), precision="fp16")
    assert {entry.name: entry.read_bytes() for entry in (tmp_path / "out").iterdir()} == before


def test_force_keeps_it_and_every_use_is_warned(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []
    settings = ExportSettings(str(make_weights(tiny)), precision="fp16", force=True)
    made = export(settings, tmp_path / "out", limits=Limits(mean=1e-7), say=said.append)
    assert artifact_of(made).forced
    assert any("Kept, because --force was given" in line for line in said)
    with caplog.at_level(logging.WARNING):
        find_manifest(str(tmp_path / "out" / "mine-fp16.onnx"))
    assert "answers differently from its network by more than the limits allow" in caplog.text
    with pytest.raises(
        ModelError, match=r"mine-fp16\.onnx answers differently from mine: mean error .* Export it again"
    ):
        verify_artifact(tmp_path / "out" / "mine-fp16.onnx", model=str(tmp_path / "weights"))


def test_a_changed_file_is_refused_by_every_loader(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    make(make_weights(tiny), tmp_path / "out")
    path = tmp_path / "out" / "mine-fp32.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for load in (lambda: create_solver(str(path)), lambda: read_artifact(path), lambda: verify_artifact(path)):
        with pytest.raises(ModelError, match="is not the file its manifest vouches for"):
            load()


def test_a_file_under_anothers_manifest_is_refused(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    make(make_weights(tiny), tmp_path / "out")
    (tmp_path / "out" / "mine-fp32.onnx").rename(tmp_path / "out" / "foreign.onnx")
    (tmp_path / "out" / "mine-fp32.onnx.json").rename(tmp_path / "out" / "foreign.onnx.json")
    with pytest.raises(ModelError, match=r"does not vouch for foreign\.onnx"):
        create_solver(str(tmp_path / "out" / "foreign.onnx"))


def test_a_folder_of_several_artifacts_asks_which(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    weights = make_weights(tiny)
    make(weights, tmp_path / "out")
    make(weights, tmp_path / "out", precision="fp16")
    with pytest.raises(ModelError, match=r"several artifacts: mine-fp16\.onnx, mine-fp32\.onnx"):
        create_solver(str(tmp_path / "out"))


def test_verify_compares_again(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    weights = make_weights(tiny)
    make(weights, tmp_path / "out")
    assert verify_artifact(tmp_path / "out", model=str(weights)).max < 1e-5


def test_verify_wants_the_weights_it_was_made_of(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    make(make_weights(tiny), tmp_path / "out")
    with pytest.raises(ModelError, match=r"made of the weights 'mine', which are needed .* Give their path as MODEL"):
        verify_artifact(tmp_path / "out")
    with pytest.raises(ModelError, match=r"made of other weights .* than gossamer-s"):
        verify_artifact(tmp_path / "out", model="gossamer-s")


def test_weights_are_no_artifact(make_weights: MakeWeights, tiny: nn.Module) -> None:
    with pytest.raises(ModelError, match="is a set of weights, not an exported artifact"):
        read_artifact(make_weights(tiny))


def test_an_artifact_is_no_source(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    make(make_weights(tiny), tmp_path / "out")
    with pytest.raises(ModelError, match=r"is an exported artifact; artifacts are made from weights \(mine\)"):
        open_source(str(tmp_path / "out" / "mine-fp32.onnx"))


def test_random_weights_are_the_same_for_a_seed_and_say_what_they_are(registered: None, tmp_path: Path) -> None:
    made = make(Path("tiny"), tmp_path / "out", random_seed=3)
    assert made.license.startswith("none: random weights")
    assert artifact_of(made).source["sha256"] == open_source("tiny", random_seed=3).identity["sha256"]
    assert artifact_of(made).source["sha256"] != open_source("tiny", random_seed=4).identity["sha256"]
    assert verify_artifact(tmp_path / "out").max < 1e-4


def test_an_output_that_cannot_be_made_is_named(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DataError, match=r"Cannot write the artifact to .*file"):
        make(make_weights(tiny), tmp_path / "file" / "out")


def test_targets_are_listed_and_each_is_complete() -> None:
    assert {"onnx", "tensorrt", "tensorrt-rtx"} <= set(list_targets())
    for name in list_targets():
        assert find_target(name).name == name
    with pytest.raises(SettingError, match="There is no target 'flash'; there are onnx, tensorrt"):
        find_target("flash")


def test_an_engine_that_answers_differently_blames_the_compiler(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gossamer_export import export as module
    from gossamer_export.targets import Built, Target

    def build(_source: Any, _settings: Any, folder: Path, onnx: Path | None) -> Built:
        assert onnx is not None
        (folder / "mine.engine").write_bytes(b"engine")
        return Built(folder / "mine.engine", key={"gpu": "fake", "driver": "1"})

    engine = Target("tensorrt", build, lambda _manifest: lambda plate, _trimap: plate[:, :1] * 0, from_onnx=True)
    monkeypatch.setattr(module, "find_target", lambda name: onnx_target.TARGET if name == "onnx" else engine)
    with pytest.raises(ModelError, match=r"mine\.engine answers differently .* the engine's compiler is at fault"):
        make(make_weights(tiny), tmp_path / "out", target="tensorrt")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def command() -> Callable[..., Any]:
    app = typer.Typer()
    app.callback()(lambda: None)
    cli.register(app)
    return lambda *arguments: CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_the_command_exports_and_verifies(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, command: Callable[..., Any]
) -> None:
    weights = make_weights(tiny)
    result = command(weights, "--precision", "fp16", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "status: built, run" in result.output
    assert "alpha against the network, unknown region: largest" in result.output
    result = command(weights, "--verify", tmp_path / "out" / "mine-fp16.onnx")
    assert result.exit_code == 0, result.output
    assert "unchanged, and it answers as its network does" in result.output


def test_the_command_asks_for_what_is_missing(command: Callable[..., Any]) -> None:
    result = command("gossamer-s")
    assert isinstance(result.exception, SettingError)
    assert "gossamer export gossamer-s --to onnx -o FOLDER" in str(result.exception)


@pytest.mark.parametrize(
    ("target", "engine", "message"),
    [
        ("onnx", EngineSettings(tiles=(1024,)), "--tile is for --to tensorrt and tensorrt-rtx; --to onnx does"),
        ("onnx", EngineSettings(gpus=("sm_89",)), "--gpu is for --to tensorrt-rtx; --to onnx does not read it"),
        ("nuke", EngineSettings(refit=True), "--refit is for --to tensorrt and tensorrt-rtx; --to nuke does"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_refused(tmp_path: Path, target: str, engine: EngineSettings, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        export(ExportSettings("gossamer-s", target, engine=engine), tmp_path / "out")
    assert not (tmp_path / "out").exists()
