"""Which channels, types and names a frame's files get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
import pytest

from gossamer.config import Job, Outputs
from gossamer.errors import SettingError
from gossamer.image.color import resolve_space
from gossamer.image.image import Image
from gossamer.image.io import read_header, read_image, write_image
from gossamer.inference.display import display_plate
from gossamer.inference.outputs import check_outputs, scene_linear
from gossamer.inference.run import run

MakeShot = Callable[..., tuple[Path, list[Any]]]


def solve(folder: Path, weights: Path, out: Path, *, plate: str = "plate.0001.exr", **outputs: Any) -> Image:
    """Run one frame and read the main result."""
    job = Job(
        plate=str(folder / plate),
        trimap=str(folder / "trimap.0001.exr"),
        model=str(weights),
        outputs=Outputs(path=str(out), **outputs),
    )
    return read_image(Path(run(job).frames[0].outputs[0]))


def rgb_of(image: Image, prefix: str = "") -> Any:
    return np.stack([image.channel(prefix + name) for name in "RGB"], axis=-1)


def test_rgba_holds_the_plate_bit_for_bit(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, plates = make_shot(frames=(1,))
    image = solve(folder, tiny_weights, tmp_path / "m.exr", channels="rgba")
    assert image.channels == ("R", "G", "B", "A")
    assert np.array_equal(rgb_of(image), plates[0])


def test_a_float_plate_stays_float_beside_a_half_matte(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot(frames=(1,))
    pixels = (np.random.default_rng(0).random((48, 64, 3), np.float32) - 0.5) * 1e6
    write_image(folder / "plate.0001.exr", Image.from_pixels(pixels, ("R", "G", "B")), data_type="float")
    image = solve(folder, tiny_weights, tmp_path / "m.exr", channels="rgba")
    header = read_header(tmp_path / "m.exr")
    assert dict(zip(header.channels, header.channel_types, strict=True)) == {
        "R": "float",
        "G": "float",
        "B": "float",
        "A": "half",
    }
    assert np.array_equal(rgb_of(image), pixels)


def test_grey_holds_the_same_values_as_alpha_in_a_channel_that_shows(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=(1,))
    alpha = solve(folder, tiny_weights, tmp_path / "a.exr")
    grey = solve(folder, tiny_weights, tmp_path / "g.exr", channels="grey")
    assert grey.channels == ("Y",)
    assert np.array_equal(grey.pixels, alpha.pixels)


def test_grey_and_a_layer_exclude_each_other() -> None:
    with pytest.raises(SettingError, match="has no --layer matte"):
        Outputs(path="m.exr", channels="grey", layer="matte")


@pytest.mark.parametrize("data_type", ["uint8", "uint16"])
def test_an_integer_plate_can_be_restored_exactly_from_rgba(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, data_type: str
) -> None:
    folder, plates = make_shot(frames=(1,))
    write_image(folder / "plate.0001.png", Image.from_pixels(plates[0], ("R", "G", "B")), data_type=data_type)
    image = solve(folder, tiny_weights, tmp_path / "m.exr", channels="rgba", plate="plate.0001.png")
    most = 255 if data_type == "uint8" else 65535
    stored = read_image(folder / "plate.0001.png").pixels
    assert np.array_equal(np.rint(rgb_of(image) * most), np.rint(stored * most))
    assert str(read_header(tmp_path / "m.exr").metadata["gossamer:rgbSpace"]).startswith("sRGB")


def test_a_grey_plate_gives_three_equal_channels(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, plates = make_shot(frames=(1,))
    write_image(folder / "plate.0001.exr", Image.from_pixels(plates[0][..., :1], ("Y",)), data_type="half")
    image = solve(folder, tiny_weights, tmp_path / "m.exr", channels="rgba")
    assert np.array_equal(rgb_of(image), np.repeat(plates[0][..., :1], 3, axis=2))


def test_premult_and_foreground_fit_together_and_rebuild_solid_pixels(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, plates = make_shot(frames=(1,))
    bright = plates[0] * 20 - 2  # values below 0 and above 1
    write_image(folder / "plate.0001.exr", Image.from_pixels(bright, ("R", "G", "B")), data_type="float")
    image = solve(folder, tiny_weights, tmp_path / "m.exr", channels="premult", foreground=True, data_type="float")
    assert image.channels == ("R", "G", "B", "A", "foreground.R", "foreground.G", "foreground.B")
    alpha, foreground = image.channel("A"), rgb_of(image, "foreground.")
    assert np.allclose(rgb_of(image), foreground * alpha[..., None], atol=1e-5)
    assert np.array_equal(foreground[alpha == 1], bright[alpha == 1])
    assert (rgb_of(image)[alpha == 0] == 0).all()
    assert foreground.max() > 2


def write_grey(path: Path) -> None:
    """An encoded plate of one grey."""
    grey = Image.from_pixels(np.full((48, 64, 3), 0.5, np.float32), ("R", "G", "B"))
    write_image(path, grey, data_type="uint16")


def test_the_foreground_of_an_encoded_plate_is_scene_linear(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=(1,))
    write_grey(folder / "plate.0001.png")
    image = solve(folder, tiny_weights, tmp_path / "m.exr", plate="plate.0001.png", channels="premult")
    assert image.channel("R")[24, 32] == pytest.approx(0.214, abs=1e-3)
    assert read_header(tmp_path / "m.exr").metadata["gossamer:rgbSpace"] == "lin_rec709"


def test_the_header_names_the_space_of_plate_and_foreground(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=(1,))
    write_grey(folder / "plate.0001.png")
    spaces = {}
    for channels in ("alpha", "rgba"):
        path = tmp_path / f"{channels}.exr"
        image = solve(folder, tiny_weights, path, plate="plate.0001.png", channels=channels, foreground=True)
        metadata = read_header(path).metadata
        spaces[channels] = {name: metadata.get(f"gossamer:{name}Space") for name in ("rgb", "foreground")}
    assert image.channel("R")[24, 32] == pytest.approx(0.5, abs=1e-3)
    assert image.channel("foreground.R")[24, 32] == pytest.approx(0.214, abs=1e-3)
    assert str(spaces["rgba"].pop("rgb")).startswith("sRGB")
    assert spaces == {
        "alpha": {"rgb": None, "foreground": "lin_rec709"},
        "rgba": {"foreground": "lin_rec709"},
    }


def test_linear_plates_keep_their_own_primaries() -> None:
    pixels = np.random.default_rng(0).random((4, 5, 3), np.float32)
    same, space = scene_linear(pixels, "ACEScg")
    assert same is pixels
    assert space == "ACEScg"
    converted, space = scene_linear(pixels, "srgb_tx")
    assert space == "lin_rec709"
    assert not np.allclose(converted, pixels)


def test_a_layer_receives_the_matte_and_confidence_is_a_channel(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=(1,))
    image = solve(folder, tiny_weights, tmp_path / "m.exr", layer="hair", confidence=True)
    assert sorted(image.channels) == ["confidence", "hair.alpha"]
    trust = image.channel("confidence")
    assert trust.max() == 1
    assert (trust[image.channel("hair.alpha") == 0] == 1).any()


def test_a_preview_lies_beside_the_matte(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot(frames=(1,))
    solve(folder, tiny_weights, tmp_path / "out", comp="green")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["plate_alpha.0001.exr", "plate_comp.0001.png"]
    preview = read_image(tmp_path / "out" / "plate_comp.0001.png")
    red, green, blue = preview.pixels[0, 0]
    assert green > red + 0.3
    assert green > blue + 0.3


@pytest.mark.parametrize(
    ("name", "wish", "stored", "step"),
    [
        ("m.png", "half", "uint16", 1 / 65535),
        ("m.png", "uint8", "uint8", 1 / 255),
        ("m.tif", "half", "uint16", 1 / 65535),
        ("m.tif", "float", "float", 0),
    ],
)
def test_png_and_tiff_hold_the_rounded_matte(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, name: str, wish: str, stored: str, step: float
) -> None:
    folder, _ = make_shot(frames=(1,))
    exact = solve(folder, tiny_weights, tmp_path / "m.exr", data_type="float").pixels[..., 0]
    image = solve(folder, tiny_weights, tmp_path / name, data_type=wish)
    assert image.data_type == stored
    assert np.abs(image.pixels[..., 0] - exact).max() <= step / 2 + 1e-7


def test_finished_png_frames_are_recognised(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    job = Job(
        plate=str(folder / "plate.####.exr"),
        trimap=str(folder / "trimap.####.exr"),
        model=str(tiny_weights),
        outputs=Outputs(path=str(tmp_path / "out" / "m.####.png"), existing="skip"),
    )
    assert len(run(job).frames) == 3
    assert run(job).finished_before == (1001, 1002, 1003)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"path": ""}, "No output given: -o takes a folder"),
        ({"path": "m.jpg"}, r"m\.jpg would lose values as \.jpg; use \.exr"),
        ({"path": "m.tga"}, r"m\.tga cannot be written: \.tga is no format for mattes\. Use \.exr, \.tif or \.png"),
        ({"path": "m.webp"}, r"m\.webp cannot be written: \.webp is no format for mattes"),
        ({"path": "m.mov"}, r"m\.mov cannot be written: \.mov is no format for mattes"),
        ({"path": "m_####"}, r"m_#### cannot be written: without an ending it has no format for mattes"),
        ({"path": "m.exr", "data_type": "uint8"}, "--data-type uint8: EXR holds half or float"),
        ({"path": "m.png", "data_type": "float"}, "--data-type float: PNG holds whole numbers"),
        (
            {"path": "m.####.png", "channels": "rgba", "confidence": True},
            r"--output-channels rgba, --confidence: a PNG output holds the matte alone",
        ),
        ({"path": "out", "comp": "plaid"}, r"--comp 'plaid' is neither a file nor one of checker, grey"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_before_reading(outputs: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_outputs(Outputs(**outputs))


@pytest.mark.parametrize("path", ["out", "shot.v2", "take #2/", "stills.png/"])
def test_a_folder_of_any_name_holds_exr(path: str) -> None:
    check_outputs(Outputs(path=path, channels="rgba"))


@pytest.mark.parametrize("channels", ["alpha", "rgba", "premult"])
def test_a_plate_in_an_aces_container_gets_a_matte_in_a_plain_exr(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, channels: str
) -> None:
    folder, plates = make_shot(frames=(1,))
    spec = OpenImageIO.ImageSpec(64, 48, 3, "half")
    spec.attribute("acesImageContainerFlag", 1)
    spec.attribute("compression", "none")
    spec.attribute("chromaticities", "float[8]", (0.7347, 0.2653, 0, 1, 0.0001, -0.077, 0.32168, 0.33767))
    container = OpenImageIO.ImageOutput.create("plate.exr")
    assert container is not None
    assert container.open(str(folder / "plate.0001.exr"), spec)
    assert container.write_image(plates[0])
    container.close()
    assert resolve_space(read_image(folder / "plate.0001.exr"), "").name == "ACES2065-1"
    image = solve(folder, tiny_weights, tmp_path / "m.exr", channels=channels)
    assert "acesImageContainerFlag" not in image.metadata
    assert resolve_space(image, "").name == "ACES2065-1"


def test_scene_linear_colours_do_not_keep_the_plates_label(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, plates = make_shot(frames=(1,))
    write_image(
        folder / "plate.0001.exr", Image.from_pixels(plates[0], ("R", "G", "B")), data_type="half",
        attributes={"colorInteropID": "srgb_rec709_scene"},
    )  # fmt: skip
    kept = solve(folder, tiny_weights, tmp_path / "kept.exr", channels="rgba")
    linear = solve(folder, tiny_weights, tmp_path / "linear.exr", channels="premult")
    assert resolve_space(kept, "").name == resolve_space(read_image(folder / "plate.0001.exr"), "").name
    assert resolve_space(linear, "").name == resolve_space(Image.from_pixels(plates[0], ("R", "G", "B")), "").name


def test_only_what_the_network_reads_is_converted() -> None:
    from gossamer.image.image import Window

    pixels = np.full((600, 700, 3), 0.18, np.float32)
    everything = display_plate(pixels, "lin_rec709", None)
    assert everything.min() > 0.4
    part = display_plate(pixels, "lin_rec709", [Window(-32, 300, 96, 64)])
    assert np.array_equal(part[300:364, :64], everything[300:364, :64])
    assert (part[:100] == 0).all()
    assert (part[:, 300:] == 0).all()


def test_the_same_matte_comes_from_three_spaces_of_one_plate(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    """The limit: 0.004 in alpha, from half float in ACEScg and 16 bits in sRGB."""
    from gossamer.image.color import from_scene_linear

    folder, plates = make_shot(frames=(1,))
    plate = plates[0] * 0.7 + 0.05
    spaces = {"lin_rec709": ("exr", "half"), "ACEScg": ("exr", "half"), "srgb_tx": ("png", "uint16")}
    mattes = []
    for space, (ending, data_type) in spaces.items():
        pixels = from_scene_linear(plate, space)
        write_image(folder / f"{space}.{ending}", Image.from_pixels(pixels, ("R", "G", "B")), data_type=data_type)
        job = Job(
            plate=str(folder / f"{space}.{ending}"),
            trimap=str(folder / "trimap.0001.exr"),
            plate_space=space,
            model=str(tiny_weights),
            outputs=Outputs(path=str(tmp_path / f"{space}_matte.exr"), data_type="float"),
        )
        mattes.append(read_image(Path(run(job).frames[0].outputs[0])).channel("A"))
    assert max(np.abs(matte - mattes[0]).max() for matte in mattes[1:]) < 0.004
