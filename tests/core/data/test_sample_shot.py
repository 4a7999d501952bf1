from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gossamer
from gossamer.data.sample_shot import FIRST_FRAME, FRAME_COUNT, HEIGHT, WIDTH, SampleFrame, render_frame
from gossamer.image.io import read_image

SHIPPED = Path(gossamer.__file__).parents[1] / "sample"
"""core/sample of the repository; the package is installed from there for tests."""


@pytest.fixture(scope="module")
def first() -> SampleFrame:
    return render_frame(FIRST_FRAME)


def test_the_first_frame_regenerates_identically(first: SampleFrame) -> None:
    # Half float, and nothing else, lies between them. Other builds of OpenCV may round a pixel of a line differently.
    plate = read_image(SHIPPED / f"fur.{FIRST_FRAME}.exr").pixels
    alpha = read_image(SHIPPED / f"alpha.{FIRST_FRAME}.exr").pixels[..., 0]
    trimap = read_image(SHIPPED / f"trimap.{FIRST_FRAME}.png").pixels[..., 0]
    assert (np.abs(plate - first.plate) <= 1e-6 + first.plate * 2**-10).mean() > 0.999
    assert (np.abs(alpha - first.alpha) <= 2**-11).mean() > 0.999
    assert (np.round(trimap * 255) == first.trimap).mean() > 0.999


def test_every_frame_is_shipped_with_trimap_and_alpha() -> None:
    for frame in range(FIRST_FRAME, FIRST_FRAME + FRAME_COUNT):
        for name in (f"fur.{frame}.exr", f"trimap.{frame}.png", f"alpha.{frame}.exr"):
            pixels = read_image(SHIPPED / name).pixels
            assert pixels.shape[:2] == (HEIGHT, WIDTH)
            assert np.isfinite(pixels).all()


def test_the_shot_stays_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 6_000_000


def test_known_pixels_of_the_trimap_are_exact(first: SampleFrame) -> None:
    assert (first.alpha[first.trimap == 255] == 1).all()
    assert (first.alpha[first.trimap == 0] == 0).all()
    assert {0, 128, 255} == set(np.unique(first.trimap))


def test_the_shot_has_hair_finer_than_a_pixel(first: SampleFrame) -> None:
    mixed = (first.alpha > 0.05) & (first.alpha < 0.95)
    assert 0.02 < mixed.mean() < 0.3
