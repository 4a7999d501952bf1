"""Reading and writing: values, windows, attributes, and what goes wrong with files."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest

from gossamer.errors import ImageReadError, ImageWriteError
from gossamer.image.color import resolve_space
from gossamer.image.image import Image, Window
from gossamer.image.io import (
    Metadata,
    is_complete,
    lossless_type,
    read_attributes,
    read_header,
    read_image,
    write_image,
)
from gossamer.image.reading import read_picture


def _write_raw(path: Path, spec: oiio.ImageSpec, samples: Any) -> None:
    output = oiio.ImageOutput.create(str(path))
    assert output is not None
    assert output.open(str(path), spec)
    if isinstance(samples, oiio.DeepData):
        assert output.write_deep_image(samples)
    else:
        assert output.write_image(samples)
    assert output.close()


def _write_parts(path: Path, parts: list[tuple[str, tuple[str, ...]]]) -> None:
    specs = []
    for name, channels in parts:
        spec = oiio.ImageSpec(4, 3, len(channels), "half")
        spec.channelnames = channels
        spec.attribute("oiio:subimagename", name)
        specs.append(spec)
    output = oiio.ImageOutput.create(str(path))
    assert output is not None
    assert output.open(str(path), tuple(specs))
    for index, spec in enumerate(specs):
        if index:
            assert output.open(str(path), spec, "AppendSubimage")
        output.write_image(np.full((3, 4, spec.nchannels), index + 1, np.float16))
    output.close()


@pytest.mark.parametrize(
    ("name", "data_type", "channels", "limit"),
    [
        ("a.exr", "float", "RGBA", 0.0),
        ("a.exr", "half", "RGBA", 2.5e-4),
        ("a.tif", "float", "RGBA", 0.0),
        ("a.tif", "uint16", "RGBA", 0.51 / 65535),
        ("a.tiff", "uint8", "RGB", 0.51 / 255),
        ("a.png", "uint8", "RGBA", 0.51 / 255),
        ("a.png", "uint16", "RGBA", 0.51 / 65535),
        ("a.png", "uint8", "Y", 0.51 / 255),
        ("a.PNG", "uint16", "YA", 0.51 / 65535),
        ("a.dpx", "uint10", "RGB", 0.51 / 1023),
        ("a.dpx", "uint12", "RGB", 0.51 / 4095),
        ("a.dpx", "uint16", "RGB", 0.51 / 65535),
        ("a.dpx", "uint8", "RGB", 0.51 / 255),
    ],
)
def test_values_come_back_as_exactly_as_the_type_allows(
    tmp_path: Path, picture: Callable[..., Image], name: str, data_type: str, channels: str, limit: float
) -> None:
    image = picture(7, 5, channels)
    write_image(tmp_path / name, image, data_type=data_type)
    once = read_image(tmp_path / name)
    assert np.abs(once.pixels - image.pixels).max() <= limit
    assert (once.data_type, len(once.channels)) == (data_type, len(channels))
    write_image(tmp_path / f"second{Path(name).suffix}", once, data_type=data_type)
    assert np.array_equal(read_image(tmp_path / f"second{Path(name).suffix}").pixels, once.pixels)


def test_a_jpeg_is_written_with_its_channels_in_order(tmp_path: Path) -> None:
    image = Image.from_pixels(np.full((16, 16, 3), (1.0, 0.5, 0.0), np.float32), ("R", "G", "B"))
    write_image(tmp_path / "a.jpg", image, data_type="uint8")
    back = read_image(tmp_path / "a.jpg")
    assert np.abs(back.pixels - image.pixels).max() < 0.02
    grey = Image.from_pixels(np.full((8, 8, 1), 0.25, np.float32), ("Y",))
    write_image(tmp_path / "g.jpeg", grey, data_type="uint8")
    assert read_image(tmp_path / "g.jpeg").pixels.shape == (8, 8, 1)


@pytest.mark.parametrize(("name", "data_type"), [("a.png", "uint8"), ("a.tif", "uint8"), ("a.exr", "float")])
def test_colours_under_a_low_alpha_are_not_multiplied_or_divided(tmp_path: Path, name: str, data_type: str) -> None:
    pixels = np.zeros((2, 2, 4), np.float32)
    pixels[..., :3] = 1.0
    pixels[0, 0, 3] = 0.2
    write_image(tmp_path / name, Image.from_pixels(pixels, tuple("RGBA")), data_type=data_type)
    back = read_image(tmp_path / name)
    assert np.array_equal(back.pixels[..., :3], pixels[..., :3])
    assert back.pixels[1, 1, 3] == 0


def test_associated_tiff_alpha_stays_associated(tmp_path: Path) -> None:
    pixels = np.full((2, 2, 4), 0.2, np.float32)
    image = Image.from_pixels(pixels, tuple("RGBA"))
    write_image(tmp_path / "a.tif", replace(image, metadata={"oiio:UnassociatedAlpha": 0}), data_type="float")
    back = read_image(tmp_path / "a.tif")
    assert np.array_equal(back.pixels, pixels)
    assert not back.metadata.get("oiio:UnassociatedAlpha", 0)


def _with_header(image: Image) -> Image:
    values = {
        "PixelAspectRatio": 2.0,
        "smpte:TimeCode": (0x01020304, 0),
        "FramesPerSecond": (24000, 1001),
        "chromaticities": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767),
        "nuke/node_hash": "abc é",
        "shot:take": 3,
        "shot:focal": 2.5,
        "worldToCamera": tuple(float(n) for n in range(16)),
        "names": ("a", "b"),
        "offset": (1.0, 2.0),
        "box": (0, 0, 3, 4),
        "boxf": (0.0, 0.5, 3.0, 4.0),
        "pair": (3, 4),
        "triple": (3, 4, 5),
        "smpte:KeyCode": (1, 2, 3, 4, 5, 4, 64),
    }
    types = {
        "PixelAspectRatio": "float",
        "smpte:TimeCode": "timecode",
        "FramesPerSecond": "rational",
        "chromaticities": "float[8]",
        "worldToCamera": "matrix",
        "names": "string[2]",
        "offset": "float2",
        "box": "box2i",
        "boxf": "box2",
        "pair": "int[2]",
        "triple": "int[3]",
        "smpte:KeyCode": "keycode",
    }
    return replace(image, metadata=Metadata(values, types))


def test_header_attributes_pass_through_with_value_and_type(tmp_path: Path, picture: Callable[..., Image]) -> None:
    write_image(tmp_path / "a.exr", _with_header(picture()), data_type="half")
    first = read_image(tmp_path / "a.exr")
    write_image(tmp_path / "b.exr", first, data_type="half", attributes={"gossamer:job": "x", "gossamer:n": 2})
    second = read_image(tmp_path / "b.exr")
    wanted = _with_header(picture()).metadata
    for name, value in wanted.items():
        if isinstance(value, tuple) and isinstance(value[0], float):
            assert second.metadata[name] == pytest.approx(value), name
        else:
            assert second.metadata[name] == value, name
    assert isinstance(first.metadata, Metadata)
    assert isinstance(second.metadata, Metadata)
    added = {"gossamer:job", "gossamer:n"}
    assert set(second.metadata) == set(first.metadata) | added
    assert all(second.metadata.type_of(name) == first.metadata.type_of(name) for name in first.metadata)
    assert read_attributes(read_header(tmp_path / "b.exr")) == {"gossamer:job": "x", "gossamer:n": "2"}


def test_a_double_attribute_becomes_a_float(tmp_path: Path, picture: Callable[..., Image]) -> None:
    image = replace(picture(), metadata=Metadata({"shutter": 0.25}, {"shutter": "double"}))
    write_image(tmp_path / "a.exr", image, data_type="half")
    assert read_image(tmp_path / "a.exr").metadata["shutter"] == 0.25


def test_plain_values_in_a_dictionary_become_attributes(tmp_path: Path, picture: Callable[..., Image]) -> None:
    image = replace(picture(), metadata={"n": 3, "f": 0.5, "s": "x", "two": (1.0, 2.0), "nothing": None})
    write_image(tmp_path / "a.exr", image, data_type="half")
    back = read_image(tmp_path / "a.exr").metadata
    assert (back["n"], back["f"], back["s"], back["two"]) == (3, 0.5, "x", (1.0, 2.0))
    assert "nothing" not in back


def test_overscan_and_crops_keep_both_windows(tmp_path: Path, picture: Callable[..., Image]) -> None:
    image = replace(picture(6, 8), data_window=Window(-3, 5, 8, 6), display_window=Window(1, 2, 4, 3))
    write_image(tmp_path / "a.exr", image, data_type="half")
    back = read_image(tmp_path / "a.exr")
    assert (back.data_window, back.display_window) == (image.data_window, image.display_window)


def test_half_keeps_every_bit_pattern(tmp_path: Path) -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(128, 512, 1)
    spec = oiio.ImageSpec(512, 128, 1, "half")
    _write_raw(tmp_path / "a.exr", spec, every.view(np.float16))
    image = read_image(tmp_path / "a.exr")
    assert image.data_type == "half"
    write_image(tmp_path / "b.exr", image, data_type="half")
    source = oiio.ImageInput.open(str(tmp_path / "b.exr"))
    assert source is not None
    back = source.read_image("half")
    assert back is not None
    assert np.array_equal(back.view(np.uint16), every)


def test_channels_of_different_types_are_written_each_in_its_own(tmp_path: Path) -> None:
    pixels = np.array([[[1 / 3, 1 / 3]]], np.float32)
    image = Image.from_pixels(pixels, ("R", "A"))
    write_image(tmp_path / "a.exr", image, data_type={"R": "float", "A": "half"})
    header = read_header(tmp_path / "a.exr")
    back = read_image(tmp_path / "a.exr")
    assert dict(zip(header.channels, header.channel_types, strict=True)) == {"R": "float", "A": "half"}
    assert header.data_type == "float"
    assert back.channel("R")[0, 0] == pixels[0, 0, 0]
    assert back.channel("A")[0, 0] == np.float16(1 / 3)


def test_wanted_channels_are_read_in_the_wanted_order(tmp_path: Path, picture: Callable[..., Image]) -> None:
    image = picture(4, 4, "RGBAZ")
    write_image(tmp_path / "a.exr", image, data_type={**dict.fromkeys("RGBA", "half"), "Z": "float"})
    back = read_image(tmp_path / "a.exr", channels=("Z", "B", "R"))
    assert back.channels == ("Z", "B", "R")
    assert np.array_equal(back.pixels[..., 0], image.channel("Z"))
    assert np.array_equal(back.pixels[..., 2], image.channel("R").astype(np.float16))


def test_a_missing_channel_is_an_error_that_lists_those_that_exist(tmp_path: Path, save: Callable[..., Path]) -> None:
    path = save(tmp_path / "a.exr")
    with pytest.raises(ImageReadError, match=r"a\.exr has no channel matte\.A\. It has: R, G, B"):
        read_image(path, channels=("R", "matte.A"))


def test_the_part_that_holds_the_wanted_channels_is_read(tmp_path: Path) -> None:
    path = tmp_path / "parts.exr"
    _write_parts(path, [("depth", ("Z",)), ("rgba", ("R", "G", "B")), ("matte", ("matte.A",))])
    assert read_image(path).pixels[0, 0, 0] == 2
    assert read_image(path).channels == ("R", "G", "B")
    assert read_image(path, channels=("matte.A",)).pixels[0, 0, 0] == 3
    header = read_header(path)
    assert header.part == 1
    assert header.parts == (("Z",), ("R", "G", "B"), ("matte.A",))
    with pytest.raises(ImageReadError, match=r"R, Z lie in different parts of the file\. The parts hold: Z; R, G, B;"):
        read_image(path, channels=("R", "Z"))


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([("albedo.R", "albedo.G", "albedo.B"), ("R", "G", "B", "A")], 1),
        ([("Z",), ("N.R", "N.G", "N.B"), ("A",)], 1),
        ([("Z",), ("A",)], 1),
        ([("Z",), ("A",), ("Y",)], 2),
        ([("R", "G", "B"), ("left.R", "left.G", "left.B"), ("R", "G", "B", "A")], 0),
    ],
)
def test_channels_without_a_layer_come_first_across_parts(
    tmp_path: Path, parts: list[tuple[str, ...]], wanted: int
) -> None:
    path = tmp_path / "parts.exr"
    _write_parts(path, [(f"part{index}", channels) for index, channels in enumerate(parts)])
    assert read_header(path).part == wanted
    assert (read_picture(path).pixels == wanted + 1).all()
    assert read_image(path, channels=parts[0][:1]).pixels[0, 0, 0] == 1


def test_without_colour_the_first_part_is_read(tmp_path: Path) -> None:
    _write_parts(tmp_path / "parts.exr", [("depth", ("Z",)), ("motion", ("u", "v"))])
    assert read_image(tmp_path / "parts.exr").channels == ("Z",)


def test_a_picture_leaves_other_layers_in_the_file(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 5), np.float32)
    write_image(tmp_path / "a.exr", Image.from_pixels(pixels, ("R", "G", "B", "A", "N.x")), data_type="half")
    assert read_picture(tmp_path / "a.exr").channels == ("R", "G", "B", "A")


def test_tiled_files_are_read_and_checked(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(40, 37, 3, "half")
    spec.tile_width = spec.tile_height = 16
    values = np.random.default_rng(0).random((37, 40, 3)).astype(np.float16)
    path = tmp_path / "tiled.exr"
    _write_raw(path, spec, values)
    assert np.array_equal(read_image(path).pixels, values.astype(np.float32))
    assert is_complete(path, width=40, height=37, attributes={})
    path.write_bytes(path.read_bytes()[:-200])
    assert not is_complete(path, width=40, height=37, attributes={})


def test_a_file_written_from_the_bottom_up_is_checked_at_its_top(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(40, 70, 3, "half")
    spec.attribute("openexr:lineOrder", "decreasingY")
    path = tmp_path / "a.exr"
    _write_raw(path, spec, np.random.default_rng(0).random((70, 40, 3)).astype(np.float16))
    assert is_complete(path, width=40, height=70, attributes={})
    path.write_bytes(path.read_bytes()[:-200])
    assert not is_complete(path, width=40, height=70, attributes={})


def test_identifiers_stored_as_integers_keep_their_value(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(2, 1, 1, "uint")
    spec.channelnames = ("id",)
    _write_raw(tmp_path / "a.exr", spec, np.array([[[7], [70000]]], np.uint32))
    image = read_image(tmp_path / "a.exr")
    assert image.data_type == "uint32"
    assert image.pixels.ravel().tolist() == [7, 70000]


def test_deep_pixels_are_refused(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(2, 2, 2, "float")
    spec.channelnames = ("A", "Z")
    spec.deep = True
    deep = oiio.DeepData()
    deep.init(4, 2, ["float", "float"], ["A", "Z"])
    _write_raw(tmp_path / "deep.exr", spec, deep)
    with pytest.raises(ImageReadError, match=r"deep\.exr holds deep pixels. Flatten it"):
        read_image(tmp_path / "deep.exr")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match=r"There is no file .*shot\.1001\.exr"):
        read_image(tmp_path / "shot.1001.exr")


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="is a folder, not a picture"):
        read_image(tmp_path)


@pytest.mark.parametrize("name", ["a.exr", "a.png", "a.tif", "a.jpg", "a.dpx"])
def test_a_file_of_zero_bytes_is_called_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ImageReadError, match=r"is empty \(0 bytes\)"):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "data_type"), [("a.exr", "half"), ("a.png", "uint16"), ("a.tif", "uint8"), ("a.jpg", "uint8")]
)
@pytest.mark.parametrize("part", [0.05, 0.5, 0.97])
def test_a_truncated_file_is_an_error_and_not_complete(
    tmp_path: Path, picture: Callable[..., Image], name: str, data_type: str, part: float
) -> None:
    path = tmp_path / name
    write_image(path, picture(64, 64), data_type=data_type)
    assert is_complete(path, width=64, height=64, attributes={})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ImageReadError, match=rf"{name} .*truncated or damaged"):
        read_image(path)
    assert not is_complete(path, width=64, height=64, attributes={})


def test_an_unsupported_format_says_what_to_use(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ImageReadError, match=r"notes\.txt is not a picture that can be read.*Use EXR, TIFF"):
        read_image(tmp_path / "notes.txt")


def test_a_name_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.png")
    path.write_bytes(b"x")
    with pytest.raises(ImageReadError, match="not valid UTF-8"):
        read_image(path)


def test_names_with_accents_and_spaces_work(tmp_path: Path, picture: Callable[..., Image]) -> None:
    folder = tmp_path / "Żółć 映画 äöü"
    folder.mkdir()
    for name, data_type in (("plâte 1.exr", "half"), ("plâte 1.png", "uint8"), ("plâte 1.jpg", "uint8")):
        write_image(folder / name, picture(), data_type=data_type)
        assert read_image(folder / name).width == 8


def test_completeness_compares_size_and_attributes(tmp_path: Path, picture: Callable[..., Image]) -> None:
    for name, data_type in (("a.exr", "half"), ("a.png", "uint8"), ("a.tif", "uint16")):
        path = tmp_path / name
        write_image(path, picture(6, 8), data_type=data_type, attributes={"gossamer:job": "1a2b", "gossamer:n": 2})
        own = {"gossamer:job": "1a2b", "gossamer:n": "2"}
        assert is_complete(path, width=8, height=6, attributes=own), name
        assert not is_complete(path, width=6, height=8, attributes=own), name
        assert not is_complete(path, width=8, height=6, attributes={"gossamer:job": "other"}), name
    assert not is_complete(tmp_path / "none.exr", width=8, height=6, attributes={})


def test_tiff_keeps_the_plates_description_beside_our_lines(tmp_path: Path, picture: Callable[..., Image]) -> None:
    image = replace(picture(), metadata={"ImageDescription": "take 3\ngossamer:job=old"})
    write_image(tmp_path / "a.tif", image, data_type="uint8", attributes={"gossamer:job": "new"})
    assert read_image(tmp_path / "a.tif").metadata["ImageDescription"] == "take 3\ngossamer:job=new"


@pytest.mark.parametrize(("name", "data_type"), [("a.exr", "half"), ("a.png", "uint8"), ("a.tif", "uint16")])
def test_the_same_picture_gives_the_same_bytes(
    tmp_path: Path, picture: Callable[..., Image], monkeypatch: pytest.MonkeyPatch, name: str, data_type: str
) -> None:
    write_image(tmp_path / name, picture(), data_type=data_type)
    first = (tmp_path / name).read_bytes()
    monkeypatch.setenv("TZ", "Pacific/Auckland")  # another time of day
    write_image(tmp_path / name, picture(), data_type=data_type)
    assert (tmp_path / name).read_bytes() == first
    assert "DateTime" not in read_image(tmp_path / name).metadata


def test_only_half_and_float_restore_samples_exactly() -> None:
    kinds = ("half", "uint8", "uint10", "uint12", "uint16", "float")
    assert [lossless_type(kind) for kind in kinds] == ["half", "half", "half", "float", "float", "float"]
    for bits in (8, 10):
        codes = np.arange(2**bits)
        stored = (codes / (2**bits - 1)).astype(np.float32).astype(np.float16).astype(np.float64)
        assert np.array_equal(np.rint(stored * (2**bits - 1)), codes)


def test_integer_types_clip_and_round_and_write_nan_as_zero(tmp_path: Path) -> None:
    pixels = np.array([[[-1.0], [2.0], [0.5], [np.nan], [np.inf]]], np.float32)
    write_image(tmp_path / "a.png", Image.from_pixels(pixels, ("Y",)), data_type="uint8")
    assert (read_image(tmp_path / "a.png").pixels.ravel() * 255).tolist() == [0, 255, 128, 0, 255]


@pytest.mark.parametrize(
    ("name", "data_type", "message"),
    [
        ("a.xyz", "half", r"unknown ending '\.xyz'\. Use one of exr, tif"),
        ("a.exr", "uint8", "cannot hold uint8 samples. Use half or float"),
        ("a.png", "half", "cannot hold half samples. Use uint8 or uint16"),
        ("a.jpg", "uint16", "cannot hold uint16 samples. Use uint8"),
    ],
)
def test_a_format_that_cannot_hold_the_type_is_an_error(
    tmp_path: Path, picture: Callable[..., Image], name: str, data_type: str, message: str
) -> None:
    with pytest.raises(ImageWriteError, match=message):
        write_image(tmp_path / name, picture(), data_type=data_type)


def test_a_channel_without_a_type_is_named(tmp_path: Path, picture: Callable[..., Image]) -> None:
    with pytest.raises(ImageWriteError, match="no data type is given for channel G, B"):
        write_image(tmp_path / "a.exr", picture(), data_type={"R": "half"})


def test_only_exr_mixes_types(tmp_path: Path, picture: Callable[..., Image]) -> None:
    with pytest.raises(ImageWriteError, match="only EXR can hold channels of different types"):
        write_image(tmp_path / "a.tif", picture(), data_type={"R": "uint8", "G": "uint8", "B": "uint16"})


@pytest.mark.parametrize(("name", "channels"), [("a.png", "RGBAZ"), ("a.jpg", "RGBA"), ("a.jpg", "YA")])
def test_too_many_channels_are_refused(tmp_path: Path, picture: Callable[..., Image], name: str, channels: str) -> None:
    with pytest.raises(ImageWriteError, match="the format cannot hold the channels " + ", ".join(channels)):
        write_image(tmp_path / name, picture(4, 4, channels), data_type="uint8")


def test_overscan_needs_exr(tmp_path: Path, picture: Callable[..., Image]) -> None:
    image = replace(picture(6, 8), display_window=Window(1, 1, 4, 4))
    with pytest.raises(ImageWriteError, match="the data window differs from the display window"):
        write_image(tmp_path / "a.png", image, data_type="uint8")


def test_an_unknown_compression_is_refused(tmp_path: Path, picture: Callable[..., Image]) -> None:
    with pytest.raises(ImageWriteError, match=r"EXR has no compression 'zipp'\. Use one of none, rle"):
        write_image(tmp_path / "a.exr", picture(), data_type="half", compression="zipp")


@pytest.mark.parametrize("compression", ["none", "rle", "zip", "zips", "piz"])
def test_every_lossless_compression_keeps_the_values(
    tmp_path: Path, picture: Callable[..., Image], compression: str
) -> None:
    image = picture(33, 20)
    write_image(tmp_path / "a.exr", image, data_type="float", compression=compression)
    assert np.array_equal(read_image(tmp_path / "a.exr").pixels, image.pixels)


def test_a_value_that_half_cannot_hold_is_an_error(tmp_path: Path) -> None:
    image = Image.from_pixels(np.full((1, 1, 1), 70000, np.float32), ("F.R",))
    with pytest.raises(ImageWriteError, match=r"channel F\.R reaches 70000 and half ends at 65504"):
        write_image(tmp_path / "a.exr", image, data_type="half")
    write_image(tmp_path / "a.exr", image, data_type="float")
    assert read_image(tmp_path / "a.exr").pixels[0, 0, 0] == 70000


def _write_png(path: Path, chunks: dict[bytes, bytes]) -> Path:
    """8 x 6, black, with chunks of one's own in front of the pixels, and no others that state colour or place."""
    done, encoded = cv2.imencode(".png", np.zeros((6, 8, 3), np.uint8))
    assert done
    stored = bytes(encoded.tobytes())
    at = stored.find(b"IDAT") - 4
    own = b""
    for kind, data in chunks.items():
        own += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(stored[:at] + own + stored[at:])
    return path


