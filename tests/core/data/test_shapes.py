"""Outlines of bodies, openings in them, and their edges."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.data import fur, pool
from gossamer.data.fur import render_fur
from gossamer.data.pool import render_element
from gossamer.data.shapes import inflate, outward_normals, random_gaps
from gossamer.data.strands import Tuft
from gossamer.data.surfaces import render_solid


def disc(size: int = 128, radius: int = 50) -> NDArray[np.uint8]:
    y, x = np.mgrid[:size, :size] - size / 2
    return np.where(np.hypot(x, y) < radius, 255, 0).astype(np.uint8)


def test_an_opening_begins_inside_of_the_body() -> None:
    body = disc()
    for seed in range(20):
        gaps = random_gaps(np.random.default_rng(seed), body)
        assert gaps.shape == body.shape
        count, _, _, middle = cv2.connectedComponentsWithStats((gaps > 0).astype(np.uint8))
        assert count > 1
        assert all(body[round(y), round(x)] == 255 for x, y in middle[1:])


def test_openings_depend_on_the_seed_only() -> None:
    one, again, other = (random_gaps(np.random.default_rng(seed), disc()) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_what_is_nowhere_opaque_stays_closed() -> None:
    assert not random_gaps(np.random.default_rng(0), np.full((64, 64), 128, np.uint8)).any()


@pytest.mark.parametrize("value", [0, 255])
def test_a_body_that_fills_the_square_or_none_has_no_outline_to_be_shaded_or_combed_by(value: int) -> None:
    mask = np.full((128, 128), value, np.uint8)
    assert not outward_normals(mask, blur=20.0).any()
    shade = inflate(np.random.default_rng(0), mask)
    assert np.isfinite(shade).all()
    assert 0 <= shade.min() <= shade.max() <= 1


def test_fur_on_a_body_that_fills_the_square_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strands to nowhere, as directions that are no numbers made them, kept OpenCV drawing for ever."""
    drawn = []

    def draw(canvas: NDArray[np.uint8], tuft: Tuft) -> None:
        drawn.append(tuft)
        assert np.isfinite(tuft.points).all()

    monkeypatch.setattr(fur, "random_body", lambda _rng, size: [size * np.array([[-1, -1], [2, -1], [2, 2], [-1, 2]])])
    monkeypatch.setattr(fur, "draw_strands", draw)
    assert render_fur(np.random.default_rng(0), 128).layers[..., -1].min() == 255
    assert drawn


def test_some_elements_show_what_is_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(rng: np.random.Generator, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return random_gaps(rng, alpha) * 0

    seeds = range(30)
    opened = [render_element(np.random.default_rng(seed), 128).layers[..., -1] for seed in seeds]
    monkeypatch.setattr(pool, "random_gaps", closed)
    whole = [render_element(np.random.default_rng(seed), 128).layers[..., -1] for seed in seeds]
    assert all((a <= b).all() for a, b in zip(opened, whole, strict=True))
    assert 3 <= sum((a < b).any() for a, b in zip(opened, whole, strict=True)) <= 20


def test_edges_are_sharp_or_out_of_focus_by_up_to_dozens_of_pixels() -> None:
    """A network that never sees wide soft edges of smooth bodies makes them opaque."""
    steepest = []
    for seed in range(50):
        alpha = render_solid(np.random.default_rng(seed), 256).layers[..., -1].astype(np.int16)
        steepest.append(max(np.abs(np.diff(alpha, axis=axis)).max() for axis in (0, 1)))
    widths = 255 / np.array(steepest)
    assert (widths < 2).sum() > 20
    assert (widths > 8).sum() >= 5
    assert widths.max() > 20
