"""Colours that a reader of the report relies on."""

import numpy as np

from gossamer.evaluation.pictures import cutout, error_map, grey, paint_text, shrink, to_bytes, trimap_overlay


def test_values_are_rounded_and_cut_off() -> None:
    np.testing.assert_array_equal(to_bytes(np.array([-1.0, 0.0, 0.499 / 255, 0.5, 1.0, 2.0])), [0, 0, 0, 128, 255, 255])


def test_a_matte_becomes_grey() -> None:
    np.testing.assert_array_equal(grey(np.array([[0.0, 1.0]])), [[[0, 0, 0], [255, 255, 255]]])


def test_too_solid_is_orange_and_too_thin_is_blue() -> None:
    picture = error_map(np.array([[0.9, 0.1, 0.5]]), np.array([[0.1, 0.9, 0.5]]))
    solid, thin, right = picture[0].astype(int)
    assert solid[0] > 200 > solid[2]
    assert thin[2] > 200 > thin[0]
    assert right.max() == right.min() == 26


def test_a_larger_error_has_more_colour() -> None:
    picture = error_map(np.array([[0.02, 0.1, 0.3]]), np.zeros((1, 3)))[0, :, 0].astype(int)
    assert picture[0] < picture[1] < picture[2] == 255


def test_the_overlay_darkens_the_background_and_tints_the_unknown() -> None:
    picture = trimap_overlay(np.full((1, 3, 3), 0.5), np.array([[0.0, 0.5, 1.0]]))[0].astype(int)
    assert picture[0].max() < picture[2].max() == 128
    assert picture[1, 0] > picture[1, 2]


def test_a_cutout_carries_alpha_beside_the_unpremultiplied_colour() -> None:
    picture = cutout(np.full((1, 1, 3), 0.5), np.array([[0.25]]))
    np.testing.assert_array_equal(picture, [[[128, 128, 128, 64]]])


def test_colours_under_alpha_zero_do_not_bleed_into_a_smaller_cutout() -> None:
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0] = [200, 100, 50, 255]
    picture[1] = [0, 255, 0, 0]
    np.testing.assert_array_equal(shrink(picture, 1), [[[200, 100, 50, 128]]])


def test_small_pictures_are_not_enlarged() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    assert shrink(picture, 10) is picture
    assert shrink(picture, 3).shape == (2, 3, 3)


def test_text_of_any_language_can_be_painted() -> None:
    picture = np.zeros((20, 80, 3), np.uint8)
    paint_text(picture, "Häärchen", at=(2, 14))
    assert picture.any()
