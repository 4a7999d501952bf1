"""From datablocks to what the worker reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import OpenImageIO
import pytest

from gossamer_bridge.errors import KnobError
from tests.blender_addon.conftest import Addon
from tests.fakes.fake_bpy import blocks

RGBA = [0.1, 0.2, 0.3, 1.0, 0.4, 0.5, 0.6, 1.0]


def image(addon: Addon, name: str, file: Path | None = None, **settings: Any) -> Any:
    """A datablock of 2 x 1 pixels; its file exists if one is given."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    made = addon.blender.data.images.add(blocks.Image(name, filepath=str(file or ""), **settings))
    made.pixels.foreach_set(RGBA)
    return made


def test_a_file_is_read_from_disk_in_the_colour_space_that_blender_shows(addon: Addon, tmp_path: Path) -> None:
    plate = image(addon, "hero.exr", tmp_path / "hero.exr")
    plate.colorspace_settings.name = "ACEScg"
    element = addon.module("images").image_element(plate)
    assert (element.path, element.space, element.is_numbered) == (str(tmp_path / "hero.exr"), "ACEScg", False)


def test_a_sequence_is_a_pattern_and_begins_at_its_first_file(addon: Addon, tmp_path: Path) -> None:
    plate = image(addon, "fur.1001.exr", tmp_path / "fur.1001.exr", source="SEQUENCE")
    element = addon.module("images").image_element(plate)
    assert element.path == str(tmp_path / "fur.####.exr")
    assert element.default_map.number(1) == 1001


def test_a_folder_with_a_hash_does_not_change_the_padding(addon: Addon, tmp_path: Path) -> None:
    file = tmp_path / "Shot #3" / "fur.1001.exr"
    plate = image(addon, "fur.1001.exr", file, source="SEQUENCE")
    clip = blocks.MovieClip("fur.1001.exr", filepath=str(file))
    images = addon.module("images")
    for element in (images.image_element(plate), images.clip_element(clip)):
        assert (element.path, element.padding) == (str(file.parent / "fur.####.exr"), 4)


@pytest.mark.parametrize("state", [{"source": "GENERATED"}, {"is_dirty": True}, {"packed_file": object()}])
def test_what_is_in_memory_only_is_read_from_there(addon: Addon, tmp_path: Path, state: dict[str, Any]) -> None:
    element = addon.module("images").image_element(image(addon, "painted", tmp_path / "old.png", **state))
    assert element.path == ""
    pixels = element.read()
    assert pixels.channels == ("R", "G", "B")
    assert pixels.color_space == "srgb_tx"
    assert pixels.values().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_float_pixels_are_in_the_working_space_whatever_their_file_was(addon: Addon) -> None:
    plate = image(addon, "painted", source="GENERATED", is_float=True)
    assert addon.module("images").image_element(plate).read().color_space == "lin_rec709"


@pytest.mark.parametrize(
    ("addon", "expected"), [((4, 2, 0), "scene_linear"), ((5, 0, 0), "ACEScg")], indirect=["addon"]
)
def test_the_working_space_is_that_of_the_studios_configuration(
    addon: Addon, monkeypatch: pytest.MonkeyPatch, expected: str
) -> None:
    monkeypatch.setenv("OCIO", "/studio/aces.ocio")
    if addon.blender.version >= (5, 0, 0):
        addon.blender.data.colorspace.working_space = "ACEScg"
    plate = image(addon, "painted", source="GENERATED", is_float=True)
    assert addon.module("images").image_element(plate).read().color_space == expected


@pytest.mark.parametrize(("addon", "expected"), [((4, 2, 0), None), ((5, 0, 0), "/mine.ocio")], indirect=["addon"])
def test_the_worker_gets_the_configuration_that_only_blender_knows_of(
    addon: Addon, monkeypatch: pytest.MonkeyPatch, expected: str | None
) -> None:
    monkeypatch.setenv("OCIO", "/studio/aces.ocio")
    monkeypatch.setenv("BLENDER_OCIO", "/mine.ocio")
    environment = addon.module("preferences").worker_settings().environment
    assert (environment or {}).get("OCIO") == expected
    monkeypatch.delenv("BLENDER_OCIO")
    assert addon.module("preferences").worker_settings().environment is None


def test_a_painted_guide_gives_red_where_its_alpha_says_nothing(addon: Addon) -> None:
    guide = image(addon, "trimap", source="GENERATED")
    element = addon.module("images").guide_element(guide, "trimap", plate_is_numbered=False)
    assert element.read().values().tolist() == pytest.approx([0.1, 0.4])
    guide.pixels.foreach_set([0.1, 0.2, 0.3, 0.0, 0.4, 0.5, 0.6, 1.0])
    assert element.read().values().tolist() == [0.0, 1.0]


