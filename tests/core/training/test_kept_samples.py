"""Samples that are made once and shown again and again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.data.sample_settings import SyntheticSamples
from gossamer.data.synthetic import Sample, SampleGenerator, SyntheticSettings
from gossamer.errors import DataError, SettingError
from gossamer.models.prior import color_prior
from gossamer.training.checkpoint import load_checkpoint
from gossamer.training.kept_samples import KeptSample, KeptSamples
from gossamer.training.loop import train
from gossamer.training.preparation import make_pipeline
from gossamer.training.recipe import Recipe
from gossamer.training.samples import KeptBatch, make_loader, read_batches
from gossamer.training.settings import TrainingSettings

COUNT = 3
SETTINGS = SyntheticSettings(size=96, element_size=128, window=2)


class Counting(SampleGenerator):
    """Knows which samples were asked for."""

    def __init__(self, settings: SyntheticSettings, seed: int) -> None:
        super().__init__(settings, seed)
        self.made: list[int] = []

    def sample(self, index: int) -> Sample:
        self.made.append(index)
        return super().sample(index)


@pytest.fixture
def generator() -> Counting:
    return Counting(SETTINGS, 3)


def keep(generator: SampleGenerator, folder: Path, *, size: int = 96, seed: int = 3) -> KeptSamples:
    return KeptSamples(generator, folder, count=COUNT, size=size, seed=seed)


def read(views: KeptSamples, **changes: int) -> list[KeptBatch]:
    values = {"batch": 2, "first": 0, "last": 3, "workers": 0, **changes}
    return [batch for batch in read_batches(make_loader(views, **values)) if isinstance(batch, KeptBatch)]


def same(a: tuple[torch.Tensor, ...], b: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def planes(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.atleast_3d(pixels).transpose(2, 0, 1).copy())[None]


def test_each_sample_is_made_once_and_shown_once_a_pass(generator: Counting, tmp_path: Path) -> None:
    views = [keep(generator, tmp_path).sample(index) for index in range(3 * COUNT)]
    assert sorted(generator.made) == [0, 1, 2]
    # What turning, mirroring and reordering leaves as it is tells the samples apart.
    seen = [round(float(view.alpha.mean()), 6) for view in views]
    passes = [seen[start : start + COUNT] for start in range(0, len(seen), COUNT)]
    assert len(set(passes[0])) == COUNT
    assert all(sorted(one) == sorted(passes[0]) for one in passes)
    assert len({one.plate.tobytes() for one in views}) > 2 * COUNT  # not the same picture again


def test_a_view_is_the_sample_turned_with_its_prior(generator: Counting, tmp_path: Path) -> None:
    views = keep(generator, tmp_path)
    for index in range(2 * COUNT):
        view = views.sample(index)
        assert view.plate.shape == view.foreground.shape == view.background.shape == (96, 96, 3)
        assert set(np.unique(view.trimap)) <= {0.0, 0.5, 1.0}
        assert (np.abs(view.alpha - view.trimap)[view.trimap != 0.5] <= 8 / 255).all()
        again = color_prior(planes(view.plate), planes(view.trimap))
        maps = torch.cat(again[1:], dim=1)[0].permute(1, 2, 0).numpy()
        assert np.abs(again.alpha[0, 0].numpy() - view.prior_alpha).mean() < 0.01
        assert np.abs(maps - view.prior_maps)[..., :8].mean() < 0.01


def test_the_prior_of_a_crop_has_seen_what_lies_beyond_it(generator: Counting, tmp_path: Path) -> None:
    views = keep(generator, tmp_path, size=32)
    shown = [views.sample(index) for index in range(4 * COUNT)]
    assert {view.alpha.shape for view in shown} == {(32, 32)}
    assert {view.prior_maps.shape for view in shown} == {(16, 16, 13)}
    narrow = [color_prior(planes(view.plate), planes(view.trimap)).alpha[0, 0].numpy() for view in shown]
    wide_error = np.mean([np.abs(view.prior_alpha - view.alpha).mean() for view in shown])
    narrow_error = np.mean([np.abs(prior - view.alpha).mean() for prior, view in zip(narrow, shown, strict=True)])
    assert wide_error < 0.9 * narrow_error


def test_views_depend_on_their_number_alone(generator: Counting, tmp_path: Path) -> None:
    expected = read(keep(generator, tmp_path / "a"))
    again = read(keep(SampleGenerator(SETTINGS, 3), tmp_path / "b"), workers=2)
    assert len(expected) == len(again) == 3
    assert all(same(a, b) for a, b in zip(expected, again, strict=True))
    assert same(read(keep(generator, tmp_path / "a"), first=2)[0], expected[2])
    assert not same(read(keep(generator, tmp_path / "a", seed=4))[0], expected[0])
    prior = expected[0].prior
    assert [tensor.shape[1] for tensor in prior] == [1, 3, 3, 1, 1, 5]
    assert torch.equal(torch.cat(prior[1:], dim=1), expected[0].prior_maps)


def test_of_candidates_the_one_on_which_the_prior_errs_least_is_kept(generator: Counting, tmp_path: Path) -> None:
    def error(alpha: np.ndarray, prior: np.ndarray, unknown: np.ndarray) -> float:
        return float(np.square(prior - alpha)[unknown].mean())

    errors = []
    for index in range(2 * COUNT):
        sample = generator.sample(index)
        unknown = (sample.trimap > 0) & (sample.trimap < 255)
        trimap = np.where(unknown, 0.5, sample.trimap / 255).astype(np.float32)
        prior = color_prior(planes(sample.plate / np.float32(255)), planes(trimap)).alpha[0, 0].numpy()
        errors.append(error(sample.alpha, prior, unknown))
    generator.made.clear()
    views = KeptSamples(generator, tmp_path, count=COUNT, size=96, seed=3, candidates=2)
    kept = [views.sample(index) for index in range(COUNT)]
    assert sorted(generator.made) == list(range(2 * COUNT))
    found = sorted(error(view.alpha, view.prior_alpha, view.trimap == 0.5) for view in kept)
    least = sorted(min(errors[index : index + 2]) for index in range(0, 2 * COUNT, 2))
    assert found == pytest.approx(least, abs=1e-4)
    assert found != pytest.approx(sorted(errors[::2]), abs=1e-4)


def test_a_run_that_begins_takes_no_samples_of_another(
    make_recipe: Callable[..., Recipe], make_settings: Callable[..., TrainingSettings], tmp_path: Path
) -> None:
    keep(SampleGenerator(SETTINGS, 99), tmp_path / "run", seed=99).sample(0)
    kept = next(tmp_path.glob("run/kept-samples/*.npz"))
    foreign = kept.read_bytes()
    recipe = make_recipe(model="gossamer-s", steps=2, samples=SyntheticSamples(kept=COUNT, canvas=96))
    train(recipe, make_settings(checkpoint_minutes=60), cancelled=lambda: True)
    assert all(path.read_bytes() != foreign for path in kept.parent.glob("*.npz"))


def test_a_damaged_file_is_named(generator: Counting, tmp_path: Path) -> None:
    views = keep(generator, tmp_path)
    for index in range(COUNT):
        views.sample(index)
    for path in tmp_path.glob("*/*.npz"):
        path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"000\d\.npz is damaged .* delete it"):
        views.sample(0)


def test_a_full_disk_leaves_no_half_file(generator: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(stream: Any, **_planes: Any) -> None:
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match=r"Cannot write the sample .*000\d\.npz: No space left"):
        keep(generator, tmp_path).sample(0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_too_little_room_is_said_before_the_first_sample(
    generator: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1_000))
    with pytest.raises(SettingError, match=r"samples\.kept is 3: they need 0\.0 GB in .* keep fewer"):
        keep(generator, tmp_path / "new").check_room()


def test_samples_that_are_there_need_no_room(
    generator: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = keep(generator, tmp_path)
    for index in range(COUNT):
        views.sample(index)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=0))
    views.check_room()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kept": -1}, "samples.kept is -1"),
        ({"kept": 2, "canvas": 40}, "samples.canvas is 40; give a multiple of 32"),
        ({"canvas": 64}, "samples.canvas is for kept samples; give samples.kept as well"),
        ({"kept": 2, "candidates": 0}, "samples.candidates is 0; give at least 1"),
        ({"candidates": 2}, "samples.candidates is for kept samples; give samples.kept as well"),
        ({"teachers": ("gossamer-s",)}, "samples.teachers is for kept samples; give samples.kept as well"),
    ],
)
def test_settings_out_of_range(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        SyntheticSamples(**values)


def test_a_recipe_that_cannot_keep_is_refused(make_recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="tiny has none"):
        make_pipeline(make_recipe(samples=SyntheticSamples(kept=2)), tmp_path)
    recipe = make_recipe(model="gossamer-s", samples=SyntheticSamples(kept=2, canvas=32))
    with pytest.raises(SettingError, match=r"samples\.canvas is 32; give at least size, 64"):
        make_pipeline(recipe, tmp_path)


def test_a_run_over_kept_samples_stops_and_goes_on(
    make_recipe: Callable[..., Recipe], make_settings: Callable[..., TrainingSettings], tmp_path: Path
) -> None:
    recipe = make_recipe(
        model="gossamer-s", steps=3, learning_rate=1e-3, samples=SyntheticSamples(kept=COUNT, canvas=96)
    )
    whole = load_checkpoint(train(recipe, make_settings("whole", checkpoint_minutes=60)))
    parts = make_settings("parts", checkpoint_minutes=60)
    done: list[int] = []
    train(recipe, parts, report=lambda report: done.append(report.step), cancelled=lambda: True)
    assert load_checkpoint(tmp_path / "parts")["step"] == 1
    assert len(list(tmp_path.glob("parts/kept-samples/*.npz"))) == 2
    folder = train(recipe, make_settings("parts", checkpoint_minutes=60, resume=True))
    resumed = load_checkpoint(folder)
    assert all(torch.equal(value, whole["model"][key]) for key, value in resumed["model"].items())
    assert not (folder / "kept-samples").exists()  # nothing asks for them any more
    view = make_pipeline(recipe, folder).sample(0)
    assert isinstance(view, KeptSample)
    assert view.plate.shape == (64, 64, 3)
