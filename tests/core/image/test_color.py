"""Which space a plate is in, and what the network sees of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813
import pytest

from gossamer.errors import ColorError
from gossamer.image import color
from gossamer.image.color import (
    CINEON,
    LINEAR,
    SRGB,
    count_non_finite,
    from_scene_linear,
    is_display_referred,
    is_scene_linear,
    resolve_space,
    roll_off,
    to_display,
    to_scene_linear,
)
from gossamer.image.image import FloatArray, Image
from gossamer.image.io import read_image, write_image

SRGB_NAME = "sRGB Encoded Rec.709 (sRGB)"
LINEAR_NAME = "Linear Rec.709 (sRGB)"
AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)


@pytest.fixture(autouse=True)
def _no_user_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests must not depend on the configuration of the machine they run on."""
    monkeypatch.delenv("OCIO", raising=False)


def _still(data_type: str, **metadata: Any) -> Image:
    names = {key.replace("__", ":"): value for key, value in metadata.items()}
    return replace(
        Image.from_pixels(np.zeros((1, 1, 3), np.float32), tuple("RGB")), data_type=data_type, metadata=names
    )


def _random(seed: int = 0, low: float = 0.0, high: float = 1.0) -> FloatArray:
    return np.random.default_rng(seed).uniform(low, high, (20, 30, 3)).astype(np.float32)


def _srgb(linear: FloatArray) -> FloatArray:
    """IEC 61966-2-1."""
    curve = 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curve).astype(np.float32)


@pytest.mark.parametrize(
    ("image", "name", "reason"),
    [
        (_still("uint8"), SRGB_NAME, "uint8 files default to sRGB"),
        (_still("uint16"), SRGB_NAME, "uint16 files default to sRGB"),
        (_still("uint10"), CINEON, "10-bit files default to Cineon log"),
        (_still("uint10", dpx__Transfer="Linear"), LINEAR_NAME, "transfer characteristic is Linear"),
        (_still("uint16", dpx__Transfer="Printing density"), CINEON, "transfer characteristic is Printing density"),
        (_still("uint10", dpx__Transfer="ITU-R 709-4"), "Gamma 2.4 Encoded Rec.709", "is ITU-R 709-4"),
        (_still("uint10", dpx__Transfer="Undefined"), CINEON, "10-bit files"),
        (_still("half"), LINEAR_NAME, "half files default to scene-linear Rec.709"),
        (_still("float"), LINEAR_NAME, "float files default to scene-linear Rec.709"),
        (_still("half", chromaticities=AP1), "ACEScg", "chromaticities are those of ACEScg"),
        (_still("half", acesImageContainerFlag=1), "ACES2065-1", "acesImageContainerFlag is 1"),
        (_still("half", chromaticities=(0.5,) * 8), LINEAR_NAME, "of no known space.*--plate-space"),
    ],
)
def test_the_file_decides_when_nobody_states_the_space(image: Image, name: str, reason: str) -> None:
    choice = resolve_space(image, "")
    assert choice.name == name
    assert re.search(reason, choice.reason)


def test_the_headers_interop_name_decides(tmp_path: Path) -> None:
    image = replace(
        Image.from_pixels(np.zeros((2, 2, 3), np.float32), tuple("RGB")), metadata={"colorInteropID": "lin_ap1_scene"}
    )
    write_image(tmp_path / "a.exr", image, data_type="half")
    choice = resolve_space(read_image(tmp_path / "a.exr"), "")
    assert (choice.name, choice.reason) == ("ACEScg", "the header says lin_ap1_scene")


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("ACEScg", "ACEScg"),
        ("acescg", "ACEScg"),
        ("scene_linear", "ACEScg"),
        ("sRGB - Texture", SRGB_NAME),
        ("lin_rec709", LINEAR_NAME),
        ("Cineon", "Cineon"),
        ("arri_logc4", "ARRI LogC4"),
    ],
)
def test_names_aliases_and_roles_are_taken(stated: str, name: str) -> None:
    choice = resolve_space(_still("uint8"), stated)
    assert choice.name == name
    assert choice.reason.startswith("stated by the user")
    assert choice.reason.endswith("from the built-in ACES configuration")


@pytest.mark.parametrize(
    ("stated", "listed"), [("ACESgc", "ACEScg"), ("logc", "ARRI LogC4"), ("zzzzz", SRGB_NAME), ("acescg2", "ACEScg")]
)
def test_a_wrong_name_gets_similar_ones(stated: str, listed: str) -> None:
    with pytest.raises(ColorError) as caught:
        resolve_space(_still("half"), stated)
    assert f"no colour space, alias or role {stated!r}" in str(caught.value)
    assert listed in str(caught.value)


def test_an_8_bit_srgb_picture_reaches_the_network_unchanged() -> None:
    codes = np.arange(256, dtype=np.float32).repeat(3).reshape(16, 16, 3) / np.float32(255)
    for name in (SRGB, SRGB_NAME, "sRGB - Texture"):
        assert np.abs(to_display(codes, name) - codes).max() < 1e-6


