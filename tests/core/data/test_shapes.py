"""Outlines of bodies, and openings in them."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.data import pool
from gossamer.data.pool import render_element
from gossamer.data.shapes import random_gaps


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


def test_some_elements_show_what_is_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(rng: np.random.Generator, alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return random_gaps(rng, alpha) * 0

    seeds = range(30)
    opened = [render_element(np.random.default_rng(seed), 128).layers[..., -1] for seed in seeds]
    monkeypatch.setattr(pool, "random_gaps", closed)
    whole = [render_element(np.random.default_rng(seed), 128).layers[..., -1] for seed in seeds]
    assert all((a <= b).all() for a, b in zip(opened, whole, strict=True))
    assert 3 <= sum((a < b).any() for a, b in zip(opened, whole, strict=True)) <= 20
