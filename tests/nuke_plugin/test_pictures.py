"""What happens to pixels: windows, extremes, layers, views, offsets, proxies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.nuke_plugin.shots import HEIGHT, WIDTH, Shot, channel, read_exr, save_exr, wait_for


def press(app: Any, node: Any, button: str = "matte_frame") -> None:
    node[button].execute()
    wait_for(app, node)
    assert app.messages == []


def matte(shot: Shot, frame: int = 1001, name: str = "shot.Gossamer1") -> Path:
    return shot.folder.parent / "gossamer" / f"{name}.{frame}.exr"


def test_a_bounding_box_larger_than_the_format_is_matted_as_a_whole(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    shot.save(1001, display=(WIDTH - 16, HEIGHT - 8), origin=(-8, -4))
    for guide in ("trimap", "mask"):
        planes, _ = read_exr(shot.folder / f"{guide}.1001.exr")
        save_exr(shot.folder / f"{guide}.1001.exr", planes, display=(WIDTH - 16, HEIGHT - 8), origin=(-8, -4))
    node = shot.node(app)
    press(app, node)
    _, spec = read_exr(matte(shot))
    assert (spec.x, spec.y, spec.width, spec.height) == (-8, -4, WIDTH, HEIGHT)
    assert (spec.full_width, spec.full_height) == (WIDTH - 16, HEIGHT - 8)
    box = node.bbox()
    assert (box.x(), box.y(), box.w(), box.h()) == (-8, -4, WIDTH, HEIGHT)
    assert (node.format().width(), node.format().height()) == (WIDTH - 16, HEIGHT - 8)
    assert channel(app, node)[16, 16] == 1


def test_a_crop_keeps_its_box(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    crop = app.module.nodes.Crop(inputs=[node.input(0)], box=[4, 2, 40, 30])
    node.setInput(0, crop)
    press(app, node)
    _, spec = read_exr(matte(shot))
    assert (spec.x, spec.y, spec.width, spec.height) == (4, 2, 36, 28)


def test_extremes_of_half_and_beyond_pass_through_untouched(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    planes, _ = read_exr(shot.folder / "plate.1001.exr")
    extremes = np.array([65504.0, -65504.0, 6e-8, 1e9, -0.0, np.inf, np.nan], np.float32)
    planes["R"][0, : len(extremes)] = extremes
    save_exr(shot.folder / "plate.1001.exr", planes)
    node = shot.node(app)
    press(app, node)
    red = channel(app, node, "rgba.red")
    assert np.array_equal(red.view(np.uint32), planes["R"].view(np.uint32))
    alpha = channel(app, node)
    assert np.isfinite(alpha).all()
    assert alpha.min() >= 0
    assert alpha.max() <= 1


def test_layers_and_metadata_of_the_plate_stay(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    planes, _ = read_exr(shot.folder / "plate.1001.exr")
    depth = np.linspace(1, 90, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    save_exr(shot.folder / "plate.1001.exr", {**planes, "depth.Z": depth}, attributes={"camera": "A", "iso": 800})
    node = shot.node(app)
    press(app, node)
    assert np.array_equal(channel(app, node, "depth.Z"), depth)
    assert node.metadata("exr/camera") == "A"
    _, spec = read_exr(matte(shot))
    assert spec.getattribute("camera") == "A"
    assert spec.getattribute("iso") == 800
    assert list(spec.channelnames) == ["A"]


def test_the_matte_goes_into_the_channel_that_was_chosen(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    planes, _ = read_exr(shot.folder / "plate.1001.exr")
    own = np.full((HEIGHT, WIDTH), 0.25, np.float32)
    save_exr(shot.folder / "plate.1001.exr", {**planes, "A": own})
    node = shot.node(app)
    node["output_channel"].getLinkedKnob().setValue("matte.alpha")
    press(app, node)
    assert np.array_equal(channel(app, node), own)
    assert channel(app, node, "matte.alpha")[16, 16] == 1


def test_the_channel_of_the_trimap_is_the_one_that_was_chosen(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    planes, _ = read_exr(shot.folder / "trimap.1001.exr")
    trap = np.ones((HEIGHT, WIDTH), np.float32)  # a picture format that always has an alpha
    save_exr(shot.folder / "trimap.1001.exr", {"R": planes["A"], "G": planes["A"], "B": planes["A"], "A": trap})
    node = shot.node(app)
    node["guide_channel"].getLinkedKnob().setValue("rgba.red")
    press(app, node)
    alpha = channel(app, node)
    assert alpha[0, 47] == 0
    assert alpha[16, 16] == 1


def test_output_foreground_replaces_the_colours_and_premultiplied_multiplies_them(
    app: Any, shot: Shot, worker: Any
) -> None:
    worker()
    node = shot.node(app, output="foreground")
    press(app, node)
    files, _ = read_exr(matte(shot))
    assert np.array_equal(channel(app, node, "rgba.red"), files["foreground.R"])
    node["output"].setValue("premultiplied foreground")
    assert np.allclose(channel(app, node, "rgba.red"), files["foreground.R"] * files["A"])
    assert np.array_equal(channel(app, node, "foreground.green"), files["foreground.G"])


def test_confidence_arrives_in_the_layer_nuke_puts_it_in(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app, write_confidence=True)
    press(app, node)
    files, _ = read_exr(matte(shot))
    assert np.array_equal(channel(app, node, "other.confidence"), files["confidence"])
    node["view"].setValue("confidence")
    assert np.array_equal(channel(app, node, "rgba.red"), files["confidence"])


def test_a_time_offset_above_is_followed(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    for index in (0, 1):
        offset = app.module.nodes.TimeOffset(inputs=[node.input(index)], time_offset=-1000.0)
        node.setInput(index, offset)
    app.frame_number = 3
    press(app, node)
    assert matte(shot, 3).name == "shot.Gossamer1.1001.exr".replace("1001", "3")
    original, _ = read_exr(shot.folder / "plate.1003.exr")
    assert np.array_equal(channel(app, node, "rgba.red"), original["R"])
    assert channel(app, node)[16, 18] == 1


def test_stereo_gives_a_matte_for_each_eye(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    app.root_node["views"].setValue("left\nright")
    app.view = "left"
    for eye, shift in (("left", 0), ("right", 6)):
        for what in ("plate", "trimap"):
            planes, _ = read_exr(shot.folder / f"{what}.1001.exr")
            moved = {name: np.roll(plane, shift, axis=1) for name, plane in planes.items()}
            save_exr(shot.folder / f"{what}.{eye}.1001.exr", moved)
    node = shot.node(app, frame_range="1001")
    for index, what in enumerate(("plate", "trimap")):
        node.input(index)["file"].setValue(f"{shot.folder.as_posix()}/{what}.%V.%04d.exr")
    press(app, node, "matte_range")
    assert [job["outputs"]["path"].rsplit("/", 1)[1] for job in keeper.jobs] == [
        "shot.Gossamer1.left.%04d.exr",
        "shot.Gossamer1.right.%04d.exr",
    ]
    left = channel(app, node)
    app.view = "right"
    assert np.abs(np.roll(left, 6, axis=1) - channel(app, node))[:, 12:].max() < 0.02


def test_one_view_of_two_can_be_matted(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    app.root_node["views"].setValue("left\nright")
    node = shot.node(app, frame_range="1001", views="right")
    press(app, node, "matte_range")
    assert len(keeper.jobs) == 1
    assert app.render.rendered[0] == ("Gossamer1.WritePlate", 1001, "right")


@pytest.mark.parametrize("width", [1920, 960])
def test_the_previewed_band_holds_every_pixel_the_worker_calls_unknown(app: Any, shot: Shot, width: int) -> None:
    from gossamer.config import Band
    from gossamer.image.trimap import trimap_from_mask

    height = 64
    rows, columns = np.mgrid[0:height, 0:width]
    soft = np.clip(20.5 - np.hypot(columns - 300, rows - 30), 0, 1).astype(np.float32)
    soft[5:9, 700:720] = 0.5
    save_exr(shot.folder / "mask.1001.exr", {"A": soft})
    save_exr(shot.folder / "plate.1001.exr", dict.fromkeys("RGB", soft))
    node = shot.node(app, guide="mask", band_in=5.0, band_out=9.0, view="trimap")
    shown = channel(app, node, "rgba.red", framed=True)
    wanted = trimap_from_mask(soft, Band(5, 9), width)
    assert set(np.unique(shown)) == {0.0, 0.5, 1.0}
    assert (shown[wanted == 0.5] == 0.5).all()
    differing = np.count_nonzero(shown != wanted) / np.count_nonzero(wanted == 0.5)
    assert 0 < differing < 1  # corners, and whole pixels in place of fractions


def test_core_and_garbage_show_in_the_preview_and_reach_the_worker(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    solid = np.zeros((HEIGHT, WIDTH), np.float32)
    solid[16, 25] = 1
    save_exr(shot.folder / "core.1001.exr", {"A": solid})
    save_exr(shot.folder / "garbage.1001.exr", {"A": np.roll(solid, -2, axis=1)})
    node = shot.node(app)
    node.setInput(2, shot.read(app, "core"))
    node.setInput(3, shot.read(app, "garbage"))
    node["view"].setValue("trimap")
    shown = channel(app, node, "rgba.red")
    assert (shown[16, 25], shown[16, 23], shown[16, 24]) == (1, 0, 0.5)
    node["view"].setValue("overlay")
    plate, _ = read_exr(shot.folder / "plate.1001.exr")
    overlay = channel(app, node, "rgba.red") - plate["R"]
    assert overlay[16, 24] == pytest.approx(0.5, abs=1e-6)
    assert overlay[0, 47] == 0
    node["view"].setValue("matte")
    press(app, node)
    assert keeper.jobs[0]["core_matte"].endswith("/core.%04d.exr")
    alpha = channel(app, node)
    assert (alpha[16, 25], alpha[16, 23]) == (1, 0)


def test_comp_shows_the_matte_over_grey(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app, view="comp")
    press(app, node)
    plate, _ = read_exr(shot.folder / "plate.1001.exr")
    red = channel(app, node, "rgba.red")
    assert red[0, 47] == pytest.approx(0.18)
    assert red[16, 16] == plate["R"][16, 16]


def test_proxy_mode_is_refused_with_what_to_do(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app)
    app.root_node["proxy"].setValue(True)
    node["matte_frame"].execute()
    wait_for(app, node)
    assert app.messages[0].startswith("Gossamer1: proxy mode is on")
    assert "Ctrl+P" in app.messages[0]
    assert keeper.jobs == []


def test_another_format_of_the_trimap_is_refused(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    save_exr(shot.folder / "trimap.1001.exr", {"A": np.zeros((20, 30), np.float32)})
    node = shot.node(app)
    node["matte_frame"].execute()
    assert app.messages == [
        "Gossamer1: the trimap is 30x20 and the plate 48x32. Put a Reformat between Read2 and the input trimap."
    ]