def test_one_picture_looks_the_same_in_three_spaces() -> None:
    """Below the roll-off the limit is 1e-5; the primaries' round trip through ACEScg costs the most."""
    linear = _random(low=0.0, high=0.79)
    seen = to_display(linear, LINEAR)
    acescg = from_scene_linear(linear, "ACEScg")
    encoded = from_scene_linear(linear, SRGB)
    assert np.abs(acescg - linear).max() > 0.05
    assert np.abs(to_display(acescg, "ACEScg") - seen).max() < 1e-5
    assert np.abs(to_display(encoded, SRGB) - seen).max() < 1e-5
    assert np.abs(seen - _srgb(linear)).max() < 1e-5


def test_the_roll_off_costs_a_display_white_at_most_five_percent() -> None:
    linear = _random(low=0.8, high=1.0)
    assert np.abs(to_display(linear, LINEAR) - _srgb(linear)).max() < 0.05


def test_acescg_has_the_published_matrix() -> None:
    """0.18 grey stays grey, and pure ACEScg red leaves Rec.709's gamut (S-2014-004; Bradford from D60 to D65)."""
    grey = np.full((1, 1, 3), 0.18, np.float32)
    assert np.abs(to_scene_linear(grey, "ACEScg") - 0.18).max() < 1e-4
    red = to_scene_linear(np.array([[[1.0, 0.0, 0.0]]], np.float32), "ACEScg")
    assert np.abs(red - (1.7051, -0.1302, -0.0240)).max() < 1e-3


def test_the_roll_off_is_smooth_rising_and_keeps_what_is_below() -> None:
    values = np.linspace(-1, 20, 20001, dtype=np.float32)
    rolled = roll_off(values)
    below = values <= 0.8
    assert np.array_equal(rolled[below], values[below])
    slopes = np.diff(rolled.astype(np.float64)) / np.diff(values.astype(np.float64))
    assert (slopes > 0).all()
    assert np.abs(np.diff(slopes)).max() < 0.015
    assert rolled.max() < 1


def test_white_and_a_highlight_stay_apart_for_the_network() -> None:
    pixels = np.array([[[1.0] * 3, [2.0] * 3, [16.0] * 3, [200.0] * 3]], np.float32)
    shown = to_display(pixels, LINEAR)[0, :, 0]
    assert (np.diff(shown) > 1 / 2000).all()
    assert shown[0] == pytest.approx(_srgb(np.full(1, 0.9, np.float32))[0], abs=1e-5)
    assert shown[-1] < 1


def test_values_below_zero_become_black() -> None:
    pixels = np.array([[[-5.0, 0.5, -0.01]]], np.float32)
    shown = to_display(pixels, LINEAR)[0, 0]
    assert shown[0] == shown[2] == 0
    assert shown[1] == pytest.approx(0.7353569, abs=1e-5)


@pytest.mark.parametrize("space", [LINEAR, "ACEScg", SRGB, CINEON, "Raw", "ARRI LogC4", "Rec.2100-PQ - Display"])
def test_nan_and_infinity_never_reach_the_network(space: str) -> None:
    pixels = np.full((2, 3, 3), 0.25, np.float32)
    pixels[0, 0] = np.nan
    pixels[0, 1] = np.inf
    pixels[0, 2] = -np.inf
    pixels[1, 0, 1] = np.nan
    before = pixels.copy()
    shown = to_display(pixels, space)
    assert np.isfinite(shown).all()
    assert (shown.min(), shown.max()) >= (0, 0)
    assert shown.max() <= 1
    assert (shown[0, 1] > 0.99).all()
    assert shown[1, 0, 0] > 0.15, "a broken channel must not take its neighbours along"
    assert np.array_equal(pixels, before, equal_nan=True)


def test_broken_samples_are_counted() -> None:
    pixels = np.zeros((4, 4, 3), np.float32)
    assert count_non_finite(pixels) == 0
    pixels[0, 0] = (np.nan, np.inf, 1)
    pixels[1, 1, 2] = -np.inf
    assert count_non_finite(pixels) == 3
    assert count_non_finite(np.full((4, 4), 3e38, np.float32)) == 0


@pytest.mark.parametrize(
    ("space", "limit"),
    [("ACEScg", 2e-6), (SRGB, 2e-6), (CINEON, 2e-6), ("Linear Rec.2020", 2e-6), (LINEAR, 0), ("ARRI LogC4", 1e-4)],
)
def test_scene_linear_and_back_is_the_identity(space: str, limit: float) -> None:
    """LogC4 spans 469 times white, which costs float32 some digits at its dark end."""
    pixels = _random(low=0.05, high=0.9)
    assert np.abs(from_scene_linear(to_scene_linear(pixels, space), space) - pixels).max() <= limit


def test_scene_linear_is_not_clamped() -> None:
    pixels = np.array([[[-0.5, 40.0, 1000.0]]], np.float32)
    assert np.allclose(from_scene_linear(to_scene_linear(pixels, "ACEScg"), "ACEScg"), pixels, rtol=1e-4)


