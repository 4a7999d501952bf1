"""Pixels of like colour draw each other's alpha together; what is known, far away or unlike has no say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.errors import CancelledError, SettingError
from gossamer.image.image import FloatArray
from gossamer.inference import nonlocal_mean as module
from gossamer.inference.nonlocal_mean import NEIGHBOURS, REACH, grid_step, nonlocal_mean
from gossamer.inference.solver import create_solver
from gossamer.models.registry import list_models, model_entry

BoolArray = NDArray[np.bool_]
RED, BLUE = np.array([0.8, 0.2, 0.1], np.float32), np.array([0.1, 0.2, 0.7], np.float32)


def striped(height: int, width: int, seed: int = 3) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Plate, alpha and unknown pixels: red stripes, 8 pixels wide, are opaque, blue ones between them clear."""
    columns = np.arange(width) // 8 % 2 == 0
    alpha = np.broadcast_to(columns.astype(np.float32), (height, width)).copy()
    noise = np.random.default_rng(seed).normal(0, 0.01, (height, width, 3)).astype(np.float32)
    plate = np.clip(np.where(columns[None, :, None], RED, BLUE) + noise, 0, 1).astype(np.float32)
    unknown = np.zeros((height, width), np.bool_)
    unknown[height // 4 : -height // 4, width // 4 : -width // 4] = True
    return plate, alpha, unknown


def wronged(alpha: FloatArray, seed: int) -> FloatArray:
    """The matte with an error of its own in every square of 5 pixels."""
    height, width = alpha.shape
    errors = np.random.default_rng(seed).normal(0, 0.25, (-(-height // 5), -(-width // 5)))
    return np.clip(alpha + errors.repeat(5, 0).repeat(5, 1)[:height, :width], 0, 1).astype(np.float32)


def test_what_is_answered_unlike_its_like_is_drawn_to_them() -> None:
    plate, alpha, unknown = striped(96, 128)
    wrong = alpha.copy()
    hit = np.zeros_like(unknown)
    hit[40:44, 60:68] = True  # a red and a blue piece
    wrong[hit] = 0.5
    settled = nonlocal_mean(plate, wrong, unknown)
    before, after = np.abs(wrong - alpha)[hit], np.abs(settled - alpha)[hit]
    opaque = alpha[hit] == 1
    assert after[~opaque].max() < 0.4 * before.max()  # towards clear three quarters of the way
    assert after[opaque].max() < 0.7 * before.max()  # towards opaque nearly half
    assert np.abs(settled - alpha)[unknown & ~hit].max() < 0.1


def test_what_is_plainly_solid_gets_no_specks() -> None:
    """A blue patch on the body, blue being clear everywhere else."""
    plate, alpha, unknown = striped(96, 128)
    body = np.zeros(unknown.shape, np.bool_)
    body[40:52, 40:72] = True
    alpha[body] = 1
    settled = nonlocal_mean(plate, alpha, unknown)
    inside = np.zeros_like(body)
    inside[41:51, 41:71] = True
    assert np.array_equal(settled[inside], alpha[inside])


def test_known_pixels_and_the_argument_stay() -> None:
    plate, alpha, unknown = striped(64, 96)
    noisy = wronged(alpha, 1)
    kept = noisy.copy()
    settled = nonlocal_mean(plate, noisy, unknown)
    assert np.array_equal(settled[~unknown], noisy[~unknown])
    assert np.array_equal(noisy, kept)
    assert settled.dtype == np.float32
    assert settled.min() >= 0
    assert settled.max() <= 1
    assert np.square(settled - alpha)[unknown].mean() < 0.75 * np.square(noisy - alpha)[unknown].mean()


def test_a_matte_whose_likes_agree_is_left_as_it_is() -> None:
    plate, _, unknown = striped(64, 96)
    flat = np.full(unknown.shape, 0.25, np.float32)
    assert np.abs(nonlocal_mean(plate, flat, unknown) - flat).max() < 1e-6


def test_a_colour_that_inside_and_outside_share_turns_neither_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    """A white body before a white wall, 60 pixels apart."""
    plate = np.full((96, 200, 3), 0.8, np.float32)
    plate += np.random.default_rng(2).normal(0, 0.01, plate.shape).astype(np.float32)
    alpha = np.zeros((96, 200), np.float32)
    alpha[:, :70] = 1
    plate[:, 70:130] = BLUE
    unknown = np.zeros(alpha.shape, np.bool_)
    unknown[20:76, 30:170] = True
    assert np.abs(nonlocal_mean(plate, alpha, unknown) - alpha)[unknown].max() < 0.05
    monkeypatch.setattr(module, "ALPHA", 0.0)
    assert np.abs(nonlocal_mean(plate, alpha, unknown) - alpha)[unknown].max() > 0.1


@pytest.mark.parametrize("size", [(200, 240), (1101, 1203)])  # searched at each pixel, and at a half of the resolution
def test_plate_beyond_the_reach_has_no_say(size: tuple[int, int]) -> None:
    height, width = size
    plate, alpha, _ = striped(height, width)
    alpha = wronged(alpha, 4)
    unknown = np.zeros(alpha.shape, np.bool_)
    unknown[91:113, 95:140] = True
    other = np.random.default_rng(5).random(plate.shape, np.float32)
    near = np.s_[91 - REACH : 113 + REACH, 95 - REACH : 140 + REACH]
    other[near] = plate[near]
    assert np.array_equal(nonlocal_mean(plate, alpha, unknown), nonlocal_mean(other, alpha, unknown))


def test_no_network_reads_less_than_the_reach() -> None:
    assert min(model_entry(name).margin for name in list_models()) >= REACH


@pytest.mark.parametrize("tile", [0, 64])
@pytest.mark.parametrize("origin", [(0, 0), (-13, 6)])
def test_tiles_read_the_plate_as_far_as_the_mean_reaches(tile: int, origin: tuple[int, int]) -> None:
    rng = np.random.default_rng(13)
    trimap = np.zeros((611, 743), np.float32)
    for y, x, height, width in zip(*rng.integers(1, [[600], [730], [60], [60]], (4, 12)), strict=True):
        trimap[y : y + height, x : x + width] = 0.5
    windows = create_solver("gossamer-s", tile=tile, threads=1).reads(trimap, origin=origin)
    assert windows is not None
    read = np.zeros(trimap.shape, np.uint8)
    for window in windows:
        rows = slice(max(window.y, 0), max(window.y + window.height, 0))
        read[rows, max(window.x, 0) : max(window.x + window.width, 0)] = 1
    needed = cv2.dilate((trimap == 0.5).astype(np.uint8), np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8))
    assert read[needed > 0].all()
    assert not read.all()


def test_threads_do_not_show() -> None:
    plate, alpha, unknown = striped(400, 400)
    alpha = wronged(alpha, 6)
    assert unknown.sum() > module.CHUNK  # or a single thread would do
    one, three = (nonlocal_mean(plate, alpha, unknown, threads=threads) for threads in (1, 3))
    assert np.array_equal(one, three)


def test_neighbours_are_the_nearest_there_are() -> None:
    features = np.random.default_rng(7).random((500, 7), np.float32)
    asking = np.arange(0, 500, 9)
    found = module._nearest(features, asking, 1, None)
    distances = np.square(features[asking, None] - features).sum(2)
    assert np.array_equal(np.sort(found, axis=1), np.sort(np.argsort(distances, axis=1)[:, :NEIGHBOURS], axis=1))


@pytest.mark.parametrize(
    ("size", "step"), [((1, 1), 1), ((1000, 1200), 1), ((1080, 1920), 2), ((2160, 4096), 2), ((4320, 7680), 4)]
)
def test_large_plates_are_searched_on_a_coarser_grid(size: tuple[int, int], step: int) -> None:
    assert grid_step(*size) == step


@pytest.mark.parametrize("size", [(1101, 1203), (1200, 1100)])
@pytest.mark.parametrize("origin", [(0, 0), (-3, 5)])
def test_odd_sizes_are_settled_up_to_their_borders(size: tuple[int, int], origin: tuple[int, int]) -> None:
    plate, alpha, _ = striped(*size)
    noisy = wronged(alpha, 8)
    unknown = np.zeros(size, np.bool_)
    unknown[-40:, -60:] = unknown[:30, :50] = True
    settled = nonlocal_mean(plate, noisy, unknown, origin=origin)
    for corner in (np.s_[-40:, -60:], np.s_[:30, :50]):
        assert np.square(settled - alpha)[corner].mean() < 0.8 * np.square(noisy - alpha)[corner].mean()


def test_samples_are_anchored_to_the_display_window() -> None:
    """The same pixels in a data window that begins elsewhere get the same alpha."""
    plate, alpha, _ = striped(1201, 1301)
    alpha = wronged(alpha, 9)
    unknown = np.zeros(alpha.shape, np.bool_)
    unknown[300:330, 400:460] = True
    whole = nonlocal_mean(plate, alpha, unknown)
    part = nonlocal_mean(plate[7:, 3:].copy(), alpha[7:, 3:].copy(), unknown[7:, 3:].copy(), origin=(3, 7))
    assert np.abs(part - whole[7:, 3:]).max() < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_pictures_with_fewer_pixels_than_neighbours(size: tuple[int, int]) -> None:
    alpha = np.random.default_rng(10).random(size, np.float32)
    settled = nonlocal_mean(np.random.default_rng(11).random((*size, 3), np.float32), alpha, np.ones(size, np.bool_))
    assert settled.shape == size
    assert np.isfinite(settled).all()


def test_nothing_unknown_is_nothing_to_do() -> None:
    plate, alpha, unknown = striped(32, 32)
    assert np.array_equal(nonlocal_mean(plate, alpha, np.zeros_like(unknown)), alpha)


@pytest.mark.parametrize("questions", [0, 1, 4])
def test_it_stops_when_told(questions: int) -> None:
    """In the search and between rounds."""
    plate, alpha, unknown = striped(64, 96)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > questions

    with pytest.raises(CancelledError):
        nonlocal_mean(plate, alpha, unknown, cancelled=cancelled)
    assert asked == questions + 1


def half_known(height: int, width: int) -> tuple[FloatArray, FloatArray]:
    plate, alpha, unknown = striped(height, width)
    return plate, np.where(unknown, np.float32(0.5), alpha)


def test_it_is_on_for_the_default_network_and_changes_its_unknown_pixels_alone() -> None:
    plate, trimap = half_known(96, 128)
    plate = np.clip(plate + np.random.default_rng(12).normal(0, 0.1, plate.shape), 0, 1).astype(np.float32)
    answers = {mode: create_solver("gossamer-s", threads=1, nonlocal_mean=mode) for mode in ("auto", "on", "off")}
    assert {mode: solver.effective["nonlocal_mean"] for mode, solver in answers.items()} == {
        "auto": True, "on": True, "off": False,
    }  # fmt: skip
    solved = {mode: solver.solve(plate, trimap) for mode, solver in answers.items()}
    assert np.array_equal(solved["auto"].alpha, solved["on"].alpha)
    known = trimap != 0.5
    assert np.array_equal(solved["on"].alpha[known], trimap[known])
    change = np.abs(solved["on"].alpha - solved["off"].alpha)[~known]
    assert 0 < change.max() < 0.75
    expected = nonlocal_mean(plate, solved["off"].alpha, ~known)
    assert np.array_equal(solved["on"].alpha, expected)
    assert solved["on"].seconds["nonlocal"] > 0
    assert "nonlocal" not in solved["off"].seconds


def test_it_is_off_for_other_networks_until_asked_for(tiny_weights: Path) -> None:
    assert create_solver(str(tiny_weights)).effective["nonlocal_mean"] is False
    assert create_solver(str(tiny_weights), nonlocal_mean="on").effective["nonlocal_mean"] is True


def test_a_solver_without_a_network_has_none() -> None:
    with pytest.raises(SettingError, match=r"knn is no network: leave out .*--nonlocal"):
        create_solver("knn", nonlocal_mean="on")
