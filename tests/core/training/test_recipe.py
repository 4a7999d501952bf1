"""Recipes: read whole, checked whole, named when they are wrong."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gossamer.errors import SettingError
from gossamer.training.recipe import LossWeights, Recipe, load_recipe, recipe_from_dict, shipped_recipes

GOOD: dict[str, Any] = {
    "name": "good", "model": "gossamer-s", "seed": 1, "steps": 10, "batch": 2, "size": 64, "learning_rate": 1e-3,
}  # fmt: skip


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_read(name: str) -> None:
    assert load_recipe(name).name == name


def test_the_default_network_has_a_recipe() -> None:
    assert load_recipe("gossamer-s").model == "gossamer-s"


def test_a_file_is_read_with_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    lines = ['name = "mine"', 'model = "lsa"', "seed = 3", "steps = 9", "batch = 1", "size = 96", "learning_rate = 1"]
    path.write_text("\n".join([*lines, "[losses]", "alpha = 2", "[data]", "window = 7"]), encoding="utf-8")
    recipe = load_recipe(str(path))
    assert recipe.losses == LossWeights(alpha=2.0)
    assert recipe.data == {"window": 7}
    assert recipe.learning_rate == 1.0
    assert isinstance(recipe.learning_rate, float)


def test_an_unknown_setting_is_named_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match=r"here: unknown settings lerning_rate; known are .*learning_rate"):
        recipe_from_dict({**GOOD, "lerning_rate": 1}, "here")


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(SettingError, match=r"here: unknown settings losses\.foo; known are alpha, composition"):
        recipe_from_dict({**GOOD, "losses": {"foo": 1}}, "here")


def test_missing_settings_are_named_all_at_once() -> None:
    with pytest.raises(SettingError, match=r"here: the settings seed, steps are missing"):
        recipe_from_dict({key: value for key, value in GOOD.items() if key not in ("seed", "steps")}, "here")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps", "10", "steps is '10'; give a whole number"),
        ("steps", 1.5, "steps is 1.5; give a whole number"),
        ("batch", True, "batch is True; give a whole number"),
        ("learning_rate", "fast", "learning_rate is 'fast'; give a number"),
        ("model", 4, "model is 4; give text in quotes"),
        ("losses", 3, "losses is 3; give a table"),
        ("data", [1], r"data is \[1\]; give a table"),
    ],
)
def test_a_setting_of_the_wrong_type_is_named(name: str, value: object, message: str) -> None:
    with pytest.raises(SettingError, match=f"here: {message}"):
        recipe_from_dict({**GOOD, name: value}, "here")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("batch", 0),
        ("accumulate", 0),
        ("size", 32),
        ("size", 100),
        ("seed", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("gradient_clip", -1.0),
        ("weight_decay", -0.1),
        ("warm_up", 1.5),
        ("final_rate", -0.5),
        ("ema", 1.0),
        ("precision", "16-mixed"),
    ],
)
def test_a_value_out_of_range_is_named(name: str, value: object) -> None:
    with pytest.raises(SettingError, match=f"Recipe 'good': {name} is .*; (give|use) "):
        recipe_from_dict({**GOOD, name: value}, "here")


def test_a_negative_loss_weight_is_refused() -> None:
    with pytest.raises(SettingError, match=r"losses\.gradient is -1\.0; give 0 or more"):
        LossWeights(gradient=-1.0)


def test_a_recipe_without_any_loss_is_refused() -> None:
    with pytest.raises(SettingError, match="nothing to learn from"):
        LossWeights(alpha=0, laplacian=0, gradient=0, composition=0)


def test_a_recipe_that_is_not_there_names_the_shipped_ones() -> None:
    with pytest.raises(SettingError, match=r"Cannot read the recipe gosamer: No such file.*gossamer-s"):
        load_recipe("gosamer")


@pytest.mark.parametrize("content", [b"steps = = 3", b"\xff\xfe\x00"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(SettingError, match=r"broken\.toml is not a recipe"):
        load_recipe(str(path))


def test_a_recipe_comes_back_from_what_a_checkpoint_holds() -> None:
    recipe = Recipe(**GOOD)
    assert recipe_from_dict(asdict(recipe), "checkpoint") == recipe


def test_tables_become_settings_of_pipeline_and_objective() -> None:
    recipe = recipe_from_dict(
        {**GOOD, "pipeline": "gfm", "objective": "gfm", "samples": {"crop": {"sides": [64]}, "rssn": {"sigma": 0}},
         "losses": {"cross_entropy": "compat"}, "schedule": {"kind": "steps", "at": [0.5], "factors": [1]}}, "here",
    )  # fmt: skip
    assert recipe.samples.crop.sides == (64,)
    assert (recipe.samples.rssn.sigma, recipe.losses.cross_entropy) == (0.0, "compat")
    assert recipe.schedule.factors == (1.0,)
    assert recipe_from_dict(asdict(recipe), "checkpoint") == recipe


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pipeline": "gfn"}, "pipeline is 'gfn'; use gossamer, gfm, lsa"),
        ({"objective": "l1"}, "objective is 'l1'; use matting, gfm"),
        ({"objective": "ddc", "losses": {"alpha": 1}}, r"unknown settings losses\.alpha; known are ddc, glance"),
        ({"pipeline": "lsa", "samples": {"crop": [1, 2, 3]}}, r"samples\.crop has 3 values; give 2"),
        ({"pipeline": "lsa", "samples": {"crop": 5}}, r"samples\.crop is 5; give a list in brackets"),
        ({"pipeline": "lsa", "samples": {"mix": 1}}, r"samples\.mix is 1; give true or false"),
        ({"optimizer": {"frozen": [3]}}, r"optimizer\.frozen is 3; give text in quotes"),
        ({"optimizer": {"kind": 3}}, r"optimizer\.kind is 3; give text in quotes"),
        ({"schedule": {"pace": 3}}, r"unknown settings schedule\.pace; known are at,"),
    ],
)
def test_a_table_that_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        recipe_from_dict({**GOOD, **changes}, "here")


def test_settings_of_another_objective_are_refused() -> None:
    with pytest.raises(SettingError, match="losses are LossWeights; objective 'ddc' takes DdcLosses"):
        Recipe(**GOOD, objective="ddc")


def test_no_limit_on_the_gradient_is_a_setting() -> None:
    assert recipe_from_dict({**GOOD, "gradient_clip": 0}, "here").gradient_clip == 0
