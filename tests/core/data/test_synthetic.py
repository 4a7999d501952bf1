from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from gossamer.data.colors import color_near_edge
from gossamer.data.synthetic import Sample, SampleGenerator, SyntheticSettings, composite, contact_sheet
from gossamer.data.trimaps import BACKGROUND, FOREGROUND, UNKNOWN
from gossamer.errors import DataError, SettingError

SMALL = SyntheticSettings(size=64, element_size=128, window=4, renewal=10)


def make(settings: SyntheticSettings = SMALL, seed: int = 3) -> SampleGenerator:
    return SampleGenerator(settings, seed)


def same(one: Sample, other: Sample) -> bool:
    names = ("plate", "trimap", "alpha", "foreground", "background")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_a_sample_depends_on_seed_and_number_only() -> None:
    forwards = make()
    samples = [forwards.sample(index) for index in range(6)]
    backwards = make()
    for index in reversed(range(6)):
        assert same(backwards.sample(index), samples[index])


def test_another_seed_gives_another_sample() -> None:
    assert not same(make(seed=3).sample(0), make(seed=4).sample(0))


def test_a_sample_has_the_stated_shapes_types_and_ranges() -> None:
    generator = make()
    for index in range(8):
        sample = generator.sample(index)
        assert sample.plate.shape == (64, 64, 3)
        assert sample.plate.dtype == np.uint8
        assert sample.trimap.shape == (64, 64)
        assert set(np.unique(sample.trimap)) <= {BACKGROUND, UNKNOWN, FOREGROUND}
        assert (sample.trimap == UNKNOWN).any()
        for plane in (sample.alpha, sample.foreground, sample.background):
            assert plane.dtype == np.float32
            assert plane.min() >= 0
            assert plane.max() <= 1


def test_known_pixels_are_true_up_to_the_tolerance_of_left_out_tips() -> None:
    generator = make()
    for index in range(24):
        sample = generator.sample(index)
        assert sample.alpha[sample.trimap == FOREGROUND].min(initial=1) >= 1 - 8.5 / 255
        assert sample.alpha[sample.trimap == BACKGROUND].max(initial=0) <= 8.5 / 255


def test_the_plate_obeys_the_matting_equation_without_camera_and_linear_light() -> None:
    generator = make(SyntheticSettings(size=64, element_size=128, window=4, camera=0, linear_light=0))
    for index in range(8):
        sample = generator.sample(index)
        expected = sample.background + sample.alpha[..., None] * (sample.foreground - sample.background)
        np.testing.assert_allclose(sample.plate / 255, expected, atol=0.51 / 255)


def test_linear_light_mixes_linear_values() -> None:
    white, black = np.ones((1, 1, 3), np.float32), np.zeros((1, 1, 3), np.float32)
    half = np.full((1, 1), 0.5, np.float32)
    np.testing.assert_allclose(composite(white, black, half, linear=True), 0.7354, atol=1e-3)
    np.testing.assert_allclose(composite(white, black, half, linear=False), 0.5, atol=1e-6)


def test_linear_light_leaves_unmixed_colors_alone() -> None:
    rng = np.random.default_rng(0)
    foreground, background = rng.random((2, 4, 4, 3), dtype=np.float32)
    ones = np.ones((4, 4), np.float32)
    np.testing.assert_array_equal(composite(foreground, background, ones, linear=True), foreground)
    np.testing.assert_array_equal(composite(foreground, background, 0 * ones, linear=True), background)


