"""Mattes as datablocks, alpha that can be undone, masks as files, nodes in every kind of tree."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest

from gossamer_bridge.errors import KnobError
from tests.blender_addon.conftest import Addon
from tests.blender_addon.test_images import image
from tests.fakes.fake_bpy import blocks

EVERY_TREE = pytest.mark.parametrize("addon", [(3, 4, 0), (4, 2, 0), (5, 0, 0)], indirect=True)


def show(addon: Addon, file: Path, **more: Any) -> Any:
    lies = addon.module("frames").FrameMap(1, 1000)
    fur = addon.module("mattes").Origin("fur")
    settings: dict[str, Any] = {"origin": fur, "frame_map": lies, "is_numbered": True, "is_relative": False, **more}
    return addon.module("results").show_matte("fur_alpha", file, **settings)


def test_a_matte_is_data_and_remembers_its_plate_and_its_place_in_time(addon: Addon) -> None:
    matte = show(addon, Path("/out/fur_alpha.1003.exr"))
    assert (matte.name, matte.source, matte.colorspace_settings.name) == ("fur_alpha", "SEQUENCE", "Non-Color")
    mattes = addon.module("mattes")
    assert mattes.origin_of(matte) == mattes.Origin("fur", "IMAGE")
    assert mattes.matte_map(matte).number(3) == 1003


def test_a_studios_configuration_may_call_data_what_it_likes(addon: Addon) -> None:
    addon.blender.data.images.colors = blocks.ACES
    assert show(addon, Path("/out/fur_alpha.1003.exr")).colorspace_settings.name == "Raw"
    plate = image(addon, "plate", source="GENERATED")
    write(addon, plate)
    assert plate.pixels.values[3::4].tolist() == [0.25, 0.5]


def test_the_next_run_shows_its_files_in_the_same_datablock(addon: Addon) -> None:
    first = show(addon, Path("/out/fur_alpha.1003.exr"))
    assert show(addon, Path("/out/fur_alpha.1001.exr")) is first
    assert first.filepath == "/out/fur_alpha.1001.exr"


def test_a_matte_that_was_painted_on_is_left_alone(addon: Addon) -> None:
    first = show(addon, Path("/out/fur_alpha.1001.exr"))
    first.is_dirty = True
    assert show(addon, Path("/out/fur_alpha.1001.exr")) is not first


def test_the_latest_matte_of_a_plate_is_the_one_that_was_made_last_whatever_its_name(addon: Addon) -> None:
    fur = image(addon, "fur", source="SEQUENCE")
    latest = addon.module("mattes").latest_matte
    assert latest(fur) is None
    first, second = (show(addon, Path(f"/{folder}/fur_alpha.1001.exr")) for folder in ("out", "out2"))
    first.name, second.name = "fur_alpha", "fur_alpha.001"
    assert latest(fur) is second
    assert show(addon, Path("/out/fur_alpha.1001.exr")) is first
    assert latest(fur) is first


def test_an_image_and_a_clip_of_one_name_have_mattes_of_their_own(addon: Addon) -> None:
    fur = image(addon, "fur", source="SEQUENCE")
    clip = addon.blender.data.movieclips.add(blocks.MovieClip("fur"))
    mattes = addon.module("mattes")
    of_image = show(addon, Path("/out/fur_alpha.1001.exr"))
    of_clip = show(addon, Path("/out/fur_alpha.1001.exr"), origin=mattes.Origin.of(clip))
    assert (mattes.latest_matte(fur), mattes.latest_matte(clip)) == (of_image, of_clip)
    assert [mattes.origin_of(matte).find() for matte in (of_image, of_clip)] == [fur, clip]


def write(addon: Addon, plate: Any) -> None:
    addon.blender.data.images.files["/out/a.exr"] = (2, 1, [0.25, 0.25, 0.25, 1.0, 0.5, 0.5, 0.5, 1.0])
    addon.module("results").write_alpha(plate, Path("/out/a.exr"), addon.session.journal)


def test_the_plates_own_alpha_follows_undo_and_redo(addon: Addon) -> None:
    plate = image(addon, "plate", source="GENERATED")
    before = array("f", plate.pixels.values)
    write(addon, plate)
    after = array("f", plate.pixels.values)
    assert after[3::4].tolist() == [0.25, 0.5]
    step = plate.custom.pop("gossamer_step")
    addon.session.journal.follow()
    assert plate.pixels.values == before
    plate.custom["gossamer_step"] = step
    addon.session.journal.follow()
    assert plate.pixels.values == after


def test_undo_leaves_alone_what_it_is_not_about(addon: Addon) -> None:
    plate = image(addon, "plate", source="GENERATED")
    write(addon, plate)
    painted = array("f", [0.9] * 8)
    plate.pixels.foreach_set(painted)
    addon.session.journal.follow()
    assert plate.pixels.values == painted
    addon.session.journal.forget()
    plate.custom.clear()
    addon.session.journal.follow()
    assert plate.pixels.values == painted


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "MOVIE"}, r"is a movie: Blender keeps one frame of it. Choose New Image"),
        ({"alpha_mode": "NONE"}, r"ignores its alpha. Set Alpha to Straight"),
        ({"size": (4, 1)}, r"has 2 pixels and plate has 4. Reload the plate"),
    ],
)
def test_plates_that_cannot_take_an_alpha_are_refused(addon: Addon, settings: dict[str, Any], message: str) -> None:
    plate = image(addon, "plate", **{"source": "GENERATED", **settings})
    plate.pixels.foreach_set([0.5] * (plate.size[0] * 4))
    with pytest.raises(KnobError, match=message):
        write(addon, plate)


def mask(addon: Addon) -> Any:
    return addon.blender.data.masks.add(blocks.Mask("roto", layers=[blocks.MaskLayer([blocks.MaskSpline()])]))


@EVERY_TREE
def test_a_mask_is_drawn_at_its_frame_and_nothing_stays_behind(addon: Addon, tmp_path: Path) -> None:
    file = tmp_path / "masks" / "mask.1001.exr"
    draw = addon.module("masks").draw_mask
    assert draw(mask(addon), 7, (64, 36), file)
    assert not draw(mask(addon), 7, (64, 36), file), "the same mask was written again"
    assert file.read_text(encoding="utf-8") == "roto 7 64x36"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert len(addon.blender.data.scenes) == 1
    assert len(addon.blender.data.node_groups) == 0


def test_masks_that_cannot_be_drawn_are_refused(addon: Addon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = addon.module("masks").draw_mask
    with pytest.raises(KnobError, match=r"The mask empty has no splines. Draw one"):
        draw(blocks.Mask("empty"), 1, (4, 4), tmp_path / "a.exr")
    bpy: Any = addon.blender.modules["bpy"]
    monkeypatch.setattr(bpy.ops.render, "render", lambda **_: {"CANCELLED"})
    with pytest.raises(KnobError, match=r"wrote no file .*cache folder in the add-on's preferences"):
        draw(mask(addon), 1, (4, 4), tmp_path / "a.exr")

    def fail(**_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(bpy.ops.render, "render", fail)
    with pytest.raises(KnobError, match=r"cannot draw the mask roto: no. See Blender's console"):
        draw(mask(addon), 1, (4, 4), tmp_path / "a.exr")
    monkeypatch.setattr(bpy.app, "is_job_running", lambda _kind: True)
    with pytest.raises(KnobError, match=r"A render is running. Wait until it is over"):
        draw(mask(addon), 1, (4, 4), tmp_path / "a.exr")


def tree_of(scene: Any) -> Any:
    return scene.node_tree if hasattr(scene, "node_tree") else scene.compositing_node_group


def add_nodes(addon: Addon, plate: Any, matte: Any) -> bool:
    lies = addon.module("frames").FrameMap(1, 1000)
    scene = addon.blender.context.scene
    return bool(addon.module("nodes").add_matte_nodes(scene, plate, matte, plate_map=lies))


@EVERY_TREE
def test_nodes_are_wired_to_the_output_of_a_tree_that_was_not_there(addon: Addon) -> None:
    plate = image(addon, "fur", source="SEQUENCE")
    matte = show(addon, Path("/out/fur_alpha.1001.exr"))
    assert add_nodes(addon, plate, matte)
    tree = tree_of(addon.blender.context.scene)
    links = [(start.node.bl_idname, end.node.bl_idname, end.name) for start, end in tree.links.made[-4:]]
    over = "Foreground" if addon.blender.version >= (5, 0, 0) else "Image"
    output = "NodeGroupOutput" if addon.blender.version >= (5, 0, 0) else "CompositorNodeComposite"
    assert links == [
        ("CompositorNodeImage", "CompositorNodeSetAlpha", "Image"),
        ("CompositorNodeImage", "CompositorNodeSetAlpha", "Alpha"),
        ("CompositorNodeSetAlpha", "CompositorNodeAlphaOver", over),
        ("CompositorNodeAlphaOver", output, "Image"),
    ]
    offsets = [node.frame_offset for node in tree.nodes if node.bl_idname == "CompositorNodeImage"]
    assert offsets == [1000, 1000]
    assert not add_nodes(addon, plate, matte), "added twice"


@EVERY_TREE
def test_nodes_leave_links_that_are_there_as_they_are(addon: Addon) -> None:
    scene = addon.blender.context.scene
    tree, _ = addon.module("compat").compositor_tree(scene)
    layers = tree.nodes.new("CompositorNodeRLayers")
    output = addon.module("compat").output_socket(tree, scene)
    tree.links.made.clear()
    tree.links.new(layers.outputs["Image"], output)
    clip = blocks.MovieClip("shot")
    assert add_nodes(addon, clip, show(addon, Path("/out/fur_alpha.1001.exr")))
    assert [start.node for start, end in tree.links.made if end is output] == [layers]
    backgrounds = [end.node.bl_idname for start, end in tree.links.made[1:] if start.node is layers]
    assert backgrounds == ["CompositorNodeAlphaOver"]
    assert "CompositorNodeMovieClip" in [node.bl_idname for node in tree.nodes]


def test_a_render_goes_on_being_seen_under_nodes_in_a_new_tree(addon: Addon) -> None:
    scene = addon.blender.context.scene
    scene.camera = object()
    add_nodes(addon, image(addon, "fur", source="SEQUENCE"), show(addon, Path("/out/fur_alpha.1001.exr")))
    assert "CompositorNodeRLayers" in [node.bl_idname for node in scene.node_tree.nodes]
