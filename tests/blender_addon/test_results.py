"""Mattes as datablocks, alpha that can be undone, masks as files, nodes in every kind of tree."""

from __future__ import annotations

from array import array
from pathlib import Path
from types import SimpleNamespace
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


def test_a_matte_that_nobody_uses_is_still_there_when_the_file_is_opened_again(addon: Addon) -> None:
    image(addon, "nobody's")
    show(addon, Path("/out/fur_alpha.1001.exr"))
    addon.blender.save_and_open("/shot/a.blend")
    assert [found.name for found in addon.blender.data.images] == ["fur_alpha"]
    assert [found.name for found in addon.module("mattes").mattes()] == ["fur_alpha"]


def test_a_matte_that_was_let_go_is_kept_again_when_it_is_pulled_again(addon: Addon) -> None:
    made = show(addon, Path("/out/fur_alpha.1001.exr"))
    made.use_fake_user = False
    assert show(addon, Path("/out/fur_alpha.1001.exr")) is made
    assert made.use_fake_user
    made.use_fake_user = False
    addon.blender.save_and_open("/shot/a.blend")
    assert addon.module("mattes").mattes() == [], "the artist could not get rid of it"


LIBRARY = SimpleNamespace(name="lib.blend", filepath="//lib.blend")


def test_a_linked_plate_and_one_of_this_file_have_mattes_of_their_own(addon: Addon) -> None:
    mattes = addon.module("mattes")
    linked, own = image(addon, "fur", library=LIBRARY), image(addon, "fur")
    assert [mattes.Origin.of(plate).find() for plate in (linked, own)] == [linked, own]
    of_linked = show(addon, Path("/out/fur_alpha.1001.exr"), origin=mattes.Origin.of(linked))
    assert mattes.latest_matte(own) is None
    of_own = show(addon, Path("/out/fur_alpha.1001.exr"), origin=mattes.Origin.of(own))
    assert [mattes.latest_matte(plate) for plate in (linked, own)] == [of_linked, of_own]
    assert [mattes.origin_of(matte).find() for matte in (of_linked, of_own)] == [linked, own]


def test_a_matte_of_a_linked_plate_from_before_libraries_were_noted_is_found(addon: Addon) -> None:
    mattes = addon.module("mattes")
    linked = image(addon, "fur", library=LIBRARY)
    matte = show(addon, Path("/out/fur_alpha.1001.exr"))
    del matte.custom["gossamer_library"]
    assert mattes.latest_matte(linked) is matte
    image(addon, "fur")
    assert mattes.latest_matte(linked) is None, "an image of this file came first"


def test_a_linked_matte_belongs_to_the_plate_of_its_library_and_is_not_changed(addon: Addon) -> None:
    mattes = addon.module("mattes")
    linked_plate, own_plate = image(addon, "fur", library=LIBRARY), image(addon, "fur")
    linked = show(addon, Path("/out/fur_alpha.1001.exr"))
    linked.library = LIBRARY
    assert (mattes.latest_matte(linked_plate), mattes.latest_matte(own_plate)) == (linked, None)
    again = show(addon, Path("/out/fur_alpha.1001.exr"), origin=mattes.Origin.of(linked_plate))
    assert again is not linked


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


def write(addon: Addon, plate: Any, alpha: float = 0.25) -> None:
    addon.blender.data.images.files["/out/a.exr"] = (2, 1, [alpha, alpha, alpha, 1.0, 0.5, 0.5, 0.5, 1.0])
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


def test_undo_reaches_the_pixels_before_an_alpha_in_a_file_that_was_saved_with_one(addon: Addon) -> None:
    plate = image(addon, "plate", source="GENERATED")
    plate["gossamer_step"] = 1
    before = array("f", plate.pixels.values)
    write(addon, plate)
    assert plate.custom["gossamer_step"] > 1
    plate["gossamer_step"] = 1
    addon.session.journal.follow()
    assert plate.pixels.values == before


