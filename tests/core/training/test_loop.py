"""The training loop: it learns, it goes on exactly, it stops cleanly, it never publishes a NaN."""

import csv
import errno
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gossamer.errors import DataError, GossamerError, SettingError
from gossamer.training import loop, run
from gossamer.training.checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint
from gossamer.training.loop import StepReport, TrainingSettings, train
from gossamer.training.recipe import LossWeights, Recipe
from gossamer.training.samples import read_batches

MakeRecipe = Callable[..., Recipe]
MakeSettings = Callable[..., TrainingSettings]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="", encoding="utf-8") as stream:
        found = list(csv.DictReader(stream))
    for row in found:
        del row["samples_per_second"]
    return found


def same_state(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_state(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same_state(a, b) for a, b in zip(one, other, strict=True))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def after(steps: int) -> tuple[Callable[[StepReport], None], Callable[[], bool]]:
    """``report`` and ``cancelled`` that stop a run as soon as it has told of ``steps`` steps."""
    seen: list[int] = []
    return lambda report: seen.append(report.step), lambda: bool(seen) and seen[-1] >= steps - 1


def test_the_loss_falls_on_samples_that_repeat(
    make_recipe: MakeRecipe, make_settings: MakeSettings, repeat_samples: Callable[..., None]
) -> None:
    repeat_samples()
    totals: list[float] = []
    train(
        make_recipe(steps=200), make_settings(checkpoint_minutes=60),
        report=lambda report: totals.append(report.losses["total"]),
    )  # fmt: skip
    assert len(totals) == 10
    assert totals[-1] < 0.5 * totals[0]


def test_a_run_leaves_checkpoint_log_and_pictures(make_recipe: MakeRecipe, make_settings: MakeSettings) -> None:
    folder = train(make_recipe(), make_settings(checkpoint_minutes=60))
    values = load_checkpoint(folder)
    assert (values["step"], values["samples"]) == (6, 12)
    assert [row["step"] for row in rows(folder)] == ["6"]
    curves, sheet = (cv2.imread(str(folder / name)) for name in ("curves.png", "samples.png"))
    assert curves is not None
    assert sheet is not None
    assert curves.std() > 5
    assert sheet.shape == (2 * 64, 5 * 64, 3)  # two samples below each other; plate to distance beside each other
    assert not [path for path in folder.iterdir() if path.suffix == ".tmp"]


def test_tensorboard_finds_losses_and_mattes(make_recipe: MakeRecipe, make_settings: MakeSettings) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

    folder = train(make_recipe(steps=3), make_settings(checkpoint_minutes=0))
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("loss/total")]
    assert found == [(int(row["step"]), pytest.approx(float(row["total"]), rel=1e-4)) for row in rows(folder)]
    assert [event.step for event in events.Images("samples")] == [1, 2, 3]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_resumed_run_is_the_run_without_a_stop(
    make_recipe: MakeRecipe, make_settings: MakeSettings, accumulate: int
) -> None:
    recipe = make_recipe(accumulate=accumulate)
    whole = train(recipe, make_settings("whole", checkpoint_minutes=0))
    report, cancelled = after(3)
    parts = train(recipe, make_settings("parts", checkpoint_minutes=0), report=report, cancelled=cancelled)
    assert load_checkpoint(parts)["step"] == 3
    train(recipe, make_settings("parts", checkpoint_minutes=0, resume=True, workers=1))
    assert rows(parts) == rows(whole)
    assert same_state(load_checkpoint(parts), load_checkpoint(whole))


def test_lines_past_the_checkpoint_and_half_lines_are_dropped(
    make_recipe: MakeRecipe, make_settings: MakeSettings
) -> None:
    recipe = make_recipe()
    report, cancelled = after(3)
    folder = train(recipe, make_settings(checkpoint_minutes=0), report=report, cancelled=cancelled)
    lines = (folder / "log.csv").read_text(encoding="utf-8")
    (folder / "log.csv").write_text(lines + lines.splitlines()[-1].replace("3", "4", 1) + "\n1", encoding="utf-8")
    train(recipe, make_settings(checkpoint_minutes=0, resume=True))
    assert [row["step"] for row in rows(folder)] == ["1", "2", "3", "4", "5", "6"]