@pytest.mark.parametrize("offset", [(40, 30), (-4, -3)])
def test_a_layers_offset_does_not_move_a_png(tmp_path: Path, offset: tuple[int, int]) -> None:
    image = read_image(_write_png(tmp_path / "a.png", {b"oFFs": struct.pack(">iiB", *offset, 0)}))
    assert image.data_window == image.display_window == Window(0, 0, 8, 6)


def test_a_place_on_the_page_does_not_move_a_tiff(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(8, 6, 3, "uint8")
    spec.x, spec.y = 3, 2
    spec.full_x = spec.full_y = 0
    spec.full_width, spec.full_height = 8, 6
    for name in ("a.tif", "a.dpx"):
        _write_raw(tmp_path / name, spec, np.zeros((6, 8, 3), np.uint8))
        image = read_image(tmp_path / name)
        assert image.data_window == image.display_window == Window(0, 0, 8, 6), name


def test_a_tiff_that_states_a_larger_frame_keeps_its_windows(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(8, 6, 3, "uint8")
    spec.x, spec.y = 3, 2
    spec.full_width, spec.full_height = 16, 12
    _write_raw(tmp_path / "a.tif", spec, np.zeros((6, 8, 3), np.uint8))
    header = read_header(tmp_path / "a.tif")
    assert (header.data_window, header.display_window) == (Window(3, 2, 8, 6), Window(0, 0, 16, 12))


@pytest.mark.parametrize(
    ("chunks", "space"),
    [
        ({b"gAMA": struct.pack(">I", 45455)}, ""),
        ({b"gAMA": struct.pack(">I", 100000)}, "lin_rec709_scene"),
        ({b"gAMA": struct.pack(">I", 55556)}, "g18_rec709_scene"),
        ({b"gAMA": struct.pack(">I", 45455), b"cICP": bytes((1, 4, 0, 1))}, "g22_rec709_scene"),
    ],
)
def test_the_gamma_that_a_png_carries_for_old_decoders_is_no_colour_space(
    tmp_path: Path, chunks: dict[bytes, bytes], space: str
) -> None:
    image = read_image(_write_png(tmp_path / "a.png", chunks))
    assert image.color_space == space
    reason = f"the header says {space}" if space else "uint8 files default to sRGB"
    assert resolve_space(image, "").reason == reason
    assert "2.2" in resolve_space(image, "g22_rec709").name
