"""Every family's training: the loop, the samples and the losses that belong together."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
from gossamer.data.written_samples import write_samples
from gossamer.errors import DataError, ModelError, SettingError
from gossamer.models import registry
from gossamer.models.registry import ModelEntry, create_model, model_entry
from gossamer.models.vitmatte import ViTMatte, ViTMatteConfig
from gossamer.models.weights import find_manifest, load_weights
from gossamer.training.checkpoint import load_checkpoint
from gossamer.training.loop import TrainingSettings, train
from gossamer.training.recipe import Recipe, recipe_from_dict

MakeSettings = Callable[..., TrainingSettings]
SYNTHETIC: dict[str, Any] = {"element_size": 128, "window": 2}
CROPS = {
    "gossamer": {},
    "ddc": {},
    "gfm": {"crop": {"sides": [64], "fallback": 64, "trimap_kernel": 5, "rosta_kernel": 9}},
    "lsa": {"crop": [48, 72], "radius": 6},
    "lsa-online": {"crop": [48, 72], "radius": 6},
    "vitmatte": {"shrunk": 96},
}


def make(model: str, pipeline: str, objective: str, **changes: Any) -> Recipe:
    values = {
        "name": "test", "model": model, "pipeline": pipeline, "objective": objective, "seed": 5, "steps": 2, "batch": 2,
        "size": 64, "learning_rate": 1e-3, "precision": "32-true", "samples": CROPS[pipeline], "data": SYNTHETIC,
    }  # fmt: skip
    return recipe_from_dict({**values, **changes}, "test")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four samples of the generator as a plain folder."""
    folder = tmp_path_factory.mktemp("set") / "written"
    generator = SampleGenerator(SyntheticSettings(size=64, element_size=128, window=2), 1)
    write_samples(generator, folder, count=4, trimaps="gfm", kernel=5)
    return folder


