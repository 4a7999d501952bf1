"""Noise, bodies, colours and camera."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.data.camera import compress_jpeg, random_tone, record
from gossamer.data.colors import crop_photo, match_mean, paint, random_background, to_encoded, to_linear
from gossamer.data.photos import PhotoLibrary
from gossamer.data.shapes import fill_outlines, inflate, outward_normals, random_body
from gossamer.data.textures import colored_texture, fractal_noise, random_color, shaded_gradient, unit_range

NO_PHOTOS = PhotoLibrary([])


def test_noise_has_zero_mean_and_about_unit_variance() -> None:
    fields = [fractal_noise(np.random.default_rng(seed), 64, 96, cells=8, octaves=3) for seed in range(20)]
    assert fields[0].shape == (64, 96)
    assert np.mean(fields) == pytest.approx(0, abs=0.1)
    assert np.std(fields) == pytest.approx(1, abs=0.25)


def test_unit_range_stretches_to_zero_and_one() -> None:
    field = unit_range(np.array([[2.0, 4.0], [3.0, 2.5]], np.float32))
    assert (field.min(), field.max()) == (0, 1)
    assert (unit_range(np.full((2, 2), 7, np.float32)) == 0.5).all()


def test_textures_gradients_and_colors_stay_in_range() -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        for picture in (colored_texture(rng, 40, 56), shaded_gradient(rng, 40, 56), random_color(rng)):
            assert picture.shape[-1] == 3
            assert picture.min() >= 0
            assert picture.max() <= 1


def test_a_filled_square_covers_its_area() -> None:
    square = np.array([[9.5, 9.5], [29.5, 9.5], [29.5, 19.5], [9.5, 19.5]])
    # OpenCV's polygons include their border: a third of a pixel more each way.
    assert fill_outlines([square], 48).sum() / 255 == pytest.approx(20.33 * 10.33, rel=0.01)


def test_bodies_fill_a_good_part_of_the_picture_on_average() -> None:
    shares = [(fill_outlines(random_body(np.random.default_rng(k), 96), 96) > 127).mean() for k in range(30)]
    assert 0.1 < np.mean(shares) < 0.6


def test_normals_of_a_disc_lead_outwards() -> None:
    angle = np.linspace(0, 6.28, 60)
    mask = fill_outlines([64 + 30 * np.stack([np.cos(angle), np.sin(angle)], 1)], 128)
    normals = outward_normals(mask, 8)
    assert normals[16, 24].tolist() == pytest.approx([1, 0], abs=0.15)
    assert normals[8, 16].tolist() == pytest.approx([0, -1], abs=0.15)
    shading = inflate(np.random.default_rng(0), mask)
    assert shading.shape == (128, 128)
    assert 0 <= shading.min() <= shading.max() <= 1


def test_encoding_is_undone_by_decoding() -> None:
    values = np.linspace(0, 1, 500, dtype=np.float32)
    np.testing.assert_allclose(to_encoded(to_linear(values)), values, atol=1e-3)
    assert to_linear(np.array([0.5], np.float32))[0] == pytest.approx(0.2140, abs=2e-4)


def test_foregrounds_and_backgrounds_need_no_photograph() -> None:
    field = np.full((48, 48), 0.5, np.float32)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        for picture in (paint(rng, field, field, NO_PHOTOS), random_background(rng, 48, NO_PHOTOS)):
            assert picture.shape == (48, 48, 3)
            assert picture.dtype == np.float32
            assert 0 <= picture.min() <= picture.max() <= 1


def test_a_photograph_is_cropped_without_leaving_it() -> None:
    photo = np.full((200, 300, 3), 100, np.uint8)
    piece = crop_photo(np.random.default_rng(0), photo, 64)
    np.testing.assert_allclose(piece, 100 / 255, atol=1e-6)


def test_matching_moves_the_weighted_mean() -> None:
    color = np.full((4, 4, 3), 0.3, np.float32)
    target = np.array([0.5, 0.3, 0.1], np.float32)
    moved = match_mean(color, np.ones((4, 4), np.float32), target, 0.5)
    np.testing.assert_allclose(moved[0, 0], [0.4, 0.3, 0.2], atol=1e-6)
    np.testing.assert_array_equal(match_mean(color, np.zeros((4, 4), np.float32), target, 0.5), color)


def test_tone_keeps_the_order_of_values() -> None:
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[:, None, None], 3, axis=2)
    for seed in range(12):
        toned = random_tone(np.random.default_rng(seed))(ramp)
        assert (np.diff(toned, axis=0) >= 0).all()
        assert 0 <= toned.min() <= toned.max() <= 1


def test_the_camera_changes_a_flat_picture_only_a_little() -> None:
    plate = np.full((64, 64, 3), 0.4, np.float32)
    for seed in range(12):
        picture = record(np.random.default_rng(seed), plate, jpeg=0.5)
        assert picture.dtype == np.uint8
        assert abs(picture.mean() / 255 - 0.4) < 0.01
        assert picture.std() / 255 < 0.05


def test_jpeg_with_half_resolution_chroma_blurs_color_not_light() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 60, 60), (60, 118, 60)
    full, half = (compress_jpeg(stripes, 97, subsample=choice).astype(int) for choice in (False, True))
    assert np.abs(half - stripes).mean() > 2 * np.abs(full - stripes).mean()