def test_a_loss_without_weight_is_not_in_the_log(make_recipe: MakeRecipe, make_settings: MakeSettings) -> None:
    folder = train(make_recipe(steps=1, losses=LossWeights(composition=0)), make_settings())
    assert list(rows(folder)[0]) == ["step", "learning_rate", "total", "alpha", "laplacian", "gradient"]


def test_a_folder_that_holds_a_run_is_refused(make_recipe: MakeRecipe, make_settings: MakeSettings) -> None:
    folder = train(make_recipe(steps=1), make_settings())
    before = (folder / CHECKPOINT_NAME).read_bytes()
    with pytest.raises(DataError, match=r"run holds a run already; go on with --resume or name another folder"):
        train(make_recipe(steps=1), make_settings())
    assert (folder / CHECKPOINT_NAME).read_bytes() == before


def test_another_recipe_is_refused_on_going_on(make_recipe: MakeRecipe, make_settings: MakeSettings) -> None:
    train(make_recipe(steps=1), make_settings())
    other = make_recipe(steps=2, seed=6, data={**make_recipe().data, "rotation": 0.0})
    with pytest.raises(SettingError, match=r"begun with another recipe \(different: data\.rotation, seed, steps\)"):
        train(other, make_settings(resume=True))


def test_a_setting_that_is_newer_than_the_run_is_no_difference(
    make_recipe: MakeRecipe, make_settings: MakeSettings
) -> None:
    folder = train(make_recipe(steps=1), make_settings())
    values = load_checkpoint(folder)
    del values["recipe"]["samples"]["kept"], values["recipe"]["losses"]["composition"]
    save_checkpoint(folder, {name: values[name] for name in values if name != "schema"})
    assert train(make_recipe(steps=1), make_settings(resume=True)) == folder
    with pytest.raises(SettingError, match=r"different: losses"):
        train(make_recipe(steps=1, losses=LossWeights(composition=0.5)), make_settings(resume=True))


def test_pictures_may_lie_elsewhere_on_going_on(
    make_recipe: MakeRecipe, make_settings: MakeSettings, tmp_path: Path
) -> None:
    train(make_recipe(steps=1), make_settings())
    moved = make_recipe(steps=1, data={**make_recipe().data, "cache_folder": str(tmp_path)})
    assert train(moved, make_settings(resume=True)).name == "run"


def test_pictures_may_not_be_missing_on_going_on(
    make_recipe: MakeRecipe, make_settings: MakeSettings, tmp_path: Path
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), np.zeros((80, 80, 3), np.uint8))
    data = make_recipe().data
    train(make_recipe(steps=1, data={**data, "photos": (str(tmp_path / "here"),)}), make_settings())
    moved = make_recipe(steps=1, data={**data, "photos": (str(tmp_path / "there"),)})
    assert train(moved, make_settings(resume=True)).name == "run"
    with pytest.raises(SettingError, match=r"different: data\.photos, 1 folders then and 0 now"):
        train(make_recipe(steps=1), make_settings(resume=True))


def test_another_number_of_processes_is_refused_on_going_on(
    make_recipe: MakeRecipe, make_settings: MakeSettings
) -> None:
    folder = train(make_recipe(), make_settings(), cancelled=lambda: True)
    values = load_checkpoint(folder)
    save_checkpoint(
        folder, {key: values[key] for key in values if key != "schema"} | {"samples": 2 * values["samples"]}
    )
    with pytest.raises(SettingError, match=r"begun with 2 processes and 1 are to go on; give --devices 2"):
        train(make_recipe(), make_settings(resume=True))


def test_a_run_goes_on_although_what_it_started_from_is_gone(
    make_recipe: MakeRecipe, make_settings: MakeSettings
) -> None:
    start = train(make_recipe(steps=1), make_settings("start"))
    recipe = make_recipe(start_from=str(start))
    train(recipe, make_settings(), cancelled=lambda: True)
    shutil.rmtree(start)
    assert load_checkpoint(train(recipe, make_settings(resume=True)))["step"] == 6