def test_photographs_and_cutouts_are_used_when_given(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    photos, cutouts = tmp_path / "photos", tmp_path / "cutouts"
    photos.mkdir()
    cutouts.mkdir()
    cv2.imwrite(str(photos / "a.png"), rng.integers(0, 255, (300, 300, 3), dtype=np.uint8))
    rgba = np.full((200, 200, 4), 200, np.uint8)
    rgba[..., 3] = 0
    cv2.circle(rgba, (100, 100), 60, (90, 120, 200, 255), -1)
    cv2.imwrite(str(cutouts / "b.png"), rgba)
    plain = make(SMALL).sample(5)
    settings = SyntheticSettings(
        size=64, element_size=128, window=4, photos=(str(photos),), cutouts=(str(cutouts),), cutout_share=1
    )
    assert not same(make(settings).sample(5), plain)
    assert same(make(settings).sample(5), make(settings).sample(5))


def test_shared_colors_put_a_color_of_the_background_into_the_foreground() -> None:
    plain = SyntheticSettings(
        size=64, element_size=128, window=4, camera=0, similar_colors=0, second_foreground=0, alpha_gamma=0
    )

    def apart(settings: SyntheticSettings) -> float:
        """How far the mean colour of the edge is from the nearest colour of the background, over samples."""
        distances, generator = [], make(settings)
        for index in range(24):
            sample = generator.sample(index)
            edge = sample.alpha * (1 - sample.alpha) + 1e-6
            mean = (sample.foreground * edge[..., None]).sum((0, 1)) / edge.sum()
            distances.append(np.linalg.norm(sample.background.reshape(-1, 3) - mean, axis=1).min())
        return float(np.mean(distances))

    assert apart(replace(plain, shared_colors=1)) < 0.5 * apart(plain)


def test_defocus_makes_edges_wide_and_keeps_what_is_covered() -> None:
    sharp = SyntheticSettings(
        size=96, element_size=128, window=4, camera=0, similar_colors=0, second_foreground=0, alpha_gamma=0
    )
    unsharp, slopes, lights = make(replace(sharp, defocus=1)), [], []
    for index in range(24):
        before, after = make(sharp).sample(index), unsharp.sample(index)
        slopes.append([np.abs(np.diff(sample.alpha, axis=1)).max() for sample in (before, after)])
        assert abs(after.alpha.mean() - before.alpha.mean()) < 0.05
        thin, thick = (after.alpha > 0.02) & (after.alpha < 0.2), after.alpha > 0.8
        if thin.any() and thick.any():
            lights.append([after.foreground[where].mean() for where in (thin, thick)])
    before, after = np.mean(slopes, axis=0)
    assert after < 0.4 * before
    thin, thick = np.mean(lights, axis=0)
    assert abs(thin / thick - 1) < 0.1  # colours are not darkened where the foreground ends


def test_defocused_alpha_stays_a_number_when_it_is_changed_by_a_power() -> None:
    both = make(SyntheticSettings(size=96, element_size=128, window=4, defocus=1, alpha_gamma=1))
    # A blur of ones may give a little more than one, and what is left of that has no power.
    assert all(np.isfinite(both.sample(index).alpha).all() for index in range(24))


def test_the_color_near_an_edge_is_one_of_the_picture() -> None:
    color = np.zeros((80, 80, 3), np.float32)
    color[:, 40:] = (1, 0.5, 0.25)
    edge = np.zeros((80, 80), np.float32)
    edge[40, 75] = 1
    found = np.array([color_near_edge(np.random.default_rng(seed), color, edge.ravel()) for seed in range(40)])
    assert (found >= 0).all()
    assert (found <= (1, 0.5, 0.25)).all()
    assert 0.6 < found[:, 0].mean() < 1


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(DataError, match=r"/nowhere/photos does not exist; name an existing folder"):
        make(SyntheticSettings(photos=("/nowhere/photos",)))


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no picture"):
        make(SyntheticSettings(cutouts=(str(tmp_path),)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jpeg": 1.5}, "jpeg is 1.5; give a probability"),
        ({"size": 8}, "size is 8; give 32 to 1024"),
        ({"element_size": 64}, "element_size is 64; give at least 128"),
        ({"shared_colors": -0.5}, "shared_colors is -0.5; give a probability"),
        ({"window": 0}, "window is 0 and renewal 40"),
    ],
)
def test_unusable_settings_are_named(changes: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        SyntheticSettings(**changes)  # type: ignore[arg-type]


def test_the_contact_sheet_shows_four_pictures_a_row() -> None:
    sheet = contact_sheet(make(), 2)
    assert sheet.shape == (128, 256, 3)
    assert sheet.dtype == np.uint8
