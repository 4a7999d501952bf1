"""From a run to weights with a manifest that vouches for them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from gossamer.data.sample_settings import SyntheticSamples
from gossamer.errors import DataError, ModelError, SettingError
from gossamer.evaluation.evaluate import evaluate
from gossamer.evaluation.results import write_json
from gossamer.inference.solver import create_solver
from gossamer.models.registry import create_model
from gossamer.models.weights import Manifest, find_manifest, load_weights
from gossamer.training.checkpoint import load_checkpoint, save_checkpoint
from gossamer_export import cli
from gossamer_export.publish import publish

MakeRun = Callable[..., Path]


def write(run: Path, output: Path, **changes: Any) -> Manifest:
    stated = {"license_text": "Apache-2.0", "sources": [], "evaluations": [], "device": "2 CPU cores"}
    return publish(run, output, **{**stated, **changes})


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., Path]:
    """``gossamer evaluate`` of weights on one picture, to a JSON file."""
    alpha = np.broadcast_to(np.clip((np.arange(48) - 12) / 24, 0, 1), (32, 48))
    plate = np.repeat(alpha[..., None], 3, axis=2)
    for name, values in (
        ("image", plate),
        ("alpha", alpha),
        ("trimap", np.where((alpha > 0) & (alpha < 1), 0.5, alpha)),
    ):
        (tmp_path / "hair" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "hair" / name / "one.png"), np.rint(values * 255).astype(np.uint8))

    def run(
        weights: Path, backend: str = "onnxruntime", averages: Sequence[str] = ("none",), *, guided: bool = False
    ) -> Path:
        path = tmp_path / f"{backend}.json"
        solvers = {
            str(weights) if averaged == "none" else f"{weights}, tta {averaged}": create_solver(
                str(weights), backend=backend, device="cpu", threads=1, tta=averaged
            )
            for averaged in averages
        }
        write_json(evaluate(tmp_path / "hair", solvers, guided=guided), path)
        return path

    return run


def test_the_manifests_files_verify_and_hold_the_average(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    manifest = write(run, tmp_path / "mine", sources=["Meadows, part: two: CC0"])
    found = find_manifest(str(tmp_path / "mine"))
    assert found == manifest
    assert (found.name, found.architecture, found.multiple_of, found.margin) == ("mine", "tiny", 32, 2)
    assert {kind: found.file(kind).name for kind in found.files} == {
        "onnx": "mine.onnx",
        "safetensors": "mine.safetensors",
    }
    assert found.training["steps"] == 4
    assert found.training["samples"] == 8
    assert found.training["data"] == [{"name": "Meadows, part: two", "license": "CC0"}]
    assert found.training["onnx_distance"] < 1e-4
    model = create_model("tiny")
    load_weights(model, found)
    expected = load_checkpoint(run)["average"]["state"]
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "run"]


def test_publishing_again_gives_the_same_files(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    assert write(run, tmp_path / "mine").files == write(run, tmp_path / "mine").files


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_an_evaluation_of_these_weights_enters_the_manifest(
    make_run: MakeRun, measure: Callable[..., Path], tmp_path: Path, backend: str
) -> None:
    run = make_run()
    write(run, tmp_path / "mine")
    path = measure(tmp_path / "mine", backend)
    metrics = write(run, tmp_path / "mine", evaluations=[path]).metrics
    stored = json.loads(path.read_text(encoding="utf-8"))["mean"][str(tmp_path / "mine")]
    assert metrics["hair trimap"]["mean"] == stored
    assert metrics["hair trimap"]["pictures"] == 1


def test_the_manifest_says_how_its_numbers_were_measured(
    make_run: MakeRun, measure: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run()
    write(run, tmp_path / "mine")
    told = write(run, tmp_path / "mine", evaluations=[measure(tmp_path / "mine", averages=("flips",))]).metrics
    measured = {key: value for key, value in told["hair trimap"].items() if key not in ("mean", "backend")}
    assert measured == {
        "region": "unknown", "pictures": 1, "precision": "fp32", "strategy": "tiles", "tta": "flips", "refine": 0,
        "nonlocal_mean": False, "guided": False,
    }  # fmt: skip
    assert told["hair trimap"]["backend"].startswith("onnxruntime ")


def test_steps_of_refinement_and_a_trimap_without_need_are_stated(
    make_run: MakeRun, measure: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run()
    write(run, tmp_path / "mine")
    path = measure(tmp_path / "mine")
    values = json.loads(path.read_text(encoding="utf-8"))
    values["models"][str(tmp_path / "mine")].update(refine=30, guided=True, strategy="hybrid")
    path.write_text(json.dumps(values), encoding="utf-8")
    told = write(run, tmp_path / "mine", evaluations=[path]).metrics["hair trimap"]
    assert (told["refine"], told["guided"], told["strategy"]) == (30, True, "hybrid")


def test_several_measurements_of_the_weights_in_one_file_are_refused(
    make_run: MakeRun, measure: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run()
    write(run, tmp_path / "mine")
    path = measure(tmp_path / "mine", averages=("none", "flips"))
    with pytest.raises(
        DataError, match=r"holds several measurements of these weights: .*mine; .*mine, tta flips\. .*evaluate that one"
    ):
        write(run, tmp_path / "mine", evaluations=[path])


def test_two_files_of_the_same_pictures_are_refused(
    make_run: MakeRun, measure: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_run()
    write(run, tmp_path / "mine")
    paths = [measure(tmp_path / "mine"), measure(tmp_path / "mine", "torch")]
    with pytest.raises(
        DataError, match=r"onnxruntime\.json and .*torch\.json both hold numbers of 'hair trimap'; give one"
    ):
        write(run, tmp_path / "mine", evaluations=paths)


def test_an_evaluation_of_other_weights_is_refused_and_nothing_changes(
    make_run: MakeRun, measure: Callable[..., Path], tiny: torch.nn.Module, tmp_path: Path
) -> None:
    write(make_run(), tmp_path / "mine")
    path = measure(tmp_path / "mine")
    before = {entry.name: entry.read_bytes() for entry in (tmp_path / "mine").iterdir()}
    torch.nn.init.constant_(tiny.body[3].bias, 0.3)  # type: ignore[index,union-attr]
    with pytest.raises(DataError, match=r"onnxruntime\.json was measured with other weights: .*publish again"):
        write(make_run(), tmp_path / "mine", evaluations=[path])
    assert {entry.name: entry.read_bytes() for entry in (tmp_path / "mine").iterdir()} == before


def test_an_evaluation_that_is_not_complete_is_refused(
    make_run: MakeRun, measure: Callable[..., Path], tmp_path: Path
) -> None:
    write(make_run(), tmp_path / "mine")
    path = measure(tmp_path / "mine")
    path.write_text(path.read_text(encoding="utf-8").replace('"complete": true', '"complete": false'), encoding="utf-8")
    with pytest.raises(DataError, match=r"onnxruntime\.json is of an evaluation that failed in part or was stopped"):
        write(make_run(), tmp_path / "mine", evaluations=[path])


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"folder": "a", "trimap": "b", "models": {"m": 3}}'])
def test_a_file_that_is_no_evaluation_is_named(make_run: MakeRun, tmp_path: Path, content: str) -> None:
    path = tmp_path / "numbers.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"numbers\.json is not a result of `gossamer evaluate --json`"):
        write(make_run(), tmp_path / "mine", evaluations=[path])


def test_an_evaluation_that_is_not_there_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read the evaluation .*none\.json: No such file"):
        write(make_run(), tmp_path / "mine", evaluations=[tmp_path / "none.json"])


@pytest.mark.parametrize("source", ["Meadows", "Meadows:", ": CC0"])
def test_a_source_without_its_licence_is_refused(make_run: MakeRun, tmp_path: Path, source: str) -> None:
    with pytest.raises(DataError, match="give NAME: LICENCE"):
        write(make_run(), tmp_path / "mine", sources=[source])
    assert not (tmp_path / "mine").exists()


def test_a_run_on_pictures_has_to_name_them(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(data={"photos": ("/somewhere/photos",)})
    with pytest.raises(
        DataError, match=r"trained on pictures or learned from weights \(photos\): name each with --source"
    ):
        write(run, tmp_path / "mine")


def test_folders_of_the_machine_are_not_published(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(data={"photos": ("/somewhere/photos",), "window": 5}, start_from="/somewhere/first/weights")
    manifest = write(run, tmp_path / "mine", sources=["Photos: CC0"])
    assert manifest.training["recipe"]["start_from"] == "first"
    assert manifest.training["recipe"]["data"] == {"window": 5}
    assert "somewhere" not in (tmp_path / "mine" / "manifest.json").read_text(encoding="utf-8")


def test_data_sets_and_encoders_of_others_want_their_licences_too(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(
        data={"source": "folder", "root": "/data/set", "backgrounds": ["/data/bg"]}, encoder_from="/x/dino.pth"
    )
    with pytest.raises(
        DataError, match=r"trained on pictures or learned from weights \(root, backgrounds, encoder_from\): name each"
    ):
        write(run, tmp_path / "mine", sources=[])
    recipe = write(run, tmp_path / "mine", sources=["Everything: CC0"]).training["recipe"]
    assert (recipe["encoder_from"], recipe["data"]) == ("dino.pth", {"source": "folder"})


def test_weights_that_training_began_with_want_theirs_as_well(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(start_from="/x/converted")
    with pytest.raises(DataError, match=r"learned from weights \(start_from\): name each"):
        write(run, tmp_path / "mine")


def test_renders_and_teachers_want_theirs_and_keep_their_folders_to_themselves(
    make_run: MakeRun, tmp_path: Path
) -> None:
    samples = SyntheticSamples(kept=2, teachers=("/somewhere/stage", "/somewhere/run/weights", "weights", "gossamer-s"))
    run = make_run(data={"renders": ("/somewhere/renders",)}, samples=samples)
    with pytest.raises(DataError, match=r"learned from weights \(renders, samples\.teachers\): name each"):
        write(run, tmp_path / "mine")
    manifest = write(run, tmp_path / "mine", sources=["Renders: ours"])
    assert manifest.training["recipe"]["samples"]["teachers"] == ["stage", "run", "weights", "gossamer-s"]
    assert "somewhere" not in (tmp_path / "mine" / "manifest.json").read_text(encoding="utf-8")


def test_the_licence_is_what_was_stated(make_run: MakeRun, tmp_path: Path) -> None:
    assert write(make_run(), tmp_path / "mine", license_text="CC BY-NC 4.0").license == "CC BY-NC 4.0"
    with pytest.raises(SettingError, match="--license is empty"):
        write(make_run(), tmp_path / "other", license_text=" ")


def test_a_checkpoint_of_another_network_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    values = load_checkpoint(run)
    values["average"]["state"] = {"other": torch.zeros(1)}
    save_checkpoint(run, values)
    with pytest.raises(DataError, match="does not fit the network 'tiny' of this version"):
        write(run, tmp_path / "mine")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Cannot read the checkpoint"):
        write(tmp_path, tmp_path / "mine")


def test_a_blend_is_the_mean_of_both_and_owns_up_to_it(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    earlier = write(run, tmp_path / "earlier", license_text="MIT", sources=["Meadows: CC0", "Woods: MIT"])
    checkpoint = load_checkpoint(run)
    ours = checkpoint["average"]["state"]
    theirs = {key: value.clone() for key, value in ours.items()}
    for value in ours.values():
        if value.is_floating_point():
            value += 1
    save_checkpoint(run, checkpoint)
    blended = write(run, tmp_path / "mine", sources=["Woods: MIT"], blend=str(tmp_path / "earlier"), blend_share=0.25)
    model = create_model("tiny")
    load_weights(model, blended)
    for key, value in model.state_dict().items():
        expected = theirs[key] + 0.75 if value.is_floating_point() else ours[key]
        torch.testing.assert_close(value, expected)
    assert blended.training["data"] == [{"name": "Woods", "license": "MIT"}, {"name": "Meadows", "license": "CC0"}]
    assert blended.training["blend"] == {
        "name": "earlier",
        "license": "MIT",
        "sha256": earlier.files["safetensors"].sha256,
        "share": 0.25,
    }


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, float("nan")])
def test_a_share_that_is_none_is_refused(make_run: MakeRun, tmp_path: Path, share: float) -> None:
    run = make_run()
    write(run, tmp_path / "earlier")
    with pytest.raises(SettingError, match="--blend-share"):
        write(run, tmp_path / "mine", blend=str(tmp_path / "earlier"), blend_share=share)
    assert not (tmp_path / "mine").exists()


def test_a_blend_with_another_network_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"--blend gossamer-s: .*not the network of the run"):
        write(make_run(), tmp_path / "mine", blend="gossamer-s", blend_share=0.3)


@pytest.mark.parametrize("given", [{"blend": "gossamer-s"}, {"blend_share": 0.3}])
def test_a_blend_and_its_share_come_together(make_run: MakeRun, tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="together"):
        write(make_run(), tmp_path / "mine", **given)


def test_a_blend_with_what_is_overwritten_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    before = write(run, tmp_path / "mine")
    with pytest.raises(SettingError, match=r"Copy .* elsewhere"):
        write(run, tmp_path / "mine", blend=str(tmp_path / "mine"), blend_share=0.3)
    assert find_manifest(str(tmp_path / "mine")) == before


def test_an_output_that_cannot_be_written_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DataError, match="Cannot write the weights to"):
        write(make_run(), tmp_path / "file" / "mine")


def test_the_command_tells_what_it_wrote(make_run: MakeRun, tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    cli.register(app)
    result = CliRunner().invoke(app, ["publish", str(make_run()), "-o", str(tmp_path / "mine"), "--license", "MIT"])
    assert result.exit_code == 0, result.output
    assert "mine.onnx" in result.output
    assert "ONNX against torch, largest distance of alpha:" in result.output
