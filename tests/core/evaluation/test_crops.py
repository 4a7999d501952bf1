"""Windows on the hardest spots and the sheet that shows them."""

import numpy as np
import pytest

from gossamer.evaluation.crops import comparison_sheet, hardest_windows
from gossamer.image.image import Window


def test_the_window_with_the_largest_error_is_found() -> None:
    error = np.zeros((40, 60))
    error[20:24, 30:34] = 1
    error[5, 5] = 1
    (window,) = hardest_windows(error, size=8)
    assert window.x <= 30
    assert window.x + window.width >= 34
    assert window.y <= 20
    assert window.y + window.height >= 24


def test_windows_come_worst_first_and_do_not_overlap() -> None:
    random = np.random.default_rng(3)
    error = random.random((50, 70)) ** 8
    windows = hardest_windows(error, size=12, count=4)
    sums = [error[w.y : w.y + 12, w.x : w.x + 12].sum() for w in windows]
    assert len(windows) == 4
    assert sums == sorted(sums, reverse=True)
    used = np.zeros(error.shape, int)
    for w in windows:
        used[w.y : w.y + 12, w.x : w.x + 12] += 1
    assert used.max() == 1


def test_a_window_is_cut_to_a_small_picture() -> None:
    assert hardest_windows(np.ones((4, 6)), size=10) == (Window(0, 0, 6, 4),)


def test_there_is_no_window_without_an_error() -> None:
    assert hardest_windows(np.zeros((10, 10)), size=4, count=3) == ()


def test_the_sheet_has_a_column_for_each_matte_and_error_maps_below() -> None:
    plate, trimap = np.full((30, 40, 3), 0.5), np.full((30, 40), 0.5)
    truth = np.linspace(0, 1, 1200).reshape(30, 40)
    sheet = comparison_sheet(plate, trimap, {"a": truth**2, "b": truth**0.5}, truth=truth, size=10, count=1)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (2 * (10 + 22 + 6), 5 * (10 + 6), 3)


def test_pixels_are_shown_unscaled() -> None:
    alpha = np.random.default_rng(1).random((30, 40))
    sheet = comparison_sheet(np.zeros((30, 40, 3)), np.full((30, 40), 0.5), {"a": alpha}, windows=[Window(3, 4, 10, 8)])
    shown = sheet[22 : 22 + 8, 32 : 32 + 10, 0]
    np.testing.assert_array_equal(shown, np.rint(alpha[4:12, 3:13] * 255))


def test_zoom_repeats_pixels() -> None:
    alpha = np.random.default_rng(1).random((30, 40))
    arguments = (np.zeros((30, 40, 3)), np.full((30, 40), 0.5), {"a": alpha})
    sheet = comparison_sheet(*arguments, windows=[Window(3, 4, 10, 8)], zoom=3)
    shown = sheet[22 : 22 + 24, 72 : 72 + 30, 0]
    np.testing.assert_array_equal(shown[::3, ::3], np.rint(alpha[4:12, 3:13] * 255))
    np.testing.assert_array_equal(shown[1::3, 2::3], shown[::3, ::3])


def test_without_truth_the_mattes_are_compared_with_one_another() -> None:
    one, two = np.zeros((30, 40)), np.zeros((30, 40))
    two[20:, 30:] = 1
    sheet = comparison_sheet(np.zeros((30, 40, 3)), np.zeros((30, 40)), {"one": one, "two": two}, size=10, count=1)
    assert (sheet[22:32, 48:58] == 255).all()


@pytest.mark.parametrize("trimap", [0.5, 1.0])
def test_equal_mattes_are_still_shown(trimap: float) -> None:
    alpha = np.zeros((30, 40))
    sheet = comparison_sheet(np.zeros((30, 40, 3)), np.full((30, 40), trimap), {"a": alpha}, size=10, count=1)
    assert sheet.shape[1] == 3 * 16
