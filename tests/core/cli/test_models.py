"""``gossamer models`` as it is typed."""

import json
from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner, Result

from gossamer.cli import models
from gossamer.models import weights
from gossamer.models.registry import list_models


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    app.callback()(lambda: None)
    models.register(app)
    return lambda *words: CliRunner().invoke(app, ["models", *words])


def test_weights_solvers_and_networks_are_listed(run: Callable[..., Result]) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    for text in ("gossamer-s", "Apache-2.0", "closed-form", "vitmatte-s"):
        assert text in result.output


def test_the_samples_are_said_to_be_those_of_the_last_run(run: Callable[..., Result]) -> None:
    assert f"{weights.find_manifest('gossamer-s').training['samples']:,} samples in the last run, on " in run().output


def test_json_holds_everything(run: Callable[..., Result]) -> None:
    found = json.loads(run("--json").output)
    assert found["networks"] == list_models()
    assert "closed-form" in found["classical"]
    shipped = {entry["name"]: entry for entry in found["weights"]}
    assert shipped["gossamer-s"]["license"] == "Apache-2.0"
    assert len(shipped["gossamer-s"]["files"]["onnx"]["sha256"]) == 64
    assert "folder" not in shipped["gossamer-s"]


def test_measured_numbers_stand_beside_the_weights(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    measured = {"pictures of hair trimap": {"mean": {"sad": 3.25, "mse": 0.0125, "grad": 4.5}, "pictures": 2}}
    manifest = dataclasses.replace(weights.find_manifest("gossamer-s"), metrics=measured)
    monkeypatch.setattr(weights, "list_manifests", lambda: [manifest])
    output = run().output
    for text in ("sad 3.25", "mse 0.0125", "grad 4.5"):
        assert text in output