def test_one_numbered_file_as_a_guide_stays_one_picture_under_a_sequence(addon: Addon, tmp_path: Path) -> None:
    guide = image(addon, "t.1001.png", tmp_path / "t.1001.png")
    element = addon.module("images").guide_element(guide, "trimap", plate_is_numbered=True)
    assert element.read is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "TILED"}, r"UDIM tiles. Use a single image"),
        ({"source": "SEQUENCE", "is_dirty": True}, r"painted on and not saved.*Save or reload"),
        ({"source": "VIEWER", "type": "RENDER_RESULT"}, r"render result.*Save the render"),
        ({"source": "SEQUENCE"}, r"has no file at .*Correct its path"),
        ({"has_data": False}, r"has no file at \(no path\). Correct its path"),
    ],
)
def test_what_cannot_be_matted_is_refused_with_what_to_do(addon: Addon, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(KnobError, match=message):
        addon.module("images").image_element(image(addon, "plate", **settings))


PASSES = tuple(f"ViewLayer.{name}.{letter}" for name in ("AO", "Combined") for letter in "RGB")


def exr(file: Path, *parts: tuple[str, ...]) -> Path:
    """An EXR of 2 x 1 pixels; each part has these channels."""
    specs = [OpenImageIO.ImageSpec(2, 1, len(channels), "half") for channels in parts]
    for index, (spec, channels) in enumerate(zip(specs, parts, strict=True)):
        spec.channelnames = channels
        spec.attribute("oiio:subimagename", f"part {index}")
    output = OpenImageIO.ImageOutput.create(str(file))
    assert output is not None
    assert output.open(str(file), tuple(specs) if len(specs) > 1 else specs[0])
    for index, spec in enumerate(specs):
        assert index == 0 or output.open(str(file), spec, "AppendSubimage")
        assert output.write_image(numpy.zeros((1, 2, spec.nchannels), numpy.float32))
    output.close()
    return file


@pytest.mark.parametrize("source", ["FILE", "SEQUENCE"])
def test_passes_are_refused_as_plate_and_guide_also_where_blender_has_not_read_the_file(
    addon: Addon, tmp_path: Path, source: str
) -> None:
    file = exr(tmp_path / "render.1001.exr", PASSES)
    images = addon.module("images")
    render = image(addon, "render", file, source=source)
    with pytest.raises(KnobError, match=r"The plate render is a multi-layer EXR.*Save the pass that is meant as"):
        images.image_element(render)
    with pytest.raises(KnobError, match=r"The trimap render is a multi-layer EXR"):
        images.guide_element(render, "trimap", plate_is_numbered=True)
    clip = blocks.MovieClip("render", filepath=str(file))
    with pytest.raises(KnobError, match=r"The clip render is a multi-layer EXR"):
        images.clip_element(clip)


def test_passes_that_blender_knows_of_are_refused(addon: Addon) -> None:
    with pytest.raises(KnobError, match=r"is a multi-layer EXR"):
        addon.module("images").image_element(image(addon, "render", type="MULTILAYER", packed_file=object()))


def test_channels_without_a_layer_are_one_picture_and_parts_are_layers(addon: Addon, tmp_path: Path) -> None:
    file = exr(tmp_path / "plate.exr", (*"RGBA", "Z"))
    assert addon.module("images").image_element(image(addon, "plate", file)).path == str(file)
    has_layers = addon.module("exr").has_layers
    cut = tmp_path / "cut.exr"
    cut.write_bytes(exr(tmp_path / "passes.exr", PASSES).read_bytes()[:20])
    assert has_layers(exr(tmp_path / "parts.exr", tuple("RGB"), tuple("RGB")))
    assert not has_layers(cut)
    assert not has_layers(tmp_path / "nothing.exr")


def test_a_sequence_without_a_number_is_refused(addon: Addon, tmp_path: Path) -> None:
    with pytest.raises(KnobError, match=r"plate.exr has no frame number. Set its source to Single Image"):
        addon.module("images").image_element(image(addon, "p", tmp_path / "plate.exr", source="SEQUENCE"))


def test_a_moving_guide_does_not_fit_one_picture(addon: Addon, tmp_path: Path) -> None:
    guide = image(addon, "t", tmp_path / "t.1.png", source="SEQUENCE")
    with pytest.raises(KnobError, match=r"is a sequence, and the plate is one picture. Set the trimap's source"):
        addon.module("images").guide_element(guide, "trimap", plate_is_numbered=False)


def test_an_empty_picture_and_a_guide_of_one_colour_are_refused(addon: Addon) -> None:
    images = addon.module("images")
    with pytest.raises(KnobError, match=r"no pixels that can be read \(0 x 0, 4 channels\). Reload it"):
        images.read_buffer(image(addon, "nothing", source="GENERATED", size=(0, 0)))
    guide = image(addon, "flat", source="GENERATED")
    guide.pixels.foreach_set([0.5] * 8)
    with pytest.raises(KnobError, match=r"one colour everywhere. Paint the core"):
        images.guide_element(guide, "core", plate_is_numbered=False).read()


def test_a_clip_counts_from_its_start_and_its_file(addon: Addon, tmp_path: Path) -> None:
    (tmp_path / "a.0101.png").touch()
    clip = blocks.MovieClip("a.0101.png", filepath=str(tmp_path / "a.0101.png"), frame_start=11, frame_offset=2)
    element = addon.module("images").clip_element(clip)
    assert element.path == str(tmp_path / "a.####.png")
    assert element.default_map.number(11) == 103
    clip.source = "MOVIE"
    assert addon.module("images").clip_element(clip).default_map.number(11) == 3
    clip.filepath = "/gone.mov"
    with pytest.raises(KnobError, match=r"has no file at /gone.mov. Correct its path in the Clip Editor"):
        addon.module("images").clip_element(clip)
