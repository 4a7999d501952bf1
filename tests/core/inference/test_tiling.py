"""Which tiles are planned for which unknown pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gossamer.image.image import FloatArray, Window
from gossamer.inference.tiling import MAX_WINDOW_AREA, Tile, plan_tiles


def holds(outer: Window, inner: Window) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and outer.x + outer.width >= inner.x + inner.width
        and outer.y + outer.height >= inner.y + inner.height
    )


def unknown_trimap(unknown: NDArray[np.bool_]) -> FloatArray:
    """Unknown pixels, background elsewhere."""
    return np.where(unknown, 0.5, 0.0).astype(np.float32)


def pixels_read(tiles: list[Tile]) -> int:
    return sum(tile.window.width * tile.window.height for tile in tiles)


def ring(size: int, radius: int, width: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size] - size // 2
    return np.asarray(np.abs(np.hypot(x, y) - radius) < width / 2)


def test_nothing_unknown_needs_no_tile() -> None:
    assert plan_tiles(unknown_trimap(np.zeros((50, 70), bool)), multiple_of=32, margin=16) == []


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    multiple_of=st.sampled_from([1, 4, 14, 32]),
    margin=st.integers(0, 80),
    tile=st.sampled_from([0, 64, 100]),
    origin=st.tuples(st.integers(-70, 70), st.integers(-70, 70)),
    density=st.sampled_from([0.0005, 0.01, 1.0]),
    seed=st.integers(0, 5),
)
def test_cores_hold_every_unknown_pixel_and_windows_their_margin(
    height: int,
    width: int,
    multiple_of: int,
    margin: int,
    tile: int,
    origin: tuple[int, int],
    density: float,
    seed: int,
) -> None:
    unknown = np.random.default_rng(seed).random((height, width)) < density
    tiles = plan_tiles(unknown_trimap(unknown), multiple_of=multiple_of, margin=margin, tile=tile, origin=origin)
    left = unknown.copy()
    for one in tiles:
        core, window = one.core, one.window
        left[max(core.y, 0) : core.y + core.height, max(core.x, 0) : core.x + core.width] = False
        assert window.width % multiple_of == 0
        assert window.height % multiple_of == 0
        assert (window.x + origin[0]) % multiple_of == 0
        assert (window.y + origin[1]) % multiple_of == 0
        inside = Window(max(core.x - margin, 0), max(core.y - margin, 0), 0, 0)
        right, bottom = min(core.x + core.width + margin, width), min(core.y + core.height + margin, height)
        assert holds(window, Window(inside.x, inside.y, right - inside.x, bottom - inside.y))
        if tile:
            assert max(core.width, core.height) <= tile
    assert not left.any()


def test_the_cost_follows_the_band_and_not_the_picture() -> None:
    band = ring(600, 200, 20)
    small = pixels_read(plan_tiles(unknown_trimap(band), multiple_of=32, margin=32))
    placed = np.zeros((4000, 4000), bool)
    placed[1600:2200, 1600:2200] = band
    large = pixels_read(plan_tiles(unknown_trimap(placed), multiple_of=32, margin=32))
    assert large <= 1.1 * small
    thin = np.zeros((2160, 3840), bool)
    thin[1000:1020, 200:3600] = True
    assert pixels_read(plan_tiles(unknown_trimap(thin), multiple_of=32, margin=32)) < 0.06 * thin.size


def test_a_wider_band_costs_more() -> None:
    costs = [
        pixels_read(plan_tiles(unknown_trimap(ring(2000, 700, w)), multiple_of=32, margin=32))
        for w in (8, 64, 256, 600)
    ]
    assert costs == sorted(costs)
    assert costs[-1] > 1.5 * costs[0]


def test_all_unknown_costs_little_more_than_the_picture() -> None:
    everything = np.ones((2160, 3840), bool)
    tiles = plan_tiles(unknown_trimap(everything), multiple_of=32, margin=32)
    assert pixels_read(tiles) < 1.4 * everything.size
    assert all(tile.window.width * tile.window.height <= 1.15 * MAX_WINDOW_AREA for tile in tiles)


def test_never_more_than_one_pass_over_the_picture_where_one_is_allowed() -> None:
    specks = np.random.default_rng(0).random((600, 800)) < 0.001
    assert pixels_read(plan_tiles(unknown_trimap(specks), multiple_of=32, margin=200)) <= 672 * 864


def test_tiles_are_anchored_to_the_display_window() -> None:
    unknown = ring(700, 250, 60)
    plain = plan_tiles(unknown_trimap(unknown), multiple_of=32, margin=32, tile=200)
    overscan = np.pad(unknown, ((24, 24), (40, 40)))  # the data window starts at -40, -24 of the display window
    moved = plan_tiles(unknown_trimap(overscan), multiple_of=32, margin=32, tile=200, origin=(-40, -24))
    cores = [Window(t.core.x - 40, t.core.y - 24, t.core.width, t.core.height) for t in moved]
    assert cores == [tile.core for tile in plain]


def test_a_very_wide_margin_still_gives_small_cores() -> None:
    tiles = plan_tiles(unknown_trimap(np.ones((2000, 2000), bool)), multiple_of=32, margin=700)
    assert all(tile.core.width <= 1024 for tile in tiles)


@pytest.mark.parametrize("tile", [0, 64])
def test_the_plan_is_the_same_every_time(tile: int) -> None:
    unknown = ring(900, 300, 50)
    first = plan_tiles(unknown_trimap(unknown), multiple_of=32, margin=48, tile=tile)
    assert all(
        plan_tiles(unknown_trimap(unknown.copy()), multiple_of=32, margin=48, tile=tile) == first for _ in range(3)
    )


def test_an_island_inside_the_subject_is_read_with_a_look_at_the_background() -> None:
    trimap = np.zeros((800, 800), np.float32)
    trimap[100:700, 100:700] = 1
    trimap[300:320, 250:270] = 0.5  # 150 pixels from the nearest background
    (tile,) = plan_tiles(trimap, multiple_of=32, margin=48)
    window = tile.window
    assert (trimap[window.y : window.y + window.height, window.x : window.x + window.width] == 0).any()
    trimap[:100] = trimap[700:] = 1
    trimap[:, :100] = trimap[:, 700:] = 1  # no background at all: nothing to look for
    (tile,) = plan_tiles(trimap, multiple_of=32, margin=48)
    assert tile.window.width <= 20 + 2 * 48 + 2 * 32 + 8


def test_seams_keep_out_of_wide_unknown_areas_where_that_is_cheap() -> None:
    unknown = np.zeros((400, 1200), bool)
    unknown[180:220] = True  # a thin band through a grid line ...
    unknown[60:340, 900:1150] = True  # ... and a wide area across the next
    tiles = plan_tiles(unknown_trimap(unknown), multiple_of=32, margin=32)
    for tile in tiles:
        for edge in (tile.core.x, tile.core.x + tile.core.width):
            assert not 900 < edge < 1150


def test_no_window_is_longer_than_the_network_can_read() -> None:
    trimap = np.full((700, 1500), 0.5, np.float32)
    trimap[:350, :300], trimap[350:, :300] = 0, 1
    tiles = plan_tiles(trimap, multiple_of=32, margin=48, largest_side=512)
    assert max(max(tile.window.width, tile.window.height) for tile in tiles) <= 512
    covered = np.zeros(trimap.shape, bool)
    for tile in tiles:
        core = tile.core
        covered[max(core.y, 0) : core.y + core.height, max(core.x, 0) : core.x + core.width] = True
    assert covered[trimap == 0.5].all()
