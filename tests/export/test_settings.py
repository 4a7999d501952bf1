"""Sizes and cards are read from text, or the reason why not is given."""

import pytest

from gossamer.errors import SettingError
from gossamer_export.settings import EngineSettings, Profile, profile_of_range, profile_of_tile


def test_a_range_is_read() -> None:
    assert profile_of_range("64x32:1920x1088") == Profile((64, 32), (1920, 1088), (1920, 1088))
    assert profile_of_range("64x32:512x512:1920x1088") == Profile((64, 32), (512, 512), (1920, 1088))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("64", "give MIN:MAX or MIN:BEST:MAX"),
        ("64x64", "holds 1 sizes"),
        ("1x1:2x2:3x3:4x4", "holds 4 sizes"),
        ("512x512:64x64", r"size range 512x512:64x64:64x64 is not in order"),
        ("0x64:64x64", "is not in order"),
    ],
)
def test_a_range_that_is_none_is_named(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        profile_of_range(text)


def test_a_tile_brings_its_surroundings() -> None:
    # 512 and on both sides the ramp of 16, the margin of 48 and up to one stride.
    assert profile_of_tile(512, multiple_of=32, margin=48) == Profile((64, 64), (704, 704), (704, 704))
    with pytest.raises(SettingError, match=r"--tile 0: give the side"):
        profile_of_tile(0, multiple_of=32, margin=48)


def test_sides_become_whole_steps_within_the_range() -> None:
    profile = Profile((33, 64), (100, 100), (1920, 1080)).in_steps(32)
    assert profile == Profile((64, 64), (96, 96), (1920, 1056))
    with pytest.raises(SettingError, match="holds no size whose sides are multiples of 32"):
        Profile((33, 33), (40, 40), (50, 50)).in_steps(32)


def test_without_a_wish_there_is_one_profile() -> None:
    (profile,) = EngineSettings().all_profiles(multiple_of=32, margin=48)
    assert profile.text == "64x64:1024x1024:1536x1536"


@pytest.mark.parametrize("gpu", ["89", "sm89", "sm_9", "RTX 4090"])
def test_a_card_by_another_name_is_refused(gpu: str) -> None:
    with pytest.raises(SettingError, match="give compute capabilities as sm_75"):
        EngineSettings(gpus=(gpu,))


def test_a_tiny_workspace_is_refused() -> None:
    with pytest.raises(SettingError, match="give at least 1 MiB"):
        EngineSettings(workspace=100)