def test_cineon_has_kodaks_anchors() -> None:
    codes = np.array([[[95 / 1023, 685 / 1023, 445 / 1023]]], np.float32)
    black, white, grey = to_scene_linear(codes, CINEON)[0, 0]
    assert abs(black) < 1e-6
    assert abs(white - 1) < 1e-5
    offset = 10 ** ((95 - 685) * 0.002 / 0.6)
    assert grey == pytest.approx((10 ** ((445 - 685) * 0.002 / 0.6) - offset) / (1 - offset), rel=1e-4)


@pytest.mark.parametrize(
    ("space", "display", "linear"),
    [
        (SRGB, True, False),
        ("sRGB - Display", True, False),
        ("Gamma 2.4 Encoded Rec.709", True, False),
        ("Raw", True, False),
        ("ACEScg", False, True),
        (LINEAR, False, True),
        ("ARRI LogC4", False, False),
        (CINEON, False, False),
        ("Rec.2100-PQ - Display", False, False),
    ],
)
def test_spaces_are_told_apart_by_their_encoding(space: str, display: bool, linear: bool) -> None:
    assert (is_display_referred(space), is_scene_linear(space)) == (display, linear)


def test_only_three_channels_are_converted() -> None:
    with pytest.raises(ValueError, match=r"expected H x W x 3, not \(2, 2, 4\)"):
        to_scene_linear(np.zeros((2, 2, 4), np.float32), SRGB)


def _config(*, interchange: bool = True) -> ocio.Config:
    """A studio's configuration: own names, no encodings, ACEScg as reference."""
    config = ocio.Config()
    config.setVersion(2, 0)
    config.setName("studio")
    config.addColorSpace(ocio.ColorSpace(ocio.REFERENCE_SPACE_SCENE, "plate_lin"))
    aces = ocio.ColorSpace(ocio.REFERENCE_SPACE_SCENE, "aces")
    to_aces = [  # AP1 to AP0, S-2014-004
        *(0.695452241357, 0.140678696470, 0.163869062172, 0),
        *(0.044794563372, 0.859671118456, 0.095534318172, 0),
        *(-0.005525882558, 0.004025210306, 1.001500672252, 0),
        *(0, 0, 0, 1),
    ]
    aces.setTransform(ocio.MatrixTransform(to_aces), ocio.COLORSPACE_DIR_FROM_REFERENCE)
    config.addColorSpace(aces)
    video = ocio.ColorSpace(ocio.REFERENCE_SPACE_SCENE, "plate_video")
    video.setTransform(ocio.ExponentTransform([2.2, 2.2, 2.2, 1.0]), ocio.COLORSPACE_DIR_TO_REFERENCE)
    config.addColorSpace(video)
    config.setRole("scene_linear", "plate_lin")
    if interchange:
        config.setRole("aces_interchange", "aces")
    return config


@pytest.fixture
def user_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(*, interchange: bool = True) -> None:
        path = tmp_path / f"config {interchange}.ocio"
        path.write_text(_config(interchange=interchange).serialize())
        monkeypatch.setenv("OCIO", str(path))

    return install


def test_the_users_configuration_is_asked_first(user_config: Callable[..., None]) -> None:
    user_config()
    choice = resolve_space(_still("half"), "plate_lin")
    assert (choice.name, choice.reason) == ("plate_lin", "stated by the user, from $OCIO (studio)")
    role = resolve_space(_still("half"), "scene_linear")
    assert role.name == "plate_lin"
    pixels = _random(high=0.5)
    assert np.abs(to_scene_linear(pixels, "plate_lin") - to_scene_linear(pixels, "ACEScg")).max() < 1e-4


def test_names_that_the_users_configuration_lacks_come_from_the_built_in_one(
    user_config: Callable[..., None],
) -> None:
    user_config()
    assert resolve_space(_still("half"), "ARRI LogC4").reason.endswith("from the built-in ACES configuration")
    assert resolve_space(_still("uint8"), "").name == SRGB_NAME


def test_a_space_without_encoding_is_judged_by_its_curve(user_config: Callable[..., None]) -> None:
    user_config()
    assert (is_display_referred("plate_video"), is_scene_linear("plate_video")) == (True, False)
    assert (is_display_referred("plate_lin"), is_scene_linear("plate_lin")) == (False, True)


def test_a_configuration_without_interchange_role_is_an_error(user_config: Callable[..., None]) -> None:
    user_config(interchange=False)
    with pytest.raises(ColorError, match=r"cannot convert plate_video to Linear Rec\.709.*needs the role aces_interch"):
        to_scene_linear(_random(), "plate_video")


def test_a_broken_configuration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", "/nowhere/config.ocio")
    with pytest.raises(ColorError, match=r"\$OCIO is '/nowhere/config\.ocio', which cannot be used.*unset \$OCIO"):
        resolve_space(_still("half"), "ACEScg")


def test_without_any_built_in_configuration_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(color, "_BUILT_IN", ("ocio://none-such",))
    color._built_in.cache_clear()
    with pytest.raises(ColorError, match=r"no built-in ACES configuration.*Install opencolorio"):
        color._built_in()
    color._built_in.cache_clear()