def test_a_run_that_ended_before_its_weights_were_written_writes_them_on_going_on(
    make_recipe: MakeRecipe, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(make_recipe(steps=2), make_settings("whole"))

    def fail(*_args: object, **_settings: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_result", fail)
        with pytest.raises(DataError, match=r"No space left on device\. Mend that, then go on with --resume"):
            train(make_recipe(steps=2), make_settings())
    folder = train(make_recipe(steps=2), make_settings(resume=True))
    one, other = (load_file(path / "weights" / "test.safetensors") for path in (whole, folder))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_going_on_with_nothing_there_is_said(
    make_recipe: MakeRecipe, make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    train(make_recipe(steps=1), make_settings(resume=True))
    assert "holds no checkpoint to go on from; the run begins at its first step" in caplog.text


def test_a_checkpoint_of_another_network_is_refused(
    make_recipe: MakeRecipe, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from gossamer.models import registry

    train(make_recipe(steps=1), make_settings())
    entry = dataclasses.replace(registry._entries["tiny"], build=lambda: torch.nn.Conv2d(4, 1, 1))
    monkeypatch.setitem(registry._entries, "tiny", entry)
    with pytest.raises(DataError, match="does not fit the network 'tiny' of this version"):
        train(make_recipe(steps=1), make_settings(resume=True))


def test_a_bad_batch_is_left_out_and_leaves_no_trace(
    make_recipe: MakeRecipe, make_settings: MakeSettings, repeat_samples: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    repeat_samples(range(4, 6))  # step 3
    folder = train(make_recipe(), make_settings(checkpoint_minutes=0))
    assert "step 3: loss or gradient is not finite; update left out" in caplog.text
    values = load_checkpoint(folder)
    assert values["step"] == 6
    states = [values["model"], values["average"]["state"]]
    assert all(bool(value.isfinite().all()) for state in states for value in state.values())
    assert [row["step"] for row in rows(folder)] == ["1", "2", "4", "5", "6"]
    assert values["average"]["updates"] == 5


def test_a_plate_of_nan_does_not_stay_in_the_running_statistics(
    make_recipe: MakeRecipe, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poison(loader: Any) -> Any:
        for number, batch in enumerate(read_batches(loader)):
            yield batch._replace(plate=batch.plate * float("nan")) if number == 1 else batch

    monkeypatch.setattr(loop, "read_batches", poison)
    folder = train(make_recipe(steps=3), make_settings(checkpoint_minutes=60))
    state = load_checkpoint(folder)["average"]["state"]
    assert all(bool(value.isfinite().all()) for value in state.values())


def test_a_row_of_bad_steps_ends_with_the_last_good_checkpoint(
    make_recipe: MakeRecipe, make_settings: MakeSettings, repeat_samples: Callable[..., None], tmp_path: Path
) -> None:
    repeat_samples(range(6, 1000))
    with pytest.raises(GossamerError, match=r"20 steps in a row gave no finite loss.*last\.ckpt; begin in another"):
        train(make_recipe(steps=50), make_settings(checkpoint_minutes=0))
    assert load_checkpoint(tmp_path / "run")["step"] == 3


def test_a_cancelled_run_stops_with_a_checkpoint(make_recipe: MakeRecipe, make_settings: MakeSettings) -> None:
    reports: list[StepReport] = []
    folder = train(make_recipe(), make_settings(checkpoint_minutes=60), report=reports.append, cancelled=lambda: True)
    assert load_checkpoint(folder)["step"] == 1
    assert [(report.step, report.checkpoint) for report in reports] == [(1, folder / CHECKPOINT_NAME)]


def test_a_run_stops_after_its_time(make_recipe: MakeRecipe, make_settings: MakeSettings) -> None:
    folder = train(make_recipe(steps=10_000), make_settings(checkpoint_minutes=60, stop_after_minutes=0.001))
    assert 1 <= load_checkpoint(folder)["step"] < 10_000


def test_an_output_that_cannot_be_written_is_named(
    make_recipe: MakeRecipe, make_settings: MakeSettings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DataError, match=r"Cannot write into the run's folder .*file: .*--resume"):
        train(make_recipe(), make_settings("file"))


def test_fabric_is_quiet_unless_asked(
    make_recipe: MakeRecipe, make_settings: MakeSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("lightning_fabric").setLevel(logging.NOTSET)
    train(make_recipe(steps=1, precision="bf16-mixed"), make_settings())
    assert "Using" not in capfd.readouterr().err
