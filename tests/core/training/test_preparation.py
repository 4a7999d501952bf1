"""What a run needs before its first step."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gossamer.errors import DataError, ModelError, SettingError
from gossamer.models.weights import find_manifest
from gossamer.training.parameters import make_optimizer
from gossamer.training.preparation import make_fabric, make_model, make_pipeline
from gossamer.training.recipe import Recipe
from gossamer.training.settings import TrainingSettings


def test_the_first_weights_depend_on_the_seed_alone(make_recipe: Callable[..., Recipe]) -> None:
    first = make_model(make_recipe()).state_dict()
    torch.rand(5)
    again, other = make_model(make_recipe()).state_dict(), make_model(make_recipe(seed=6)).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_weight_decay_spares_biases_and_normalisations(make_recipe: Callable[..., Recipe]) -> None:
    decayed, plain = make_optimizer(make_model(make_recipe()), make_recipe()).param_groups
    assert decayed["weight_decay"] > 0 == plain["weight_decay"]
    assert {p.ndim for p in decayed["params"]} == {4}
    assert {p.ndim for p in plain["params"]} == {1}


def test_an_unknown_network_is_named(make_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(ModelError, match="Unknown network 'gossamer-x'"):
        make_model(make_recipe(model="gossamer-x"))


def test_first_weights_that_are_not_there_are_named(make_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(ModelError, match="No weights named 'nowhere'"):
        make_model(make_recipe(start_from="nowhere"))


def test_a_shipped_name_is_not_a_run_that_is_called_so(
    make_recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gossamer-s").mkdir()
    (tmp_path / "gossamer-s" / "last.ckpt").write_bytes(b"another run")
    model = make_model(make_recipe(model="gossamer-s", start_from="gossamer-s"))
    expected = load_file(find_manifest("gossamer-s").file("safetensors"))
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
    with pytest.raises(DataError, match=r"gossamer-s.last\.ckpt is damaged"):
        make_model(make_recipe(model="gossamer-s", start_from="./gossamer-s"))


def test_weights_of_another_network_are_refused(make_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(ModelError, match="does not fit the network"):
        make_model(make_recipe(start_from="gossamer-s"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"foto": ["x"]}, r"unknown settings data\.foto; known are"),
        ({"size": 128}, r"data\.size follows from size"),
        ({"photos": "/photographs"}, r"data\.photos is '/photographs'; give a list in brackets"),
        ({"window": 4.5}, r"data\.window is 4\.5; give a whole number"),
    ],
)
def test_a_setting_of_the_samples_that_cannot_be_is_named(
    make_recipe: Callable[..., Recipe], tmp_path: Path, data: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingError, match=f"Recipe 'test': {message}"):
        make_pipeline(make_recipe(data=data), tmp_path)


def test_more_cuda_devices_than_there_are_are_refused(
    make_recipe: Callable[..., Recipe], make_settings: Callable[..., TrainingSettings]
) -> None:
    with pytest.raises(SettingError, match="1000 CUDA devices are asked for and"):
        make_fabric(make_recipe(), make_settings(device="cuda", devices=1000))


def test_freed_memory_is_kept_without_harm() -> None:
    # In a process of its own: it changes the allocator for good.
    code = (
        "from gossamer.training.preparation import keep_freed_memory as k; k(); k(); import torch; torch.ones(1 << 24)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("capability", "precision", "warned"),
    [("AVX2", "bf16-mixed", True), ("AVX2", "32-true", False), ("AVX512", "bf16-mixed", False)],
)
def test_slow_bf16_is_told_of(
    capability: str,
    precision: str,
    warned: bool,
    make_recipe: Callable[..., Recipe],
    make_settings: Callable[..., TrainingSettings],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    make_fabric(make_recipe(precision=precision), make_settings())
    assert ("--set precision=32-true" in caplog.text) == warned
