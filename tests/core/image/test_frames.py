"""Frame ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import SettingError
from gossamer.image.frames import FrameRange


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("7", (7,)),
        ("1001-1004", (1001, 1002, 1003, 1004)),
        ("1001-1010x4,1150", (1001, 1005, 1009, 1150)),
        ("-5--3", (-5, -4, -3)),
        ("-2-2x2", (-2, 0, 2)),
        ("-7", (-7,)),
        (" 3 , 1 - 2 ", (1, 2, 3)),
        ("5-5", (5,)),
        ("1-3,2-4,3", (1, 2, 3, 4)),
        ("0001-0003", (1, 2, 3)),
    ],
)
def test_a_range_is_read(text: str, frames: tuple[int, ...]) -> None:
    assert FrameRange.parse(text).frames == frames


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ((1, 2, 3), "1-3"),
        ((1, 3, 5, 9), "1-5x2,9"),
        ((1, 3), "1,3"),
        ((-3, -2, -1), "-3--1"),
        ((5,), "5"),
        ((1, 2, 4, 5), "1-2,4-5"),
        ((), ""),
    ],
)
def test_a_range_is_written_short(frames: tuple[int, ...], text: str) -> None:
    assert str(FrameRange(frames)) == text


@given(st.sets(st.integers(-2000, 2000), min_size=1, max_size=60))
def test_writing_and_reading_gives_the_same_frames(frames: set[int]) -> None:
    assert FrameRange.parse(str(FrameRange(tuple(frames)))).frames == tuple(sorted(frames))


def test_a_range_is_a_collection() -> None:
    frames = FrameRange.parse("3,1-2")
    assert list(frames) == [1, 2, 3]
    assert len(frames) == 3
    assert 2 in frames
    assert 4 not in frames


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no frame range; write 1001-1100x2,1150"),
        ("1,,2", "'' is no frame range"),
        ("1-", "'1-' is no frame range"),
        ("a-b", "'a-b' is no frame range"),
        ("1.5", "no frame range"),
        ("1-10x", "no frame range"),
        ("10-1", "10-1 runs backwards; write 1-10"),
        ("-1--5", "-1--5 runs backwards; write -5--1"),
        ("1-10x0", "step 0; use 1 or more"),
        ("1-99999999999", "more than 1,000,000 frames"),
        ("1-600000,600001-1100000", "more than 1,000,000 frames"),
    ],
)
def test_a_wrong_range_is_explained(text: str, message: str) -> None:
    with pytest.raises(SettingError, match="--frames .*" + message):
        FrameRange.parse(text)
