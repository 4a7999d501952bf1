"""Which channels of a file are its colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from gossamer.errors import ImageReadError
from gossamer.image.header import Metadata, alpha_channel, choice_note, common_type, picture_channels, rgb_channels


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (("R", "G", "B"), ("R", "G", "B")),
        (("A", "B", "G", "R"), ("R", "G", "B")),
        (("r", "g", "b", "a"), ("r", "g", "b")),
        (("Red", "Green", "Blue"), ("Red", "Green", "Blue")),
        (("beauty.R", "beauty.G", "beauty.B", "Z"), ("beauty.R", "beauty.G", "beauty.B")),
        (("beauty.R", "beauty.G", "beauty.B", "R", "G", "B"), ("R", "G", "B")),
        (("a.red", "a.green", "a.blue"), ("a.red", "a.green", "a.blue")),
        (("Y",), ("Y",)),
        (("Y", "A"), ("Y",)),
        (("Y", "Z", "depth"), ("Y",)),
        (("mask",), ("mask",)),
        (("A",), ("A",)),
        (("matte.alpha",), ("matte.alpha",)),
        (("layer.Y", "Z"), ("layer.Y",)),
    ],
)
def test_the_colours_of_a_picture_are_found_by_name(channels: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert rgb_channels(channels) == expected


@pytest.mark.parametrize(
    "channels", [("forward.u", "forward.v"), ("Y", "RY", "BY"), ("R", "G", "Z"), ("X", "Y", "Z"), ("N.X", "N.Y", "N.Z")]
)
def test_a_file_without_colours_is_an_error_that_lists_its_channels(channels: tuple[str, ...]) -> None:
    with pytest.raises(ImageReadError, match=r"shot\.exr: no red, green and blue.*" + ", ".join(channels)):
        rgb_channels(channels, Path("shot.exr"))


@pytest.mark.parametrize(
    ("channels", "note"),
    [
        (("R", "G", "B", "A", "Z", "ao.R", "ao.G", "ao.B"), ""),
        (("ao.R", "ao.G", "ao.B", "ao.A"), ""),
        (("Y", "A"), ""),
        (
            ("ao.R", "ao.G", "ao.B", "rgb.R", "rgb.G", "rgb.B"),
            "the plate: read from ao.R, ao.G, ao.B; not from rgb",
        ),
        (("Y", "depth.Z"), "the plate: read from Y; not from depth"),
        (("b.R", "b.G", "b.B", "Z"), "the plate: read from b.R, b.G, b.B; not from the channels without a layer"),
    ],
)  # fmt: skip
def test_a_choice_among_channels_is_told(channels: tuple[str, ...], note: str) -> None:
    assert choice_note(channels, rgb_channels(channels)) == note


def test_the_plain_alpha_channel_is_preferred_to_a_layers() -> None:
    assert alpha_channel(("matte.alpha", "R", "A")) == "A"
    assert alpha_channel(("matte.alpha", "R")) == "matte.alpha"
    assert alpha_channel(("R", "G", "B")) is None


def test_a_picture_is_its_colours_and_the_alpha_of_the_same_layer_or_the_only_one() -> None:
    channels = ("beauty.R", "beauty.G", "beauty.B", "beauty.A", "matte.A", "Z")
    assert picture_channels(channels) == ("beauty.R", "beauty.G", "beauty.B", "beauty.A")
    assert picture_channels(("R", "G", "B", "matte.alpha", "depth.Z")) == ("R", "G", "B", "matte.alpha")
    assert picture_channels(("R", "G", "B")) == ("R", "G", "B")
    assert picture_channels(("A",)) == ("A",)
    assert picture_channels(("u", "v", "w")) == ("u", "v", "w")


def test_channels_of_different_types_share_float() -> None:
    assert common_type(("half", "half")) == "half"
    assert common_type(("half", "float")) == "float"


def test_metadata_keeps_the_type_beside_the_value() -> None:
    metadata = Metadata({"rate": (24, 1), "n": 3}, {"rate": "rational"})
    assert dict(metadata) == {"rate": (24, 1), "n": 3}
    assert (metadata.type_of("rate"), metadata.type_of("n")) == ("rational", "")
    assert repr(metadata) == "Metadata({'rate': (24, 1), 'n': 3})"
