"""GFM's crops with their maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.data.gfm_samples import GfmCrop, crop_gfm_sample
from gossamer.data.rssn import Composition
from gossamer.errors import SettingError
from gossamer.image.image import FloatArray

SMALL = GfmCrop(sides=(48, 64), fallback=40, output=32)


def scene(height: int = 120, width: int = 150) -> tuple[Composition, FloatArray]:
    """A soft edge in the middle column; the plate's channels are row, column and alpha."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    alpha = np.clip((x - width / 2) / 10 + 0.5, 0, 1)
    plate = np.stack([y / height, x / width, alpha], axis=-1).astype(np.float32)
    return Composition(plate, plate, plate), np.asarray(alpha, np.float32)


def test_a_sample_has_every_map_at_the_output_size() -> None:
    sample = crop_gfm_sample(np.random.default_rng(0), *scene(), SMALL)
    assert {plane.shape[:2] for plane in sample} == {(32, 32)}
    assert {plane.dtype for plane in sample} == {np.dtype(np.float32)}
    assert sample.plate.shape == (32, 32, 3)


def test_maps_hold_no_values_between_their_classes() -> None:
    generator = np.random.default_rng(0)
    for _ in range(10):
        sample = crop_gfm_sample(generator, *scene(), SMALL)
        assert set(np.unique(sample.trimap)) <= {0, 0.5, 1}
        assert set(np.unique(sample.dilation)) | set(np.unique(sample.erosion)) <= {0, 1}


def test_all_planes_show_the_same_pixels() -> None:
    generator = np.random.default_rng(1)
    for _ in range(10):
        sample = crop_gfm_sample(generator, *scene(), SMALL)
        np.testing.assert_allclose(sample.plate[..., 2], sample.alpha, atol=1e-6)


def test_half_of_the_crops_are_mirrored() -> None:
    generator = np.random.default_rng(2)
    mirrored = [crop_gfm_sample(generator, *scene(), SMALL).plate[0, :, 1] for _ in range(100)]
    share = np.mean([row[0] > row[-1] for row in mirrored])
    assert 0.35 < share < 0.65


def test_a_transition_crop_is_centred_on_an_unknown_pixel() -> None:
    generator = np.random.default_rng(3)
    crop = replace(SMALL, transition=1.0)
    for _ in range(20):
        middle = crop_gfm_sample(generator, *scene(), crop).trimap[15:17, 15:17]
        assert (middle == 0.5).any()


def test_the_published_anchor_puts_the_pixel_in_the_corner() -> None:
    composition, alpha = scene(300, 300)
    generator = np.random.default_rng(4)
    crop = replace(SMALL, transition=1.0, anchor="corner")
    corners = []
    for _ in range(30):
        sample = crop_gfm_sample(generator, composition, alpha, crop)
        columns = sample.plate[0, :, 1]
        corners.append(sample.trimap[0, 0] if columns[0] < columns[-1] else sample.trimap[0, -1])
    assert np.mean(np.array(corners) == 0.5) > 0.8


@pytest.mark.parametrize(("size", "expected"), [((60, 60), 40), ((20, 30), 20), ((1, 5), 1)])
def test_a_small_picture_falls_back(size: tuple[int, int], expected: int) -> None:
    composition, alpha = scene(*size)
    sample = crop_gfm_sample(np.random.default_rng(0), composition, alpha, replace(SMALL, sides=(64,)))
    rows = sample.plate[..., 0] * size[0]
    assert rows.max() - rows.min() <= expected - 1 + 1e-3
    assert rows.max() - rows.min() >= expected - 2


def test_a_picture_without_a_transition_is_cropped_anywhere() -> None:
    composition, alpha = scene()
    sample = crop_gfm_sample(np.random.default_rng(0), composition, np.ones_like(alpha), SMALL)
    assert (sample.trimap == 1).all()


@pytest.mark.parametrize("setting", [{"sides": ()}, {"fallback": 0}, {"output": 0}])
def test_a_crop_without_pixels_is_refused(setting: dict[str, int]) -> None:
    with pytest.raises(SettingError, match="sides of 1 pixel at least"):
        replace(SMALL, **setting)  # type: ignore[arg-type]