def test_undo_of_the_second_alpha_keeps_what_was_painted_after_the_first(addon: Addon) -> None:
    plate = image(addon, "plate", source="GENERATED")
    pictures, steps = [array("f", plate.pixels.values)], [0]
    for alpha in (0.25, 0.75):
        write(addon, plate, alpha)
        pictures.append(array("f", plate.pixels.values))
        steps.append(plate.custom["gossamer_step"])
        if alpha == 0.25:
            plate.pixels.values[0] = 0.99
            pictures.append(array("f", plate.pixels.values))
            steps.append(steps[-1])
    plain, first, painted, second = pictures

    def at(step: int) -> array[float]:
        plate["gossamer_step"] = step
        addon.session.journal.follow()
        return array("f", plate.pixels.values)

    assert at(steps[2]) == painted
    plate.pixels.foreach_set(first)  # Blender's own undo of the stroke
    assert at(0) == plain
    assert at(steps[1]) == first
    plate.pixels.foreach_set(painted)
    assert at(steps[3]) == second
    assert at(0) == plain, "two steps at once"
    assert at(steps[3]) == second


@pytest.mark.parametrize("has_uid", [True, False])
def test_undo_follows_a_plate_under_another_name_and_leaves_a_new_one_of_the_old_name_alone(
    addon: Addon, has_uid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a number for the session, as in 3.4, a new image may lie at the address of the one that was removed."""
    if not has_uid:
        monkeypatch.setattr(blocks.ID, "as_pointer", lambda _: 1234)
    number = {} if has_uid else {"session_uid": None}
    plate = image(addon, "plate", source="GENERATED", **number)
    before = array("f", plate.pixels.values)
    write(addon, plate)
    plate.name = "renamed"
    step = plate.custom.pop("gossamer_step")
    addon.session.journal.follow()
    assert plate.pixels.values == before
    plate["gossamer_step"] = step
    addon.session.journal.follow()
    addon.blender.data.images.remove(plate)
    new = image(addon, "renamed", source="GENERATED", **number)
    new.pixels.foreach_set([0.9, 0.8, 0.7, 1.0, 0.6, 0.5, 0.4, 1.0])
    addon.session.journal.follow()
    assert new.pixels.values == array("f", [0.9, 0.8, 0.7, 1.0, 0.6, 0.5, 0.4, 1.0])


def float_plate(addon: Addon) -> Any:
    return image(addon, "plate", source="GENERATED", is_float=True)


def read_by_worker(addon: Addon, plate: Any) -> list[float]:
    values: list[float] = addon.module("images").image_element(plate).read().values().tolist()
    return values


def test_a_second_press_on_a_float_plate_mattes_what_it_was_and_writes_over_that(addon: Addon) -> None:
    once, twice = float_plate(addon), float_plate(addon)
    plain = read_by_worker(addon, once)
    write(addon, once, 0.75)
    for alpha in (0.0, 0.25, 0.75):
        write(addon, twice, alpha)
        assert read_by_worker(addon, twice) == plain, "the worker was given colours times alpha"
    assert twice.pixels.values == once.pixels.values
    twice["gossamer_step"] = 0
    addon.session.journal.follow()
    assert read_by_worker(addon, twice) == plain


def test_a_float_plate_that_was_saved_with_its_alpha_is_read_as_it_was_before(addon: Addon, tmp_path: Path) -> None:
    plate = image(addon, "plate", tmp_path / "plate.exr", is_float=True)
    element = addon.module("images").image_element
    assert element(plate).read is None
    plain = array("f", plate.pixels.values)
    write(addon, plate, 0.25)
    assert element(plate).path == ""
    plate.pixels.foreach_set(plain)
    assert element(plate).path == str(tmp_path / "plate.exr"), "it was reloaded"


def test_a_float_plate_that_was_painted_on_after_its_alpha_is_refused(addon: Addon) -> None:
    plate = float_plate(addon)
    write(addon, plate, 0.25)
    plate.pixels.values[0] = 0.99
    again = r"colours of plate are multiplied by an alpha .* Undo the alpha first, or open the plate's file as a new"
    for press in (lambda: addon.module("images").image_element(plate), lambda: write(addon, plate, 0.75)):
        with pytest.raises(KnobError, match=again):
            press()
    plate.alpha_mode = "CHANNEL_PACKED"
    assert read_by_worker(addon, plate)[0] == pytest.approx(0.99), "colour and alpha are strangers there"


def test_a_float_plate_that_shows_another_file_is_that_file(addon: Addon, tmp_path: Path) -> None:
    plate = image(addon, "plate", tmp_path / "plate.v1.exr", is_float=True)
    write(addon, plate, 0.25)
    (tmp_path / "plate.v2.exr").write_bytes(b"x")
    plate.filepath, plate.is_dirty = str(tmp_path / "plate.v2.exr"), False
    plate.pixels.foreach_set([0.01, 0.02, 0.03, 0.25, 0.04, 0.05, 0.06, 0.5])
    plate.is_dirty = False
    assert addon.module("images").image_element(plate).path == str(tmp_path / "plate.v2.exr")


def test_a_float_plate_out_of_a_file_that_was_saved_with_an_alpha_is_refused(addon: Addon) -> None:
    plate = float_plate(addon)
    plain = array("f", plate.pixels.values)
    write(addon, plate, 0.25)
    plate.use_fake_user = True
    addon.blender.save_and_open("/shot/a.blend")
    for lost in (False, True):
        if lost:  # a picture that began without an alpha is packed without one
            plate.pixels.values[3::4] = array("f", [1.0, 1.0])
        with pytest.raises(KnobError, match=r"multiplied by an alpha that was pulled before"):
            addon.module("images").image_element(plate)
    plate.pixels.foreach_set(plain)  # it was not packed: Blender reads its file again
    assert read_by_worker(addon, plate) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


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


LONG = "SH0100_comp_plate_main_v003_ACEScg_2048x1152_denoised_alpha"


@pytest.mark.parametrize("is_old", [False, True])
def test_nodes_of_a_matte_with_a_long_name_are_found_again(addon: Addon, is_old: bool, tmp_path: Path) -> None:
    """Labels hold 63 bytes. Old nodes have nothing but their frame's label."""
    plate = image(addon, "SH0100", source="SEQUENCE")
    (tmp_path / f"{LONG}.1001.exr").touch()
    matte = show(addon, tmp_path / f"{LONG}.1001.exr")
    matte.name = LONG
    assert add_nodes(addon, plate, matte)
    tree = tree_of(addon.blender.context.scene)
    images = [node for node in tree.nodes if node.bl_idname == "CompositorNodeImage"]
    frame = next(node for node in tree.nodes if node.bl_idname == "NodeFrame")
    if is_old:
        for node in images:
            node._custom.clear()
    else:
        frame.label = "my cutout"
    assert not add_nodes(addon, plate, matte), "added twice"
    (tmp_path / f"{LONG}.1008.exr").touch()
    addon.module("nodes").extend_to_last_frame(matte)
    assert [node.frame_duration for node in images] == [8, 8]
    matte.name = "renamed"
    assert not add_nodes(addon, plate, matte)
    other = show(addon, Path("/out/other_alpha.1001.exr"))
    assert add_nodes(addon, plate, other), "another matte was taken for this one"


def test_an_artists_own_node_with_the_matte_is_no_reason_to_add_none(addon: Addon) -> None:
    plate, matte = image(addon, "fur", source="SEQUENCE"), show(addon, Path("/out/fur_alpha.1001.exr"))
    tree, _ = addon.module("compat").compositor_tree(addon.blender.context.scene)
    tree.nodes.new("CompositorNodeImage").image = matte
    assert add_nodes(addon, plate, matte)


def test_a_render_goes_on_being_seen_under_nodes_in_a_new_tree(addon: Addon) -> None:
    scene = addon.blender.context.scene
    scene.camera = object()
    add_nodes(addon, image(addon, "fur", source="SEQUENCE"), show(addon, Path("/out/fur_alpha.1001.exr")))
    assert "CompositorNodeRLayers" in [node.bl_idname for node in scene.node_tree.nodes]