def rows(folder: Path, name: str = "log.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


FAMILIES = [
    ("gfm-light-tt", "gfm", "gfm", {"glance", "focus", "fusion", "composition"}),
    ("gfm-light-ft", "gfm", "gfm", {"glance", "focus", "fusion", "composition"}),
    ("gfm-light-bt", "gfm", "gfm", {"glance", "focus", "fusion", "composition"}),
    ("gfm-light-rim", "gfm", "gfm-rim", {"glance", "focus", "fusion", "composition"}),
    ("lsa-light", "lsa", "lsa", set()),
    ("lsa-light", "lsa-online", "lsa", set()),
    ("lsa-light", "vitmatte", "matting", {"alpha", "laplacian", "gradient", "composition"}),
    ("lsa-light", "vitmatte", "vitmatte", {"unknown", "known", "laplacian", "gradient"}),
    ("gossamer-s", "gossamer", "ddc", {"known", "ddc"}),
    ("gossamer-s", "ddc", "ddc", {"known", "ddc"}),
    ("gfm-light-tt", "ddc", "ddc", {"known", "ddc", "glance"}),
    ("gfm-light-rim", "ddc", "ddc", {"known", "ddc", "glance"}),
]


@pytest.mark.parametrize(("model", "pipeline", "objective", "terms"), FAMILIES, ids=[" ".join(f[:3]) for f in FAMILIES])
def test_a_family_trains(
    make_settings: MakeSettings, model: str, pipeline: str, objective: str, terms: set[str]
) -> None:
    folder = train(make(model, pipeline, objective), make_settings(checkpoint_minutes=60))
    (row,) = rows(folder)
    assert set(row) == {"step", "samples_per_second", "learning_rate", "total"} | terms
    assert float(row["total"]) > 0
    values = load_checkpoint(folder)
    assert all(bool(value.isfinite().all()) for value in values["average"]["state"].values())
    torch.manual_seed(5)
    first = create_model(model).state_dict()
    learned = [key for key, value in create_model(model).named_parameters() if value.requires_grad]
    moved = [key for key in learned if not torch.equal(first[key], values["model"][key])]
    # What begins behind a weight of zero moves from the second step on, by less than is seen here.
    assert len(moved) > 0.8 * len(learned)


def test_vitmatte_trains_with_and_without_a_trimap(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, inputs in (("small", 4), ("small-rgb", 3)):
        config = ViTMatteConfig(width=32, heads=2, inputs=inputs, depth=3)
        entry = ModelEntry(name, "vitmatte", inputs == 4, 32, 128, build=partial(ViTMatte, config))
        monkeypatch.setitem(registry._entries, name, entry)
    supervised = make("small", "vitmatte", "vitmatte", optimizer={"layer_decay": 0.65, "decayed": "all-but-norms"})
    folder = train(supervised, make_settings("with"))
    assert float(rows(folder)[0]["total"]) > 0
    rates = {group["lr"] for group in load_checkpoint(folder)["optimizer"]["param_groups"]}
    assert len(rates) == 5  # embeddings, three blocks, the rest
    free = train(make("small-rgb", "ddc", "ddc"), make_settings("without"))
    assert float(rows(free)[0]["ddc"]) > 0


def test_bfloat16_and_accumulation_work_for_gfm(make_settings: MakeSettings) -> None:
    recipe = make("gfm-light-tt", "gfm", "gfm", steps=1, precision="bf16-mixed", accumulate=2)
    values = load_checkpoint(train(recipe, make_settings()))
    assert values["samples"] == 4


def test_a_resumed_gfm_run_is_the_run_without_a_stop(make_settings: MakeSettings, written: Path) -> None:
    recipe = make(
        "gfm-light-tt", "gfm", "gfm", steps=4,
        data={"source": "folder", "root": str(written), "backgrounds": [str(written / "bg")]},
        optimizer={"kind": "adam"}, schedule={"kind": "steps", "warm_up_steps": 2, "at": [0.5], "factors": [0.1]},
    )  # fmt: skip
    whole = train(recipe, make_settings("whole", checkpoint_minutes=0))
    seen: list[int] = []
    parts = train(
        recipe, make_settings("parts", checkpoint_minutes=0), report=lambda report: seen.append(report.step),
        cancelled=lambda: bool(seen) and seen[-1] >= 1,
    )  # fmt: skip
    assert load_checkpoint(parts)["step"] == 2
    train(recipe, make_settings("parts", checkpoint_minutes=0, resume=True, workers=1))
    for one, other in zip(rows(whole), rows(parts), strict=True):
        assert {**one, "samples_per_second": ""} == {**other, "samples_per_second": ""}
    first, second = (load_checkpoint(folder)["model"] for folder in (whole, parts))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_everything_that_is_missing_is_said_before_the_run_begins(
    make_settings: MakeSettings, written: Path, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    for name in ("image", "alpha"):
        (root / name).mkdir(parents=True)
        for path in list((written / name).iterdir())[: 3 if name == "alpha" else 4]:
            (root / name / path.name).write_bytes(path.read_bytes())
    data = {"source": "folder", "root": str(root), "backgrounds": [str(tmp_path / "nowhere")]}
    with pytest.raises(DataError) as caught:
        train(make("gfm-light-tt", "gfm", "gfm", data=data), make_settings())
    assert "nothing in alpha" in str(caught.value)
    assert "there is no folder" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_held_out_pictures_are_measured_with_each_checkpoint(make_settings: MakeSettings, written: Path) -> None:
    recipe = make("gfm-light-tt", "gfm", "gfm")
    folder = train(recipe, make_settings(checkpoint_minutes=0, validation=written))
    found = rows(folder, "validation.csv")
    assert [row["step"] for row in found] == ["1", "2"]
    assert 0 <= float(found[0]["glance"]) <= 1
    assert float(found[0]["glance_constant"]) >= 1 / 3
    assert float(found[0]["half_whole"]) == pytest.approx(0.5 * 64 * 64 / 1000, rel=0.5)
    train(recipe, make_settings(checkpoint_minutes=0, validation=written, resume=True))
    assert [row["step"] for row in rows(folder, "validation.csv")] == ["1", "2"]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    assert "validation/glance" in events.Tags()["scalars"]


def test_a_held_out_picture_without_an_unknown_pixel_counts_for_the_whole_only(
    make_settings: MakeSettings, written: Path, tmp_path: Path
) -> None:
    held_out = tmp_path / "held-out"
    shutil.copytree(written, held_out)
    known = held_out / "trimap" / "000000.png"
    cv2.imwrite(str(known), np.zeros_like(cv2.imread(str(known), cv2.IMREAD_GRAYSCALE)))
    recipe = make("lsa-light", "lsa", "lsa", steps=1)
    folder = train(recipe, make_settings(validation=held_out))
    (line,) = rows(folder, "validation.csv")
    assert 0 < float(line["sad_unknown"]) < float("inf")
    assert 0 < float(line["sad_whole"]) < float("inf")


def test_a_validation_folder_without_trimaps_is_refused(make_settings: MakeSettings, written: Path) -> None:
    with pytest.raises(DataError, match="there is no folder trimap"):
        train(make("lsa-light", "lsa", "lsa"), make_settings(validation=written / ".."))


def test_a_finished_run_leaves_weights_for_use(make_settings: MakeSettings) -> None:
    folder = train(make("gfm-light-ft", "gfm", "gfm", steps=1), make_settings())
    manifest = find_manifest(str(folder / "weights"))
    assert (manifest.architecture, manifest.needs_trimap) == ("gfm-light-ft", False)
    model = create_model("gfm-light-ft")
    load_weights(model, manifest)
    state = load_checkpoint(folder)["average"]["state"]
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_a_run_starts_from_another_with_its_encoder_frozen(make_settings: MakeSettings) -> None:
    first = train(make("lsa-light", "lsa", "lsa", steps=1), make_settings("first"))
    for start in (first, first / "weights"):
        changes = {"start_from": str(start), "optimizer": {"frozen": ["encoder"]}, "ema": 0.0}
        second = train(make("lsa-light", "lsa", "lsa", steps=1, **changes), make_settings(f"second-{start.name}"))
        before, after = load_checkpoint(first)["average"]["state"], load_checkpoint(second)["model"]
        for key, value in after.items():
            # Running statistics as well: a frozen encoder answers as it did.
            assert torch.equal(value, before[key]) == key.startswith("backbone."), key


def test_a_run_of_another_network_is_no_start(make_settings: MakeSettings) -> None:
    first = train(make("lsa-light", "lsa", "lsa", steps=1), make_settings("first"))
    with pytest.raises(ModelError, match="trained 'lsa-light', which does not fit the network 'gfm-light-tt'"):
        train(make("gfm-light-tt", "gfm", "gfm", start_from=str(first)), make_settings("second"))


@pytest.mark.parametrize(
    ("model", "pipeline", "objective", "message"),
    [
        ("gfm-light-tt", "gfm", "gfm-rim", "objective 'gfm-rim' is not for the network 'gfm-light-tt'; use gfm or ddc"),
        ("gfm-light-rim", "gfm", "gfm", "is not for the network 'gfm-light-rim'; use gfm-rim or ddc"),
        ("lsa-light", "gfm", "gfm", "is not for the network 'lsa-light'; use matting, lsa, vitmatte, ddc"),
        ("gfm-light-tt", "gossamer", "matting", "is not for the network 'gfm-light-tt'"),
        ("gfm-light-tt", "lsa", "gfm", "cannot learn from samples of the pipeline 'lsa'; use gfm"),
        ("lsa-light", "ddc", "lsa", "cannot learn from samples of the pipeline 'ddc'; use gossamer, gfm"),
    ],
)
def test_what_does_not_go_together_is_named(
    make_settings: MakeSettings, model: str, pipeline: str, objective: str, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        train(make(model, pipeline, objective), make_settings())


def test_gfms_side_is_the_recipes_size(make_settings: MakeSettings) -> None:
    recipe = make("gfm-light-tt", "gfm", "gfm", samples={"crop": {"output": 96}})
    with pytest.raises(SettingError, match=r"samples\.crop\.output follows from size"):
        train(recipe, make_settings())


def test_the_generators_pipeline_takes_no_folder(make_settings: MakeSettings, written: Path) -> None:
    recipe = make("lsa-light", "gossamer", "matting", data={"source": "folder", "root": str(written)})
    with pytest.raises(SettingError, match="the pipeline gossamer makes its own pictures"):
        train(recipe, make_settings())


def test_light_networks_are_registered_for_all_divisions_of_labour() -> None:
    assert [model_entry(f"gfm-light-{rosta}").needs_trimap for rosta in ("tt", "ft", "bt", "rim")] == [False] * 4
    assert sum(p.numel() for p in create_model("gfm-light-tt").parameters()) < 2_000_000
