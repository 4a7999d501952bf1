"""Reading windows and adding up tiles."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.image.image import Window
from gossamer.inference.merging import TileMerger, read_window
from gossamer.inference.tiling import FEATHER, plan_tiles


def test_a_window_inside_is_a_copy_of_the_pixels() -> None:
    picture = np.arange(60, dtype=np.float32).reshape(6, 10)
    part = read_window(picture, Window(2, 1, 3, 4))
    assert np.array_equal(part, picture[1:5, 2:5])
    part[:] = 0
    assert picture[1, 2] == 12


def test_outside_the_picture_is_reflected_without_repeating_the_edge() -> None:
    picture = np.arange(5, dtype=np.float32)[None, :].repeat(3, axis=0)
    part = read_window(picture, Window(-3, 0, 11, 3))
    assert part[0].tolist() == [3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2)])
def test_a_tiny_picture_fills_any_window(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((*size, 3), np.float32)
    part = read_window(picture, Window(-32, -32, 64, 64))
    assert part.shape == (64, 64, 3)
    assert np.array_equal(part[32, 32], picture[0, 0])


def test_merged_tiles_of_one_picture_give_that_picture() -> None:
    picture = np.random.default_rng(0).random((300, 400), np.float32)
    unknown = np.random.default_rng(1).random((300, 400)) < 0.2
    merger = TileMerger(300, 400)
    for tile in plan_tiles(np.where(unknown, 0.5, 0).astype(np.float32), multiple_of=16, margin=8, tile=64):
        merger.add(tile, read_window(picture, tile.window))
    assert np.allclose(merger.at(unknown), picture[unknown], atol=1e-6)


def test_the_passage_between_two_tiles_is_a_smooth_ramp() -> None:
    unknown = np.ones((64, 512), bool)
    merger = TileMerger(64, 512)
    tiles = plan_tiles(np.where(unknown, 0.5, 0).astype(np.float32), multiple_of=16, margin=8, tile=64)
    for index, tile in enumerate(tiles):
        merger.add(tile, np.full((tile.window.height, tile.window.width), index % 2, np.float32))
    merged = merger.at(unknown).reshape(64, 512)
    assert merged.max() == 1
    assert merged.min() == 0
    assert np.abs(np.diff(merged, axis=1)).max() < 1.2 / FEATHER
