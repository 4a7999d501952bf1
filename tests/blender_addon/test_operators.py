"""The buttons: what starts, what goes on meanwhile, what is left."""

from __future__ import annotations

import importlib
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.blender_addon.conftest import Addon, matte_life
from tests.blender_addon.test_images import image
from tests.blender_addon.test_plain import MASK, PICTURE, written
from tests.blender_addon.test_results import LIBRARY, mask
from tests.fakes.fake_bpy import FakeBlender, blocks, interface

ADDON = Path(__file__).resolve().parents[2] / "blender_addon/gossamer_blender"
TIMER = SimpleNamespace(type="TIMER", value="NOTHING")
ESCAPE = SimpleNamespace(type="ESC", value="PRESS")
MOVE = SimpleNamespace(type="MOUSEMOVE", value="NOTHING")


@pytest.fixture
def shot(addon: Addon, tmp_path: Path) -> Any:
    """A sequence and a trimap, chosen in the panel; mattes go to ``out``."""
    plate = image(addon, "fur.1001.exr", tmp_path / "fur.1001.exr", source="SEQUENCE")
    trimap = image(addon, "trimap.1001.png", tmp_path / "trimap.1001.png", source="SEQUENCE")
    settings = addon.blender.context.scene.gossamer
    settings.plate, settings.trimap, settings.output_folder = plate, trimap, str(tmp_path / "out")
    (tmp_path / "out").mkdir()
    addon.module("preferences").preferences().cache = str(tmp_path / "cache")
    return settings


def matte(tmp_path: Path, number: int) -> Path:
    return tmp_path / "out" / f"fur_alpha.{number}.exr"


def in_window(addon: Addon) -> None:
    addon.blender.modules["bpy.app"].background = False  # type: ignore[attr-defined]


