"""Previews."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import ImageReadError, SettingError
from gossamer.image.color import SRGB, to_scene_linear
from gossamer.image.comp import BACKDROPS, comp_preview, rgb_pixels
from gossamer.image.image import FloatArray, Image, Window
from gossamer.image.io import read_image, write_image


def _flat(value: float, height: int = 8, width: int = 16) -> FloatArray:
    return np.full((height, width, 3), value, np.float32)


def _alpha(value: float, height: int = 8, width: int = 16) -> FloatArray:
    return np.full((height, width), value, np.float32)


@pytest.mark.parametrize(("backdrop", "code"), [("grey", 118), ("black", 0), ("white", 255)])
def test_alpha_zero_shows_the_backdrop(backdrop: str, code: int) -> None:
    """Grey is 18 %; white is white, though highlights of the foreground are rolled off."""
    image = comp_preview(_flat(0.5), _alpha(0), backdrop)
    assert np.rint(image.pixels * 255).tolist() == np.full((8, 16, 3), code).tolist()


def test_green_is_green() -> None:
    red, green, blue = comp_preview(_flat(0.5), _alpha(0), "green").pixels[0, 0]
    assert green > 0.6 > 0.3 > blue > red


def test_a_checker_has_two_greys_and_scales_with_the_picture() -> None:
    image = comp_preview(_flat(0, 200, 1920), _alpha(0, 200, 1920), "checker")
    row = image.pixels[0, :, 0]
    assert len(np.unique(row)) == 2
    assert (np.flatnonzero(np.diff(row)) + 1).tolist() == list(range(32, 1920, 32))
    small = comp_preview(_flat(0, 20, 960), _alpha(0, 20, 960), "checker").pixels[0, :, 0]
    assert (np.flatnonzero(np.diff(small)) + 1).tolist() == list(range(16, 960, 16))


def test_light_is_mixed_linearly() -> None:
    image = comp_preview(_flat(0.5), _alpha(0.5), "black")
    linear = to_scene_linear(image.pixels, SRGB)
    assert np.abs(linear - 0.25).max() < 1e-4


def test_a_solid_srgb_plate_comes_back_as_it_was() -> None:
    codes = np.arange(256, dtype=np.float32).repeat(3).reshape(16, 16, 3) / np.float32(255)
    image = comp_preview(to_scene_linear(codes, SRGB), _alpha(1, 16, 16), "grey", display_referred=True)
    assert np.array_equal(np.rint(image.pixels * 255), np.rint(codes * 255))


def test_the_preview_is_the_frame_not_the_overscan() -> None:
    foreground = _flat(0.2, 6, 8)
    foreground[1:5, 2:6] = 0.6
    image = comp_preview(
        foreground, _alpha(1, 6, 8), "black", data_window=Window(-2, -1, 8, 6), display_window=Window(0, 0, 4, 4)
    )
    assert image.pixels.shape == (4, 4, 3)
    assert len(np.unique(image.pixels)) == 1
    assert image.display_window == Window(0, 0, 4, 4)


def test_beyond_a_cropped_data_window_the_backdrop_shows() -> None:
    for data, lit in ((Window(1, 1, 2, 2), 4), (Window(3, 3, 2, 2), 1), (Window(10, 10, 2, 2), 0)):
        image = comp_preview(
            _flat(0.5, 2, 2), _alpha(1, 2, 2), "black", data_window=data, display_window=Window(0, 0, 4, 4)
        )
        assert (image.pixels[..., 0] > 0).sum() == lit


def test_broken_pixels_and_highlights_are_shown_without_trouble() -> None:
    foreground = _flat(500.0)
    foreground[0, 0] = np.nan
    image = comp_preview(foreground, _alpha(1), "black")
    assert np.isfinite(image.pixels).all()
    assert image.pixels.max() <= 1
    assert image.pixels[0, 0].max() == 0


def test_a_picture_covers_the_frame_around_its_middle(tmp_path: Path) -> None:
    picture = np.zeros((10, 40, 3), np.float32)
    picture[:, 15:25] = 1.0
    write_image(tmp_path / "b g.png", Image.from_pixels(picture, tuple("RGB")), data_type="uint8")
    image = comp_preview(_flat(0, 20, 20), _alpha(0, 20, 20), str(tmp_path / "b g.png"), display_referred=True)
    assert image.pixels.shape == (20, 20, 3)
    assert image.pixels[:, 2:18].min() == pytest.approx(1, abs=1e-5)


def test_a_large_backdrop_is_reduced(tmp_path: Path, save: Callable[..., Path]) -> None:
    path = save(tmp_path / "b.png", height=100, width=90)
    image = comp_preview(_flat(0, 7, 5), _alpha(0, 7, 5), str(path))
    assert image.pixels.shape == (7, 5, 3)
    assert image.pixels.std() < 0.1


def test_an_unknown_backdrop_lists_the_known_ones() -> None:
    with pytest.raises(SettingError, match="--comp 'pink' is neither a file nor one of " + ", ".join(BACKDROPS)):
        comp_preview(_flat(0), _alpha(0), "pink")


def test_a_broken_backdrop_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"nonsense")
    with pytest.raises(ImageReadError, match=r"b\.png cannot be opened"):
        comp_preview(_flat(0), _alpha(0), str(tmp_path / "b.png"))


def test_a_preview_is_written_as_png(tmp_path: Path) -> None:
    write_image(tmp_path / "p.png", comp_preview(_flat(0.5), _alpha(0.3), "checker"), data_type="uint8")
    assert read_image(tmp_path / "p.png").pixels.shape == (8, 16, 3)


def test_grey_plates_give_three_channels(picture: Callable[..., Image]) -> None:
    grey = picture(3, 4, "YA")
    assert np.array_equal(rgb_pixels(grey), grey.pixels[..., [0, 0, 0]])
    assert np.array_equal(rgb_pixels(picture(3, 4, "ABGR")), picture(3, 4, "ABGR").pixels[..., [3, 2, 1]])
