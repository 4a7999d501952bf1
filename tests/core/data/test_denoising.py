"""Denoised copies for RSSN."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gossamer.data.denoising import denoise, denoise_files, estimate_noise
from gossamer.errors import DataError, SettingError
from gossamer.image.image import FloatArray


def picture() -> FloatArray:
    """Soft shades with two hard edges."""
    y, x = np.mgrid[:80, :90]
    shade = 0.5 + 0.25 * np.sin(x / 20) + 0.2 * (y > 30) - 0.2 * (x > 60)
    return np.asarray(np.stack([shade, 0.8 * shade, 0.5 * shade + 0.2], axis=-1), np.float32)


def with_noise(sigma: float) -> FloatArray:
    noise = np.random.default_rng(1).normal(0, sigma, picture().shape)
    return np.asarray((picture() + noise).clip(0, 1), np.float32)


@pytest.mark.parametrize("sigma", [3 / 255, 10 / 255])
def test_noise_is_estimated(sigma: float) -> None:
    assert estimate_noise(with_noise(sigma)) == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("sigma", [None, 8 / 255])
def test_noise_is_reduced_to_less_than_half(sigma: float | None) -> None:
    noisy = with_noise(8 / 255)
    before, after = (np.sqrt(np.mean((pixels - picture()) ** 2)) for pixels in (noisy, denoise(noisy, sigma=sigma)))
    assert after < before / 2


def test_a_clean_picture_is_only_rounded() -> None:
    np.testing.assert_allclose(denoise(picture(), sigma=0), picture(), atol=0.51 / 255)


def test_copies_are_written_once(tmp_path: Path) -> None:
    (tmp_path / "fg").mkdir()
    path = tmp_path / "fg" / "a.jpg"
    cv2.imwrite(str(path), np.rint(with_noise(8 / 255) * 255).astype(np.uint8))
    assert denoise_files([path], tmp_path / "fg_denoise").written == 1
    assert denoise_files([path], tmp_path / "fg_denoise").kept == 1
    copy = cv2.imread(str(tmp_path / "fg_denoise" / "a.png"))
    assert copy is not None
    assert estimate_noise(np.asarray(copy, np.float32) / np.float32(255)) < 4 / 255


def test_copies_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"these stems occur twice: a\."):
        denoise_files([tmp_path / "a.jpg", tmp_path / "a.png"], tmp_path / "out")


def test_originals_are_never_written_over(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="holds the originals"):
        denoise_files([tmp_path / "a.png"], tmp_path)
