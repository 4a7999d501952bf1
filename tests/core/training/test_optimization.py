"""Optimiser groups, frozen parts and schedules, as the papers have them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gossamer.errors import SettingError
from gossamer.models.registry import create_model
from gossamer.training.optimization import OptimizerSettings, ScheduleSettings
from gossamer.training.parameters import freeze, make_optimizer, set_training_mode
from gossamer.training.recipe import Recipe, load_recipe, shipped_recipes
from gossamer.training.schedule import rate_factor

GOOD: dict[str, Any] = {"name": "t", "seed": 1, "steps": 1, "batch": 1, "size": 64, "learning_rate": 1.0}


def groups(model_name: str, **settings: Any) -> dict[str, dict[str, Any]]:
    """Every parameter's group by its name."""
    with torch.device("meta"):
        model = create_model(model_name)
    recipe = Recipe(model=model_name, weight_decay=0.1, optimizer=OptimizerSettings(**settings), **GOOD)
    freeze(model, recipe)
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[parameter]: group for group in make_optimizer(model, recipe).param_groups for parameter in group["params"]
    }


def test_vitmattes_rates_fall_from_block_to_block() -> None:
    found = groups("vitmatte-s", decayed="all-but-norms", layer_decay=0.65)
    expected = {
        "backbone.patch_embed.proj.weight": 13,
        "backbone.pos_embed": 13,
        "backbone.blocks.0.attn.qkv.weight": 12,
        "backbone.blocks.11.mlp.fc1.weight": 1,
        "backbone.blocks.2.residual.conv1.weight": 0,
        "decoder.convstream.convs.0.conv.weight": 0,
    }
    for name, power in expected.items():
        assert found[name]["factor"] == pytest.approx(0.65**power), name


def test_vitmattes_norms_and_positions_do_not_decay_but_its_biases_do() -> None:
    found = groups("vitmatte-s", decayed="all-but-norms")
    for name in ("backbone.pos_embed", "backbone.blocks.0.norm1.weight", "decoder.matting_head.matting_convs.1.bias"):
        assert found[name]["weight_decay"] == 0, name
    for name in ("backbone.blocks.0.attn.qkv.bias", "decoder.convstream.convs.0.conv.weight"):
        assert found[name]["weight_decay"] == 0.1, name


def test_lsas_norms_are_told_by_name() -> None:
    found = groups("lsa-light", kind="adam", decayed="all-but-norms", norms_by="name", norm_weight_decay=1e-5)
    assert found["backbone.stem.0.bn.weight"]["weight_decay"] == 1e-5
    assert found["decoder.decoder_5.norm1.bias"]["weight_decay"] == 1e-5
    # A normalisation without a telling name, which the published code decays in full.
    assert found["backbone.layer2.0.downsample.2.weight"]["weight_decay"] == 0.1


@pytest.mark.parametrize(
    ("model", "inside"),
    [("lsa-light", "backbone."), ("gfm-light-tt", "encoder"), ("gossamer-s", "st"), ("vitmatte-s", "backbone.")],
)
def test_a_frozen_encoder_is_not_in_the_optimiser(model: str, inside: str) -> None:
    found = groups(model, frozen=("encoder",))
    assert found
    assert not [name for name in found if name.startswith(inside)]


def test_what_is_frozen_keeps_its_statistics() -> None:
    model = create_model("lsa-light")
    recipe = Recipe(model="lsa-light", optimizer=OptimizerSettings(frozen=("encoder",)), **GOOD)
    set_training_mode(model, recipe)
    assert not model.get_submodule("backbone.stem.0.bn").training
    assert model.get_submodule("decoder.decoder_5.norm1").training
    set_training_mode(model, Recipe(model="lsa-light", optimizer=OptimizerSettings(frozen_norms=True), **GOOD))
    assert not model.get_submodule("decoder.decoder_5.norm1").training


def test_a_name_that_freezes_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match=r"frozen names 'head', and no parameter of lsa-light .* backbone, decoder"):
        groups("lsa-light", frozen=("head",))
    with pytest.raises(SettingError, match="leaves nothing of lsa-light to train"):
        groups("lsa-light", frozen=("backbone", "decoder"))


def factors(steps: int, **settings: Any) -> list[float]:
    schedule = ScheduleSettings(**settings)
    return [rate_factor(schedule, step, steps, warm_up=0.1, final_rate=0.1) for step in range(steps)]


def test_a_constant_rate_is_constant() -> None:
    assert set(factors(7, kind="constant")) == {1.0}


def test_a_staircase_halves_the_rate_every_fifth_of_the_run() -> None:
    assert factors(10, kind="staircase") == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625]


def test_steps_change_the_rate_where_they_are_told_to() -> None:
    assert factors(10, kind="steps") == [1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05]


def test_a_warm_up_rises_from_a_thousandth() -> None:
    found = factors(10, kind="constant", warm_up_steps=4)
    assert found[:5] == pytest.approx([0.001, 0.25075, 0.5005, 0.75025, 1.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OptimizerSettings(kind="sgd"), r"optimizer\.kind is 'sgd'; use adamw or adam"),  # type: ignore[arg-type]
        (lambda: OptimizerSettings(betas=(0.9, 1.0)), r"optimizer\.betas are \(0\.9, 1\.0\)"),
        (lambda: OptimizerSettings(norm_weight_decay=-1), r"optimizer\.norm_weight_decay is -1; give 0"),
        (lambda: OptimizerSettings(layer_decay=0), r"optimizer\.layer_decay is 0; give more than 0"),
        (lambda: ScheduleSettings(kind="cosine"), r"schedule\.kind is 'cosine'; use one-cycle"),  # type: ignore[arg-type]
        (lambda: ScheduleSettings(warm_up_steps=-1), r"schedule\.warm_up_steps is -1"),
        (lambda: ScheduleSettings(period=0), r"schedule\.period is 0"),
        (lambda: ScheduleSettings(at=(0.5,), factors=(1.0, 2.0)), r"schedule\.at is \[0\.5\]"),
    ],
)
def test_a_setting_out_of_range_is_named(make: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make()


def test_the_papers_recipes_hold_the_papers_numbers() -> None:
    gfm, lsa, vitmatte, ddc = (load_recipe(name) for name in ("gfm-r34-tt", "lsa", "vitmatte-s", "ddc-am2k"))
    assert (gfm.optimizer.kind, gfm.learning_rate, gfm.batch, gfm.weight_decay) == ("adam", 1e-5, 32, 0.0)
    assert (lsa.learning_rate, lsa.batch, lsa.size, lsa.optimizer.norm_weight_decay) == (5e-5, 16, 640, 1e-5)
    assert lsa.samples.crop == (480, 800)
    assert (vitmatte.steps, vitmatte.optimizer.layer_decay, vitmatte.schedule.at) == (134687, 0.65, (0.3, 0.9))
    assert (ddc.steps, ddc.losses.ddc, ddc.losses.window, ddc.schedule.at) == (5625, 10.0, 11, (0.6, 0.9))


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_fits_its_network(name: str) -> None:
    from gossamer.training.objectives import make_objective

    recipe = load_recipe(name)
    make_objective(recipe)
    assert recipe.data.get("source", "synthetic") in ("synthetic", "am2k", "p3m10k", "adobe", "folder")