def until_it_ends(addon: Addon, operator: Any) -> set[str]:
    end = time.monotonic() + 30
    while True:
        result: set[str] = operator.modal(addon.blender.context, TIMER)
        if result != {"PASS_THROUGH"}:
            return result
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_script_blocks_until_the_matte_is_there(
    addon: Addon, shot: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    addon.use_worker(matte_life(matte(tmp_path, 1001)))
    operator = addon.blender.operator("gossamer.matte")
    assert operator.invoke(addon.blender.context, TIMER) == {"FINISHED"}
    assert addon.blender.data.images["fur_alpha"].filepath == str(matte(tmp_path, 1001))
    assert "Gossamer: Starting the worker" in capsys.readouterr().out
    assert operator.reports[-1][0] == "INFO"
    assert not addon.session.is_busy


def test_a_button_gives_control_back_and_everything_but_its_timer_passes(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    in_window(addon)
    addon.use_worker(matte_life(matte(tmp_path, 1001)))
    operator = addon.blender.operator("gossamer.matte")
    assert operator.invoke(addon.blender.context, TIMER) == {"RUNNING_MODAL"}
    assert operator.modal(addon.blender.context, MOVE) == {"PASS_THROUGH"}
    assert not operator.poll(addon.blender.context), "a second job could be started"
    assert until_it_ends(addon, operator) == {"FINISHED"}
    manager = addon.blender.context.window_manager
    assert (manager.timers, manager.is_progress_shown) == ([], False)


def test_escape_cancels_and_finished_frames_are_shown(addon: Addon, shot: Any, tmp_path: Path) -> None:
    in_window(addon)
    life = dict(matte_life(matte(tmp_path, 1001)))
    life["matte"] = [*life["matte"][:-1], ["await_cancel"]]
    addon.use_worker(life)
    operator = addon.blender.operator("gossamer.matte", use_range=True)
    operator.invoke(addon.blender.context, TIMER)
    end = time.monotonic() + 30
    while not addon.session.run.host.finished:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert operator.modal(addon.blender.context, ESCAPE) == {"RUNNING_MODAL"}
    assert until_it_ends(addon, operator) == {"FINISHED"}
    assert addon.session.last == ("Cancelled; 1 of 250 frames are there",)
    assert "fur_alpha" in addon.blender.data.images


def test_the_cancel_button_asks_the_job_to_stop(addon: Addon, shot: Any, tmp_path: Path) -> None:
    in_window(addon)
    addon.use_worker({"matte": [["await_cancel"]]})
    cancel = addon.blender.operator("gossamer.cancel")
    assert not cancel.poll(addon.blender.context)
    operator = addon.blender.operator("gossamer.matte")
    operator.invoke(addon.blender.context, TIMER)
    assert cancel.poll(addon.blender.context)
    cancel.execute(addon.blender.context)
    assert until_it_ends(addon, operator) == {"CANCELLED"}
    assert addon.session.last == ("Cancelled",)


def test_a_window_that_is_closed_takes_its_job_along(addon: Addon, shot: Any, tmp_path: Path) -> None:
    in_window(addon)
    addon.use_worker({"matte": [["await_cancel"]]})
    operator = addon.blender.operator("gossamer.matte")
    operator.invoke(addon.blender.context, TIMER)
    operator.cancel(addon.blender.context)
    assert not addon.session.is_busy
    assert addon.blender.context.window_manager.timers == []


def test_another_file_ends_the_job_and_its_operator(addon: Addon, shot: Any, tmp_path: Path) -> None:
    in_window(addon)
    addon.use_worker({"matte": [["await_cancel"]]})
    operator = addon.blender.operator("gossamer.matte")
    operator.invoke(addon.blender.context, TIMER)
    for handler in addon.blender.modules["bpy.app.handlers"].load_pre:
        handler(None)
    assert operator.modal(addon.blender.context, TIMER) == {"CANCELLED"}
    assert addon.session.last == ("Cancelled: another file was opened.",)


def test_the_workers_refusal_reaches_the_artist(addon: Addon, shot: Any, tmp_path: Path) -> None:
    addon.use_worker({"matte": [["fail", "SequenceError", "Frame 1 is missing. Provide the file."]]})
    operator = addon.blender.operator("gossamer.matte")
    assert operator.execute(addon.blender.context) == {"CANCELLED"}
    assert operator.reports == [("ERROR", "Frame 1 is missing. Provide the file.")]
    assert addon.session.is_error


def test_whatever_happens_while_a_matte_is_brought_home_the_next_press_works(
    addon: Addon, shot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TypeError("no such enum.")

    in_window(addon)
    addon.use_worker(matte_life(matte(tmp_path, 1001)))
    operator = addon.blender.operator("gossamer.matte")
    monkeypatch.setattr(addon.module("operators"), "bring_home", fail)
    operator.invoke(addon.blender.context, TIMER)
    assert until_it_ends(addon, operator) == {"CANCELLED"}
    message = "TypeError: no such enum. The console has the details; please report them."
    assert operator.reports[-1] == ("ERROR", message)
    assert (addon.session.last, addon.session.is_busy) == ((message,), False)
    assert addon.blender.context.window_manager.timers == []


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"plate": "nobody"}, "There is no image called 'nobody'. Load it"),
        ({"clip": "nobody"}, "There is no clip called 'nobody'. Load it"),
        ({"editor": "CLIP"}, "No clip is chosen. Open one in the editor."),
        ({"guide": "MASK"}, "No mask is chosen. Choose one in the panel"),
        ({"frames": "9-1"}, "counts backwards"),
        ({"target": "ALPHA"}, "Blender has no place for its alpha. Choose New Image"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    addon: Addon, shot: Any, stated: dict[str, Any], message: str
) -> None:
    operator = addon.blender.operator("gossamer.matte", **stated)
    assert operator.execute(addon.blender.context) == {"CANCELLED"}
    assert message in operator.reports[0][1]
    assert addon.session.keeper.current is None


def test_a_range_that_ends_before_it_starts_is_refused(addon: Addon, shot: Any) -> None:
    shot.use_scene_range, shot.frame_start, shot.frame_end = False, 9, 3
    operator = addon.blender.operator("gossamer.matte", use_range=True)
    operator.execute(addon.blender.context)
    assert "The range ends at 3, before it starts at 9. Correct Start and End." in operator.reports[0][1]


def place(addon: Addon, plate: Any, guides: Any, tmp_path: Path, **wishes: Any) -> Any:
    made = addon.module("wishes").Wishes(**{"output_folder": str(tmp_path / "out"), **wishes})
    return addon.module("orders").place_order(plate, guides, made, cache=tmp_path / "cache")


def test_the_order_says_it_in_the_plates_numbers(addon: Addon, shot: Any, tmp_path: Path) -> None:
    guides = addon.module("orders").Guides(trimap=shot.trimap)
    placed = place(addon, shot.plate, guides, tmp_path, scene_frames=(2, 3), is_range=True)
    knobs = placed.order.knobs
    assert (knobs.plate, knobs.trimap) == (str(tmp_path / "fur.####.exr"), str(tmp_path / "trimap.####.png"))
    assert (knobs.frames, knobs.existing, knobs.channels) == ("1002-1003", "skip", "grey")
    assert placed.file(1002) == matte(tmp_path, 1002)


def test_the_order_says_how_the_network_is_to_be_asked(addon: Addon, shot: Any, tmp_path: Path) -> None:
    guides, asked = addon.module("orders").Guides(trimap=shot.trimap), {"tta": "fine", "nonlocal_mean": "off"}
    knobs = place(addon, shot.plate, guides, tmp_path, scene_frames=(2,), **asked).order.knobs
    assert (knobs.tta, knobs.nonlocal_mean) == ("fine", "off")


def test_what_is_stated_of_the_non_local_mean_wins_over_the_panel(addon: Addon, shot: Any) -> None:
    gather, scene = addon.module("gather").gather_wishes, addon.blender.context.scene
    assert gather(scene, shot, {}, is_range=False).nonlocal_mean == "auto"
    shot.nonlocal_mean = "on"
    assert gather(scene, shot, {}, is_range=False).nonlocal_mean == "on"
    assert gather(scene, shot, {"nonlocal_mean": "off"}, is_range=False).nonlocal_mean == "off"


def test_a_mask_is_drawn_for_every_frame_under_the_plates_numbers(addon: Addon, shot: Any, tmp_path: Path) -> None:
    guides = addon.module("orders").Guides(mask=mask(addon))
    placed = place(addon, shot.plate, guides, tmp_path, scene_frames=(2, 3), is_range=True)
    for step in placed.order.steps:
        step()
    drawn = sorted((tmp_path / "cache" / "masks").rglob("*.exr"))
    assert [path.name for path in drawn] == ["mask.1002.exr", "mask.1003.exr"]
    assert placed.order.knobs.mask == str(drawn[0].parent / "mask.####.exr")
    assert addon.blender.renders == ["roto 2 2x1", "roto 3 2x1"]
    addon.blender.data.masks.clear()
    with pytest.raises(Exception, match=r"The mask roto is gone. Choose another mask"):
        placed.order.steps[0]()


def test_a_linked_mask_is_not_taken_for_one_of_this_file(addon: Addon, shot: Any, tmp_path: Path) -> None:
    own, linked = mask(addon), mask(addon)
    linked.library = LIBRARY
    orders = addon.module("orders")
    drawn = []
    for chosen in (own, linked):
        placed = place(addon, shot.plate, orders.Guides(mask=chosen), tmp_path, scene_frames=(2,))
        drawn.append([step.args[:2] for step in placed.order.steps])
        chosen.layers.clear()
        with pytest.raises(Exception, match=r"The mask roto has no splines"):
            placed.order.steps[0]()
        chosen.layers.append(blocks.MaskLayer([blocks.MaskSpline()]))
    assert drawn == [[("roto", "")], [("roto", "lib.blend")]]


def test_a_name_means_a_datablock_of_this_file_before_a_linked_one(addon: Addon) -> None:
    find = addon.module("gather").find
    images = addon.blender.data.images
    linked = image(addon, "hero", library=LIBRARY)
    assert find(images, "hero", "image") is linked
    own = image(addon, "hero")
    assert find(images, "hero", "image") is own
    assert find(images, "hero [lib.blend]", "image") is linked


def test_the_alpha_goes_into_the_linked_plate_that_was_matted(addon: Addon, shot: Any, tmp_path: Path) -> None:
    linked, own = (image(addon, "hero", source="GENERATED", library=library) for library in (LIBRARY, None))
    shot.plate, shot.guide, shot.target = linked, "NONE", "ALPHA"
    file = tmp_path / "out" / "hero_alpha.exr"
    addon.use_worker({**matte_life(file), "store": [["reply", {"path": str(tmp_path / "p.exr")}]]})
    addon.blender.data.images.files[str(file)] = (2, 1, [0.25, 0.25, 0.25, 1.0] * 2)
    operator = addon.blender.operator("gossamer.matte")
    assert operator.execute(addon.blender.context) == {"FINISHED"}, operator.reports
    assert [plate.pixels.values[3] for plate in (linked, own)] == [0.25, 1.0]


def test_two_blenders_whose_files_are_not_saved_keep_mattes_of_pictures_in_memory_apart(
    addon: Addon, tmp_path: Path
) -> None:
    plate = image(addon, "Untitled", source="GENERATED")

    def placed() -> Path:
        guides = addon.module("orders").Guides()
        order = place(addon, plate, guides, tmp_path, scene_frames=(1,), output_folder="//gossamer/")
        file: Path = order.file(None)
        return file

    first = placed()
    assert first.is_relative_to(tmp_path / "mattes")
    assert placed() == first
    for handler in addon.blender.modules["bpy.app.handlers"].load_pre:
        handler(None)
    second = placed()
    assert second != first, "another file that is not saved"
    addon.module("session").open_session()
    assert placed() not in (first, second), "another Blender"
    addon.blender.data.filepath = str(tmp_path / "a.blend")
    assert placed() == tmp_path / "gossamer" / "Untitled_alpha.exr"


def test_two_blenders_whose_files_are_not_saved_draw_their_masks_apart(addon: Addon, shot: Any, tmp_path: Path) -> None:
    guides = addon.module("orders").Guides(mask=mask(addon))

    def drawn() -> str:
        return str(place(addon, shot.plate, guides, tmp_path, scene_frames=(2,)).order.knobs.mask)

    first = drawn()
    assert drawn() == first, "a range could not be gone on with"
    addon.module("session").open_session()
    assert drawn() != first
    addon.blender.data.filepath = str(tmp_path / "a.blend")
    saved = drawn()
    addon.module("session").open_session()
    assert drawn() == saved


def test_one_picture_has_no_range(addon: Addon, tmp_path: Path) -> None:
    plate = image(addon, "still", source="GENERATED")
    with pytest.raises(Exception, match=r"still is one picture. Press Matte Frame"):
        place(addon, plate, addon.module("orders").Guides(), tmp_path, scene_frames=(1, 2), is_range=True)


def test_before_the_file_is_saved_mattes_go_beside_the_plate_and_it_says_so(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    guides = addon.module("orders").Guides(trimap=shot.trimap)
    placed = place(addon, shot.plate, guides, tmp_path, scene_frames=(1,), output_folder="//gossamer/")
    assert placed.file(1001) == tmp_path / "gossamer" / "fur_alpha.1001.exr"
    assert "not saved" in placed.notes[0]
    addon.blender.data.filepath = str(tmp_path / "scenes" / "a.blend")
    placed = place(addon, shot.plate, guides, tmp_path, scene_frames=(1,), output_folder="//gossamer/")
    assert placed.file(1001).parent == tmp_path / "scenes" / "gossamer"


def test_an_output_field_that_was_cleared_means_the_default(addon: Addon, shot: Any, tmp_path: Path) -> None:
    guides = addon.module("orders").Guides(trimap=shot.trimap)
    addon.blender.data.filepath = str(tmp_path / "a.blend")
    for cleared in ("", "  "):
        placed = place(addon, shot.plate, guides, tmp_path, scene_frames=(1,), output_folder=cleared)
        assert placed.file(1001) == tmp_path / "gossamer" / "fur_alpha.1001.exr"
    placed = place(addon, shot.plate, guides, tmp_path, scene_frames=(1,), output_folder="/")
    assert placed.pattern == "/fur_alpha.####.exr", "two slashes would mean the .blend file's folder"


def test_a_matte_below_a_folder_with_a_hash_is_brought_home(addon: Addon, shot: Any, tmp_path: Path) -> None:
    file = tmp_path / "Shot #3" / "fur_alpha.1001.exr"
    file.parent.mkdir()
    shot.output_folder = str(file.parent)
    addon.use_worker(matte_life(file))
    assert addon.blender.operator("gossamer.matte").execute(addon.blender.context) == {"FINISHED"}
    assert addon.blender.data.images["fur_alpha"].filepath == str(file)


def test_a_matte_in_a_folder_beside_the_blend_file_moves_with_it(addon: Addon, shot: Any, tmp_path: Path) -> None:
    data = addon.blender.data
    for folder in ("shot/scenes", "shot/mattes", "farm"):
        (tmp_path / folder).mkdir(parents=True)
    data.filepath = str(tmp_path / "shot" / "scenes" / "a.blend")
    shot.output_folder = "//../mattes/"
    file = tmp_path / "shot" / "mattes" / "fur_alpha.1001.exr"
    for _ in range(2):
        addon.use_worker(matte_life(file))
        assert addon.blender.operator("gossamer.matte").execute(addon.blender.context) == {"FINISHED"}
    made = addon.module("mattes").mattes()
    assert [found.filepath for found in made] == ["//../mattes/fur_alpha.1001.exr"]
    (tmp_path / "shot").rename(tmp_path / "farm" / "shot")
    data.filepath = str(tmp_path / "farm" / "shot" / "scenes" / "a.blend")
    assert addon.module("mattes").matte_duration(made[0]) == 1
    addon.use_worker(matte_life(tmp_path / "farm" / "shot" / "mattes" / "fur_alpha.1001.exr"))
    addon.blender.operator("gossamer.matte").execute(addon.blender.context)
    assert addon.module("mattes").mattes() == made


def test_plates_that_are_called_alike_do_not_share_a_matte(addon: Addon, shot: Any, tmp_path: Path) -> None:
    data = addon.blender.data
    stills = [image(addon, name, tmp_path / name) for name in ("hero.png", "hero.jpg", "Hero.tif")]
    movie = image(addon, "fur.mov", tmp_path / "fur.mov", source="MOVIE")
    clip = data.movieclips.add(blocks.MovieClip("fur.1001.exr", filepath=str(tmp_path / "fur.1001.exr")))
    plates = [*stills, shot.plate, movie, clip]
    guides = addon.module("orders").Guides()

    def matted(plate: Any) -> str:
        placed = place(addon, plate, guides, tmp_path, scene_frames=(1,), output_folder=str(tmp_path / "x" / ".."))
        addon.module("results").show_matte(
            placed.name,
            placed.file(placed.numbers[0] if placed.numbers else None),
            origin=placed.origin,
            frame_map=placed.frame_map,
            is_numbered=placed.is_numbered,
            is_relative=False,
        )
        return str(Path(placed.pattern).name)

    first = [matted(plate) for plate in plates]
    assert first == [
        "hero_alpha.exr",
        "hero_2_alpha.exr",
        "Hero_3_alpha.exr",
        "fur_alpha.####.exr",
        "fur_2_alpha.####.exr",
        "fur_3_alpha.####.exr",
    ]
    assert [matted(plate) for plate in plates] == first, "a second press is about the same files"
    assert len(addon.module("mattes").mattes()) == len(plates)
    data.images.remove(data.images["hero_alpha"])
    assert matted(stills[1]) == "hero_2_alpha.exr"


def test_a_plate_that_is_called_alike_leaves_the_files_of_a_matte_alone_when_the_file_was_opened_again(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    addon.blender.data.filepath = str(tmp_path / "a.blend")
    names = ("hero.png", "hero.jpg")
    for name, file in zip(names, ("hero_alpha.exr", "hero_2_alpha.exr"), strict=True):
        plate = image(addon, name, tmp_path / name, use_fake_user=True)
        trimap = image(addon, f"{name}_trimap", tmp_path / f"{name}_trimap.png", use_fake_user=True)
        placed = place(addon, plate, addon.module("orders").Guides(trimap=trimap), tmp_path)
        assert Path(placed.pattern).name == file
        shot.plate, shot.trimap = plate, trimap
        addon.use_worker(matte_life(Path(placed.pattern)))
        assert addon.blender.operator("gossamer.matte").execute(addon.blender.context) == {"FINISHED"}
        addon.blender.save_and_open(str(tmp_path / "a.blend"))


def test_a_button_goes_by_the_panel_and_not_by_what_a_script_stated_before(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    in_window(addon)
    context = addon.blender.context
    plate = image(addon, "other.1001.exr", tmp_path / "other.1001.exr", source="SEQUENCE")
    addon.use_worker(matte_life(tmp_path / "out" / "other_alpha.1001.exr"))
    stated = {"plate": plate.name, "frames": "1", "output": str(tmp_path / "out"), "editor": "IMAGE"}
    scripted = addon.blender.operator("gossamer.matte", **stated, use_range=True, clip="")
    scripted.invoke(context, TIMER)
    assert until_it_ends(addon, scripted) == {"FINISHED"}
    addon.blender.finish(scripted)
    context.scene.frame_current = 3
    shot.output_folder = str(tmp_path / "panel")
    (tmp_path / "panel").mkdir()
    addon.use_worker(matte_life(tmp_path / "panel" / "fur_alpha.1003.exr"))
    pressed = addon.blender.operator("gossamer.matte")
    pressed.invoke(context, TIMER)
    knobs = addon.session.run.order.knobs
    assert (knobs.plate, knobs.frames) == (str(tmp_path / "fur.####.exr"), "1003")
    assert knobs.output == str(tmp_path / "panel" / "fur_alpha.####.exr")
    assert until_it_ends(addon, pressed) == {"FINISHED"}


def test_a_key_without_properties_is_not_about_the_editor_or_clip_of_the_call_before(addon: Addon, shot: Any) -> None:
    scripted = addon.blender.operator("gossamer.matte", editor="CLIP", clip="nobody", guide="MASK", frames="9-1")
    scripted.execute(addon.blender.context)
    addon.blender.finish(scripted)
    pressed = addon.blender.operator("gossamer.matte")
    shot.plate = None
    pressed.execute(addon.blender.context)
    assert pressed.reports == [("ERROR", "No plate is chosen. Open one in the editor.")]


def test_add_nodes_and_show_go_by_the_button_and_not_by_the_call_before(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    context = addon.blender.context
    user = SimpleNamespace(frame_start=1, frame_offset=1000, frame_duration=8, use_auto_refresh=True)
    context.space_data = SimpleNamespace(type="IMAGE_EDITOR", image=shot.plate, image_user=user, tree_type="")
    first = matted_into(addon, shot, tmp_path / "one")
    first.name = "first"
    redone = addon.blender.operator("gossamer.add_matte_nodes", matte="first", editor="CLIP")
    redone.execute(context)
    addon.blender.finish(redone)
    second = matted_into(addon, shot, tmp_path / "two")
    addon.blender.operator("gossamer.add_matte_nodes").execute(context)
    shown = [node.image for node in context.scene.node_tree.nodes if node.bl_idname == "CompositorNodeImage"]
    assert shown == [shot.plate, first, shot.plate, second]
    plate_shown = addon.blender.operator("gossamer.show", matte=False)
    plate_shown.execute(context)
    addon.blender.finish(plate_shown)
    addon.blender.operator("gossamer.show").execute(context)
    assert context.space_data.image is second


@pytest.mark.parametrize(
    ("addon", "expected"),
    [((3, 4, 0), {"ANIMATABLE"}), ((4, 5, 0), {"ANIMATABLE", "PATH_SUPPORTS_BLEND_RELATIVE"})],
    indirect=["addon"],
)
def test_the_output_folder_may_be_relative_to_the_blend_file(addon: Addon, expected: set[str]) -> None:
    settings = addon.module("properties").GossamerSettings
    assert settings.__annotations__["output_folder"].options["options"] == expected


def test_an_update_is_in_force_as_soon_as_it_is_switched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blender loads the package again into the names that it has, as ``reload`` does, and switches it on."""
    folder = tmp_path / "gossamer_copy"
    shutil.copytree(ADDON, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(tmp_path))
    blender = FakeBlender()
    blender.install()

    def write_version(number: int) -> None:
        for file in ("session.py", "bundled.py"):
            text = (ADDON / file).read_text(encoding="utf-8")
            (folder / file).write_text(f"{text}VERSION = {number}\n", encoding="utf-8")

    def versions() -> list[int]:
        return [importlib.import_module(f"gossamer_copy.{name}").VERSION for name in ("session", "bundled")]

    try:
        write_version(1)
        main: Any = importlib.import_module("gossamer_copy")
        main.register()
        assert versions() == [1, 1]
        old = main.session
        main.unregister()
        assert not hasattr(main, "session")
        main.session = old  # an earlier version of the add-on left its modules there
        write_version(22)  # as many bytes would be taken for the same file within a second
        importlib.invalidate_caches()
        importlib.reload(main).register()
        assert versions() == [22, 22]
        assert main.session.VERSION == 22
        main.unregister()
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "gossamer_copy"]:
            del sys.modules[name]
        blender.remove()


def test_the_test_button_shows_what_the_worker_answers(addon: Addon) -> None:
    addon.use_worker({})
    operator = addon.blender.operator("gossamer.test_worker")
    operator.execute(addon.blender.context)
    assert addon.session.test_lines[0].startswith("Gossamer 0.1.0, Python 3.11.0")
    assert addon.session.models() == ("gossamer-s",)
    free = addon.blender.operator("gossamer.release_worker")
    assert free.poll(addon.blender.context)
    free.execute(addon.blender.context)
    assert not free.poll(addon.blender.context)


def test_first_use_says_in_one_sentence_what_to_do(
    addon: Addon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GOSSAMER_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    drawn = draw(addon, "GOSSAMER_PT_image")
    assert "No worker yet: install Gossamer in a Python of its own" in " ".join(drawn)
    addon.blender.operator("gossamer.test_worker").execute(addon.blender.context)
    assert addon.session.test_lines[0].startswith("Not working: No worker is set up yet.")


def draw(addon: Addon, panel: str) -> list[str]:
    kind: Any = next(kind for kind in addon.blender.classes if getattr(kind, "bl_idname", "") == panel)
    made = kind()
    made.draw(addon.blender.context)
    drawn: list[str] = made.layout.drawn
    return drawn


def test_panels_draw_their_buttons_and_while_a_job_runs_its_state(addon: Addon, shot: Any, tmp_path: Path) -> None:
    in_window(addon)
    for panel in ("GOSSAMER_PT_image_options", "GOSSAMER_PT_clip", "GOSSAMER_PT_clip_options", "GOSSAMER_PT_nodes"):
        assert draw(addon, panel)
    assert {"(Matte Frame)", "(Matte Range)", "[trimap]"} <= set(draw(addon, "GOSSAMER_PT_image"))
    addon.use_worker({"matte": [["await_cancel"]]})
    operator = addon.blender.operator("gossamer.matte")
    operator.invoke(addon.blender.context, TIMER)
    drawn = draw(addon, "GOSSAMER_PT_image")
    assert "(Cancel (0%))" in drawn
    assert "(Matte Frame)" not in drawn
    operator.cancel(addon.blender.context)


def test_show_and_add_nodes_find_the_matte_of_the_plate(addon: Addon, shot: Any, tmp_path: Path) -> None:
    context = addon.blender.context
    user = SimpleNamespace(frame_start=1, frame_offset=0, frame_duration=1, use_auto_refresh=False)
    context.space_data = SimpleNamespace(type="IMAGE_EDITOR", image=shot.plate, image_user=user, tree_type="")
    nodes = addon.blender.operator("gossamer.add_matte_nodes")
    assert nodes.execute(context) == {"CANCELLED"}
    assert "There is no matte yet. Pull one" in nodes.reports[0][1]
    addon.use_worker(matte_life(matte(tmp_path, 1001)))
    user.frame_offset = 1000
    addon.blender.operator("gossamer.matte").execute(context)
    show = addon.blender.operator("gossamer.show", matte=True)
    assert show.poll(context)
    show.execute(context)
    assert (context.space_data.image.name, user.frame_offset) == ("fur_alpha", 1000)
    assert nodes.execute(context) == {"FINISHED"}
    addon.blender.data.images.remove(shot.plate)
    assert nodes.execute(context) == {"CANCELLED"}
    assert "is gone. Load it under that name." in nodes.reports[-1][1]


def press(addon: Addon, tmp_path: Path, *numbers: int, **stated: Any) -> None:
    """Matte these numbers of the plate."""
    addon.use_worker(matte_life(*(matte(tmp_path, number) for number in numbers)))
    assert addon.blender.operator("gossamer.matte", **stated).execute(addon.blender.context) == {"FINISHED"}


def test_one_frame_of_a_range_leaves_the_matte_as_long_as_it_was(addon: Addon, shot: Any, tmp_path: Path) -> None:
    press(addon, tmp_path, *range(1001, 1009), frames="1-8")
    press(addon, tmp_path, 1003, frames="3")
    made = addon.blender.data.images["fur_alpha"]
    assert made.filepath == str(matte(tmp_path, 1001))
    assert addon.module("mattes").matte_duration(made) == 8


def test_nodes_and_editors_of_a_matte_go_on_to_frames_that_come_later(addon: Addon, shot: Any, tmp_path: Path) -> None:
    context = addon.blender.context
    press(addon, tmp_path, 1001, frames="1")
    nodes = addon.blender.operator("gossamer.add_matte_nodes")
    nodes.execute(context)
    images = [node for node in context.scene.node_tree.nodes if node.bl_idname == "CompositorNodeImage"]
    assert [node.frame_duration for node in images] == [1, 1]
    made = addon.blender.data.images["fur_alpha"]
    user = SimpleNamespace(frame_start=1, frame_offset=1000, frame_duration=1, use_auto_refresh=True)
    editor = SimpleNamespace(type="IMAGE_EDITOR", image=made, image_user=user)
    addon.blender.data.screens.add(screen_of(editor))
    press(addon, tmp_path, *range(1001, 1009), frames="1-8")
    assert [one.frame_duration for one in (*images, user)] == [8, 8, 8]
    images[0].frame_duration, images[1].frame_duration = 24, 1
    assert nodes.execute(context) == {"FINISHED"}
    assert "are there already" in nodes.reports[-1][1]
    assert [node.frame_duration for node in images] == [24, 8], "one that was set to be longer was shortened"


def screen_of(editor: Any) -> Any:
    return SimpleNamespace(name="Layout", areas=[SimpleNamespace(spaces=SimpleNamespace(active=editor))])


def test_showing_the_plate_again_does_not_cut_it_to_the_frames_of_its_matte(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    context = addon.blender.context
    user = SimpleNamespace(frame_start=1, frame_offset=1000, frame_duration=24, use_auto_refresh=True)
    context.space_data = SimpleNamespace(type="IMAGE_EDITOR", image=shot.plate, image_user=user)
    press(addon, tmp_path, 1001, frames="1")
    for is_matte in (True, False):
        addon.blender.operator("gossamer.show", matte=is_matte).execute(context)
    assert (context.space_data.image, user.frame_duration) == (shot.plate, 24)


def test_a_press_with_the_matte_in_the_editor_is_about_the_same_place_in_time(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    context = addon.blender.context
    plate, shot.plate = shot.plate, None
    user = SimpleNamespace(frame_start=101, frame_offset=1000, frame_duration=8, use_auto_refresh=True)
    editor = SimpleNamespace(type="IMAGE_EDITOR", image=plate, image_user=user)
    context.space_data, context.scene.frame_current = editor, 103
    press(addon, tmp_path, 1003)
    addon.blender.operator("gossamer.show", matte=True).execute(context)
    user.frame_start = 102  # moved while the matte is shown
    images = addon.module("images")

    def shown_at_104(space: Any) -> int:
        found: int = images.find_frame_map(plate, images.image_element(plate), space).number(104)
        return found

    assert shown_at_104(editor) == 1003
    addon.blender.data.screens.add(screen_of(editor))
    assert shown_at_104(None) == 1003, "another editor shows the matte"
    other = SimpleNamespace(frame_start=201, frame_offset=1000, frame_duration=8, use_auto_refresh=True)
    addon.blender.data.screens.add(screen_of(SimpleNamespace(type="IMAGE_EDITOR", image=plate, image_user=other)))
    assert shown_at_104(editor) == 1003, "the editor that was used counts before others"
    assert shown_at_104(None) == 904, "the plate's own editor counts before its matte's"
    addon.blender.data.screens.clear()
    assert shown_at_104(None) == 1004, "shown nowhere, it lies as it did when it was matted"


def matted_into(addon: Addon, settings: Any, folder: Path) -> Any:
    folder.mkdir(exist_ok=True)
    settings.output_folder = str(folder)
    addon.use_worker(matte_life(folder / "fur_alpha.1001.exr"))
    assert addon.blender.operator("gossamer.matte").execute(addon.blender.context) == {"FINISHED"}
    return next(found for found in addon.blender.data.images if found.filepath.startswith(str(folder)))


def test_buttons_that_state_no_matte_take_the_newest(addon: Addon, shot: Any, tmp_path: Path) -> None:
    context = addon.blender.context
    user = SimpleNamespace(frame_start=1, frame_offset=1000, frame_duration=8, use_auto_refresh=True)
    context.space_data = SimpleNamespace(type="IMAGE_EDITOR", image=shot.plate, image_user=user, tree_type="")
    first, second = (matted_into(addon, shot, tmp_path / name) for name in ("one", "two"))
    second.name = "fur_alpha.001"
    addon.blender.operator("gossamer.show", matte=True).execute(context)
    assert context.space_data.image is second
    addon.blender.operator("gossamer.add_matte_nodes").execute(context)
    assert [node.label for node in context.scene.node_tree.nodes if node.label] == ["Gossamer fur_alpha.001"]
    assert matted_into(addon, shot, tmp_path / "one") is first
    addon.blender.operator("gossamer.show", matte=True).execute(context)
    assert context.space_data.image is first


def test_nodes_for_a_matte_of_a_clip_hold_the_clip_and_not_an_image_of_its_name(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    context = addon.blender.context
    shot.plate.name = "fur.1001.exr"
    clip = blocks.MovieClip("fur.1001.exr", filepath=str(tmp_path / "fur.1001.exr"))
    context.scene.gossamer_clip.clip = addon.blender.data.movieclips.add(clip)
    context.scene.gossamer_clip.output_folder = shot.output_folder
    addon.use_worker(matte_life(matte(tmp_path, 1001)))
    operator = addon.blender.operator("gossamer.matte", editor="CLIP", trimap=shot.trimap.name)
    assert operator.execute(context) == {"FINISHED"}
    addon.blender.operator("gossamer.add_matte_nodes", editor="CLIP").execute(context)
    assert "CompositorNodeMovieClip" in [node.bl_idname for node in context.scene.node_tree.nodes]
    made = addon.blender.data.images["fur_alpha"]
    user = SimpleNamespace(frame_start=1, frame_offset=1000, frame_duration=8, use_auto_refresh=True)
    context.space_data, shot.plate = SimpleNamespace(type="IMAGE_EDITOR", image=made, image_user=user), None
    show = addon.blender.operator("gossamer.show", matte=False)
    assert show.execute(context) == {"CANCELLED"}
    assert "is a clip. Open it in a Clip Editor." in show.reports[0][1]


def test_a_press_and_the_clear_button_leave_alone_what_the_artist_has_in_the_cache_folder(
    addon: Addon, shot: Any, tmp_path: Path
) -> None:
    theirs = [written(tmp_path / "cache" / name, days_ago=300) for name in ("hero.blend", "pictures/sunset.exr")]
    drawn, stored = (written(tmp_path / "cache" / name, days_ago=days) for name, days in ((MASK, 3), (PICTURE, 0)))
    addon.module("preferences").preferences().cache_limit = 0
    addon.use_worker(matte_life(matte(tmp_path, 1001)))
    addon.blender.operator("gossamer.matte").execute(addon.blender.context)
    assert [file.is_file() for file in (drawn, stored, *theirs)] == [False, True, True, True]
    addon.blender.operator("gossamer.clear_cache").execute(addon.blender.context)
    assert [file.is_file() for file in (stored, *theirs)] == [False, True, True]


def test_a_session_that_is_closed_says_so(addon: Addon) -> None:
    sessions = addon.module("session")
    sessions.close_session()
    with pytest.raises(Exception, match=r"Gossamer is switched off. Switch the add-on on"):
        sessions.session()


def test_switched_off_nothing_runs_and_nothing_is_registered(addon: Addon, shot: Any) -> None:
    in_window(addon)
    addon.use_worker({"matte": [["await_cancel"]]})
    addon.blender.operator("gossamer.matte").invoke(addon.blender.context, TIMER)
    session = addon.session
    end = time.monotonic() + 30
    while session.keeper.current is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    worker = session.keeper.current
    addon.main.unregister()
    assert not worker.is_alive
    assert addon.blender.classes == []
    handlers: Any = addon.blender.modules["bpy.app.handlers"]
    assert (handlers.undo_post, handlers.redo_post, handlers.load_pre) == ([], [], [])
    assert not isinstance(vars(type(addon.blender.context.scene)).get("gossamer"), interface.Declared)


def test_errors_of_the_worker_name_what_the_panels_show(addon: Addon) -> None:
    folder = Path(__file__).resolve().parents[2] / "blender_addon/gossamer_blender"
    shown = "".join((folder / f"{name}.py").read_text(encoding="utf-8") for name in ("properties", "preferences"))
    names = addon.module("preferences").worker_settings().knob_names
    assert names["--tile"].startswith("Memory Limit")
    for words in names.values():
        for label in words.removesuffix(" in the preferences").split(" and "):
            assert f'name="{label}"' in shown, label
