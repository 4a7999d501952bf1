"""Trimaps: read, made from masks, limited by mattes, laid over the plate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.config import Band
from gossamer.errors import TrimapError
from gossamer.image.image import FloatArray, Image, Window
from gossamer.image.io import read_image, write_image
from gossamer.image.trimap import (
    constrain_trimap,
    is_unknown,
    make_trimap,
    matte_from_image,
    trimap_from_image,
    trimap_from_mask,
    trimap_from_mattes,
)


def _image(values: object, channels: tuple[str, ...] = ("R",)) -> Image:
    pixels = np.asarray(values, np.float32)
    return Image.from_pixels(pixels if pixels.ndim == 3 else pixels[..., None], channels)


def _plate(height: int = 4, width: int = 6) -> Image:
    return Image.from_pixels(np.zeros((height, width, 3), np.float32), tuple("RGB"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, 0.0),
        (0.5, 0.5),
        (1.0, 1.0),
        (128 / 255, 0.5),
        (188 / 255, 0.5),
        (12 / 255, 0.0),
        (243 / 255, 1.0),
        (0.06, 0.5),
        (0.94, 0.5),
        (-0.2, 0.0),
        (1.3, 1.0),
        (np.nan, 0.5),
        (np.inf, 0.5),
    ],
)
def test_a_value_becomes_background_unknown_or_foreground(value: float, expected: float) -> None:
    assert trimap_from_image(_image([[value, 0.0, 1.0]])).trimap[0, 0] == expected


@pytest.mark.parametrize("data_type", ["uint8", "uint16"])
def test_an_integer_trimap_is_read_from_its_file(tmp_path: Path, data_type: str) -> None:
    painted = np.array([[[0], [128 / 255], [1]]], np.float32)
    write_image(tmp_path / "t.png", Image.from_pixels(painted, ("Y",)), data_type=data_type)
    reading = trimap_from_image(read_image(tmp_path / "t.png"))
    assert reading.trimap.tolist() == [[0.0, 0.5, 1.0]]
    assert (reading.channel, reading.notes) == ("Y", ("the trimap: read from channel Y",))


def test_values_that_count_to_255_are_noticed() -> None:
    reading = trimap_from_image(_image([[0.0, 128.0, 255.0]]))
    assert reading.trimap.tolist() == [[0.0, 0.5, 1.0]]
    assert "the trimap: values reach 255, so they are taken as 0..255" in reading.notes


def test_alpha_is_read_where_it_says_something() -> None:
    pixels = np.zeros((1, 3, 4), np.float32)
    pixels[..., 3] = (0, 0.5, 1)
    reading = trimap_from_image(_image(pixels, tuple("RGBA")))
    assert reading.trimap.tolist() == [[0, 0.5, 1]]
    assert (reading.channel, reading.notes) == ("A", ("the trimap: read from channel A",))


@pytest.mark.parametrize("constant", [1.0, 0.0])
def test_a_constant_alpha_is_passed_over_for_red(constant: float) -> None:
    pixels = np.full((1, 3, 4), constant, np.float32)
    pixels[..., 0] = (0, 0.5, 1)
    reading = trimap_from_image(_image(pixels, tuple("RGBA")))
    assert reading.trimap.tolist() == [[0, 0.5, 1]]
    assert (reading.channel, reading.notes) == (
        "R",
        (f"the trimap: the alpha channel is {constant:g} everywhere, so R is read",),
    )


def test_a_trimap_in_all_three_colours_is_read_beside_a_constant_alpha() -> None:
    pixels = np.ones((1, 3, 4), np.float32)
    pixels[..., :3] = np.array((0, 0.5, 1), np.float32)[:, None]
    assert trimap_from_image(_image(pixels, tuple("RGBA"))).channel == "R"


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_opaque_guide_of_one_value_is_read_as_on_the_frames_beside_it(value: float) -> None:
    pixels = np.ones((3, 4, 4), np.float32)
    pixels[..., :3] = value
    reading = matte_from_image(_image(pixels, tuple("RGBA")), "the mask")
    assert (reading.matte == value).all()
    assert (reading.channel, reading.notes) == ("R", ("the mask: the alpha channel is 1 everywhere, so R is read",))


def test_an_alpha_that_leaves_everything_open_is_obeyed_over_black() -> None:
    pixels = np.zeros((3, 4, 4), np.float32)
    pixels[..., 3] = 0.5
    assert (trimap_from_image(_image(pixels, tuple("RGBA"))).trimap == 0.5).all()


@pytest.mark.parametrize("channels", ["RGBA", "YA"])
def test_a_matte_in_the_alpha_of_a_white_picture_is_empty_where_alpha_is(channels: str) -> None:
    pixels = np.ones((3, 4, len(channels)), np.float32)
    pixels[..., -1] = 0
    reading = matte_from_image(_image(pixels, tuple(channels)), "the mask")
    assert (reading.matte == 0).all()
    assert reading.channel == "A"
    assert f"the alpha channel is 0 and {channels[0]} is 1 everywhere, which counts as empty" in reading.notes[1]


def test_a_colour_picture_for_a_guide_is_told() -> None:
    picture = np.random.default_rng(1).random((6, 8, 3), np.float32)
    assert any("differ as in a picture" in note for note in trimap_from_image(_image(picture, tuple("RGB"))).notes)
    grey = np.repeat(picture[..., :1], 3, axis=2)
    ringing = np.clip(grey + np.random.default_rng(2).normal(0, 0.02, grey.shape).astype(np.float32), 0, 1)
    one_guide_a_colour = picture * np.array([1, 0, 0], np.float32)
    for pixels in (grey, ringing, one_guide_a_colour):
        assert not any("differ" in note for note in trimap_from_image(_image(pixels, tuple("RGB"))).notes)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_clear_alpha_over_one_grey_is_what_a_host_added(value: float) -> None:
    pixels = np.full((3, 4, 4), value, np.float32)
    pixels[..., 3] = 0
    reading = trimap_from_image(_image(pixels, tuple("RGBA")))
    assert reading.channel == "R"
    assert (reading.trimap == value).all()


@pytest.mark.parametrize("constant", [1.0, 0.0])
def test_an_empty_roto_over_its_plate_is_empty_and_not_the_plates_red(constant: float) -> None:
    pixels = np.random.default_rng(0).random((4, 5, 4), np.float32)
    pixels[..., 3] = constant
    reading = matte_from_image(_image(pixels, tuple("RGBA")))
    assert reading.channel == "A"
    assert (reading.matte == constant).all()


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([[0.5, 0.5]], "every pixel is unknown"),
        ([[0.0, 1.0]], "no pixel is unknown, so the result repeats the known areas"),
        ([[0.0, 0.5]], "no pixel is foreground"),
        ([[1.0, 0.5]], "no pixel is background"),
        ([[1.0, 0.5, 0.0, np.nan]], "1 NaN or infinite pixels"),
    ],
)
def test_what_is_legal_but_odd_is_noted(values: list[list[float]], note: str) -> None:
    assert f"the trimap: {note}" in trimap_from_image(_image(values)).notes


def test_a_trimap_without_any_usable_value_is_an_error() -> None:
    with pytest.raises(TrimapError, match=r"the trimap holds no usable values in channel R \(all NaN or infinite\)"):
        trimap_from_image(_image([[np.nan, np.inf]]))


def test_a_guide_without_a_fitting_channel_is_an_error() -> None:
    with pytest.raises(TrimapError, match="the mask has no alpha, red or grey channel; it has: u, v"):
        matte_from_image(_image(np.zeros((1, 1, 2)), ("u", "v")), "the mask")


def test_a_matte_is_clipped_with_a_note() -> None:
    reading = matte_from_image(_image([[-0.5, 0.25, 2.0, np.nan]]))
    assert reading.matte.tolist() == [[0.0, 0.25, 1.0, 0.0]]
    assert "the matte: 2 pixels outside 0..1 are clipped" in reading.notes
    assert "the matte: 1 NaN or infinite pixels" in reading.notes


def test_only_values_between_zero_and_one_are_unknown() -> None:
    assert is_unknown(np.array([[0.0, 0.5, 1.0]], np.float32)).tolist() == [[False, True, False]]


def _disc(size: int, radius: float) -> tuple[FloatArray, FloatArray]:
    y, x = np.mgrid[:size, :size].astype(np.float32) - (size - 1) / 2
    distance = np.hypot(x, y)
    return (distance < radius).astype(np.float32), distance.astype(np.float32)


def test_the_band_has_the_stated_widths() -> None:
    mask, distance = _disc(201, 50.0)
    trimap = trimap_from_mask(mask, Band(inside=10, outside=20), 1920)
    unknown = distance[trimap == 0.5]
    assert abs(unknown.min() - 40) < 1
    assert abs(unknown.max() - 70) < 1
    assert (trimap[distance < 39] == 1).all()
    assert (trimap[distance > 71] == 0).all()


def test_the_band_grows_with_the_plate() -> None:
    mask, distance = _disc(401, 100.0)
    wide = trimap_from_mask(mask, Band(inside=10, outside=20), 3840)
    unknown = distance[wide == 0.5]
    assert abs(unknown.min() - 80) < 1
    assert abs(unknown.max() - 140) < 1


@pytest.mark.parametrize(("inside", "outside"), [(0.0, 5.0), (5.0, 0.0)])
def test_a_band_may_lie_on_one_side_only(inside: float, outside: float) -> None:
    mask, _ = _disc(101, 30.0)
    trimap = trimap_from_mask(mask, Band(inside, outside), 1920)
    assert (trimap[mask > 0.5] == 0.5).any() == (inside > 0)
    assert (trimap[mask < 0.5] == 0.5).any() == (outside > 0)


def test_soft_pixels_of_a_mask_are_unknown_wherever_they_lie() -> None:
    mask = np.zeros((9, 300), np.float32)
    mask[:, 100:] = 1.0
    mask[4, 20], mask[4, 280], mask[4, 30], mask[4, 270] = 0.03, 0.97, 0.02, 0.98
    mask[4, 40] = np.nan
    trimap = trimap_from_mask(mask, Band(2, 2), 1920)
    assert [trimap[4, x] for x in (20, 280, 30, 270, 40)] == [0.5, 0.5, 0.0, 1.0, 0.5]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_without_an_edge_has_no_band(value: float) -> None:
    mask = np.full((5, 7), value, np.float32)
    assert np.array_equal(trimap_from_mask(mask, Band(), 1920), mask)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 6), st.floats(0.5, 6))
def test_the_band_never_turns_a_pixel_over(seed: int, inside: float, outside: float) -> None:
    mask = (np.random.default_rng(seed).random((12, 15)) > 0.5).astype(np.float32)
    trimap = trimap_from_mask(mask, Band(inside, outside), 1920)
    known = ~is_unknown(trimap)
    assert np.array_equal(trimap[known], mask[known])
    assert set(np.unique(trimap)) <= {0.0, 0.5, 1.0}


def test_garbage_beats_core_and_core_beats_the_trimap() -> None:
    trimap = np.array([[0.0, 0.5, 1.0, 0.5, 0.5]], np.float32)
    core = np.array([[1.0, 1.0, 0.0, 1.0, 0.9]], np.float32)
    garbage = np.array([[0.0, 0.0, 1.0, 1.0, 0.5]], np.float32)
    assert constrain_trimap(trimap, core, garbage).tolist() == [[1.0, 1.0, 0.0, 0.0, 0.5]]
    assert trimap.tolist() == [[0.0, 0.5, 1.0, 0.5, 0.5]]
    assert np.array_equal(constrain_trimap(trimap, None, None), trimap)


def test_mattes_alone_make_a_trimap() -> None:
    core = np.array([[1.0, 0.0, 0.0]], np.float32)
    garbage = np.array([[0.0, 0.0, 1.0]], np.float32)
    assert trimap_from_mattes(core, garbage, 1, 3).tolist() == [[1.0, 0.5, 0.0]]
    assert trimap_from_mattes(core, None, 1, 3).tolist() == [[1.0, 0.5, 0.5]]
    assert trimap_from_mattes(None, garbage, 1, 3).tolist() == [[0.5, 0.5, 0.0]]


def test_the_trimap_wins_over_the_mask() -> None:
    trimap, mask = _image([[0.0, 0.5, 1.0, 1.0]]), _image([[1.0, 1.0, 1.0, 0.0]])
    made = make_trimap(_plate(1, 4), trimap=trimap, mask=mask)
    assert made.trimap.tolist() == [[0, 0.5, 1, 1]]
    assert "the mask is not used: the trimap wins" in made.notes


def test_a_mask_becomes_a_trimap_with_its_band() -> None:
    mask = np.zeros((5, 100), np.float32)
    mask[:, 50:] = 1
    made = make_trimap(_plate(5, 100), mask=_image(mask), band=Band(inside=96, outside=192))
    assert [made.trimap[2, x] for x in (38, 40, 54, 56)] == [0.0, 0.5, 0.5, 1.0]
    assert "the trimap is made from the mask: 96 px in, 192 px out (at 1920)" in made.notes
    assert made.channel == "R"


def test_core_and_garbage_limit_and_are_reported() -> None:
    core, garbage = _image([[1.0, 1.0, 0.0, 0.0]]), _image([[0.0, 1.0, 0.0, 0.2]])
    made = make_trimap(_plate(1, 4), core=core, garbage=garbage)
    assert made.trimap.tolist() == [[1, 0, 0.5, 0.5]]
    assert "the trimap is made from the core and garbage matte; everything else is unknown" in made.notes
    assert "core and garbage matte overlap on 1 pixels: garbage wins" in made.notes
    with_trimap = make_trimap(_plate(1, 4), trimap=_image([[0.5] * 4]), core=core, garbage=garbage)
    assert with_trimap.trimap.tolist() == [[1, 0, 0.5, 0.5]]


def test_a_matte_that_is_nowhere_solid_is_noted() -> None:
    made = make_trimap(_plate(1, 2), trimap=_image([[0.0, 0.5]]), core=_image([[0.4, 0.9]]))
    assert "the core matte is nowhere solid (0.95 or more): it changes nothing" in made.notes


def test_no_guide_at_all_is_an_error() -> None:
    with pytest.raises(TrimapError, match="No guide: give a trimap, a mask, or core and garbage mattes"):
        make_trimap(_plate())


def test_a_guide_of_another_size_is_an_error() -> None:
    with pytest.raises(
        TrimapError, match=r"the trimap is 3x2, the plate is 6x4\. Render the guide at the plate's size"
    ):
        make_trimap(_plate(), trimap=_image(np.zeros((2, 3))))
    plate = replace(_plate(), display_window=Window(1, 1, 2, 2))
    with pytest.raises(TrimapError, match=r"the core matte is 3x2, the plate is 2x2 \(data window 6x4\)"):
        make_trimap(plate, trimap=_image(np.zeros((4, 6))), core=_image(np.zeros((2, 3))))


@pytest.fixture
def overscan() -> Image:
    """Frame 4 x 2 with one more pixel on each side."""
    return replace(_plate(4, 6), data_window=Window(-1, -1, 6, 4), display_window=Window(0, 0, 4, 2))


def test_in_uncovered_overscan_only_background_goes_on(overscan: Image) -> None:
    made = make_trimap(overscan, trimap=_image([[0.0, 0.5, 1.0, 1.0], [0.0, 0.0, 0.0, 0.5]]))
    assert made.trimap.tolist() == [
        [0.0, 0.0, 0.5, 0.5, 0.5, 0.5],
        [0.0, 0.0, 0.5, 1.0, 1.0, 0.5],
        [0.0, 0.0, 0.0, 0.0, 0.5, 0.5],
        [0.0, 0.0, 0.0, 0.0, 0.5, 0.5],
    ]
    assert any("does not cover the plate's overscan: background goes on there" in note for note in made.notes)


def test_in_uncovered_overscan_a_mask_repeats_its_border(overscan: Image) -> None:
    made = make_trimap(overscan, mask=_image([[0.0, 0.0, 1.0, 1.0]] * 2), band=Band(0.0, 0.1))
    assert made.trimap.tolist() == [[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]] * 4
    assert "the mask does not cover the plate's overscan: its border is repeated there" in made.notes


def test_in_uncovered_overscan_a_core_matte_claims_nothing(overscan: Image) -> None:
    made = make_trimap(overscan, core=_image(np.ones((2, 4))))
    assert made.trimap[0].tolist() == [0.5] * 6
    assert made.trimap[1].tolist() == [0.5, 1, 1, 1, 1, 0.5]
    assert "the core matte does not cover the plate's overscan: 0 is taken there" in made.notes


def test_a_guide_of_the_size_of_the_data_window_is_laid_on_that(overscan: Image) -> None:
    values = np.random.default_rng(0).choice([0.0, 0.5, 1.0], (4, 6))
    made = make_trimap(overscan, trimap=_image(values))
    assert np.array_equal(made.trimap, values)
    assert "the trimap has the size of the plate's data window and is laid on that" in made.notes


def test_a_guide_with_the_plates_overscan_is_taken_as_it_is(overscan: Image) -> None:
    values = np.random.default_rng(0).choice([0.0, 0.5, 1.0], (4, 6)).astype(np.float32)
    guide = overscan.with_pixels(values[..., None], ("R",))
    made = make_trimap(overscan, trimap=guide)
    assert np.array_equal(made.trimap, values)
    assert not any("overscan" in note for note in made.notes)


def test_a_cropped_guide_is_background_inside_its_frame() -> None:
    """As a host shows it: outside its data window a picture is black."""
    guide = replace(_image(np.ones((1, 2))), data_window=Window(2, 1, 2, 1), display_window=Window(0, 0, 6, 4))
    made = make_trimap(_plate(4, 6), trimap=guide)
    assert made.trimap.sum() == 2
    assert made.trimap[1, 2:4].tolist() == [1, 1]


def test_frames_with_another_origin_are_laid_corner_on_corner() -> None:
    plate = replace(_plate(2, 3), data_window=Window(100, 50, 3, 2), display_window=Window(100, 50, 3, 2))
    values = [[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]
    assert make_trimap(plate, trimap=_image(values)).trimap.tolist() == values


def test_a_plate_cropped_within_its_frame_takes_its_part_of_the_guide() -> None:
    plate = replace(_plate(1, 2), data_window=Window(1, 1, 2, 1), display_window=Window(0, 0, 4, 2))
    guide = _image([[0.0] * 4, [0.5, 1.0, 0.0, 0.5]])
    assert make_trimap(plate, trimap=guide).trimap.tolist() == [[1.0, 0.0]]


def test_overscan_reaches_beyond_a_cropped_guides_frame() -> None:
    """The frame's border counts as black there, so background goes on."""
    plate = replace(_plate(1, 6), data_window=Window(-1, 0, 6, 1), display_window=Window(0, 0, 4, 1))
    guide = replace(_image([[1.0]]), data_window=Window(1, 0, 1, 1), display_window=Window(0, 0, 4, 1))
    assert make_trimap(plate, trimap=guide).trimap.tolist() == [[0, 0, 1, 0, 0, 0]]


def test_making_a_trimap_never_changes_the_guide(picture: Callable[..., Image]) -> None:
    guide = picture(4, 6, "R")
    before = guide.pixels.copy()
    make_trimap(_plate(), trimap=guide, core=guide, garbage=guide)
    assert np.array_equal(guide.pixels, before)


def test_a_guide_stored_in_another_orientation_is_refused() -> None:
    plate = replace(_plate(4, 4), metadata={"Orientation": 3})
    trimap = _image(np.full((4, 4), 0.5))
    with pytest.raises(TrimapError, match=r"stored rotated \(Orientation 3\), the trimap is not"):
        make_trimap(plate, trimap=trimap)
    turned = replace(trimap, metadata={"Orientation": 3})
    assert make_trimap(plate, trimap=turned).trimap.shape == (4, 4)
