"""State stands in knobs: reopen, another machine, two nodes, copy and paste, undo."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.fake_nuke import Application
from tests.nuke_plugin.shots import Shot, channel, wait_for


def press(app: Any, node: Any, button: str = "matte_range") -> None:
    node[button].execute()
    wait_for(app, node)
    assert app.messages == []


def test_a_reopened_script_shows_its_mattes(app: Any, start: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app, frame_range="1001-1002", band_out=40.0, view="comp")
    press(app, node)
    before = channel(app, node)
    app.save_as(shot.folder.parent / "shot.nk")
    again = start()
    again.module.scriptOpen(str(shot.folder.parent / "shot.nk"))
    again.frame_number = 1001
    node = again.module.toNode("Gossamer1")
    assert node["band_out"].value() == 40
    assert node["view"].value() == "comp"
    assert np.array_equal(channel(again, node), before)


def test_on_another_machine_nothing_is_done_again_as_long_as_the_mattes_are_there(
    app: Any, start: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    worker()
    node = shot.node(app)
    press(app, node)
    app.save_as(shot.folder.parent / "shot.nk")
    monkeypatch.setenv("NUKE_TEMP_DIR", str(tmp_path))  # whatever lay in the old one is gone
    again = start()
    from gossamer_nuke import session
    from tests.nuke_plugin.in_process import InProcessKeeper

    keeper = InProcessKeeper()
    monkeypatch.setattr(session, "_keeper", keeper)
    again.module.scriptOpen(str(shot.folder.parent / "shot.nk"))
    again.frame_number = 1001
    node = again.module.toNode("Gossamer1")
    press(again, node)
    assert keeper.jobs == []
    assert node["status"].value() == "no frame matted, 4 kept"
    shutil.rmtree(shot.folder.parent / "gossamer")
    press(again, node)
    assert [job["frames"] for job in keeper.jobs] == ["1001-1004"]
    assert channel(again, node)[16, 16] == 1


def test_mattes_that_are_gone_are_an_error_and_not_black(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    shutil.rmtree(shot.folder.parent / "gossamer")
    with pytest.raises(RuntimeError, match=r"Gossamer1\.Result: .*Gossamer1\.1001\.exr: Read error"):
        channel(app, node)


def test_a_node_that_was_never_matted_says_what_to_press(app: Any, shot: Shot) -> None:
    node = shot.node(app)
    with pytest.raises(RuntimeError, match="not matted yet - press 'Matte this frame'"):
        channel(app, node)


def test_two_nodes_in_one_script_do_not_touch_each_other(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    first, second = shot.node(app), shot.node(app, guide="mask", band_in=2.0, band_out=2.0)
    for node in (first, second):
        node["matte_frame"].execute()
    for node in (first, second):
        wait_for(app, node)
    assert {job["outputs"]["path"].rsplit("/", 1)[1] for job in keeper.jobs} == {
        "shot.Gossamer1.%04d.exr",
        "shot.Gossamer2.%04d.exr",
    }
    assert not np.array_equal(channel(app, first), channel(app, second))


def test_two_nodes_that_would_write_the_same_files_are_refused(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    first, second = (shot.node(app, output_pattern="hair.%04d.exr", frame_range="1001") for _ in range(2))
    first["matte_frame"].execute()
    wait_for(app, first)
    assert keeper.jobs == []
    assert "Gossamer2 writes the same files" in first["status"].value()
    assert "Put {node} into the file name" in first["status"].value()
    app.messages.clear()
    second["output_folder"].setValue("elsewhere")
    press(app, first)
    assert len(keeper.jobs) == 1


def test_a_pasted_node_shows_the_mattes_it_was_copied_with_until_it_makes_its_own(
    app: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    for member in app.root_node.nodes():
        member["selected"].setValue(member is node)
    app.module.nodeCopy("%clipboard%")
    copy = app.module.nodePaste("%clipboard%")
    assert copy.name() == "Gossamer2"
    for index in (0, 1):
        copy.setInput(index, node.input(index))
    assert copy["result_file"].value() == node["result_file"].value()
    assert np.array_equal(channel(app, copy), channel(app, node))
    press(app, copy)
    assert keeper.jobs[-1]["outputs"]["path"].endswith("/shot.Gossamer2.%04d.exr")
    assert copy["result_file"].value() != node["result_file"].value()


def test_one_undo_takes_a_matte_back_and_leaves_the_knobs(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app, frame_range="1001")
    node["band_out"].setValue(33.0)
    before = len(app.undo_entries)
    press(app, node)
    assert [name for name, _ in app.undo_entries[before:]] == ["Gossamer matte"]
    app.module.undo()
    assert not node["has_result"].value()
    assert node["result_file"].value().startswith("not matted yet")
    assert node["band_out"].value() == 33
    app.module.undo()
    assert node["band_out"].value() == 24


def test_inside_a_group_the_full_name_keeps_files_apart(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    plate, trimap = shot.read(app), shot.read(app, "trimap")
    group = app.module.nodes.Group(inputs=[plate, trimap])
    with group:
        inputs = [app.module.nodes.Input(name=name, number=i) for i, name in enumerate(("a", "b"))]
        node = app.module.nodes.Gossamer(inputs=inputs)
        app.module.nodes.Output(inputs=[node])
    app.save_as(shot.folder.parent / "shot.nk")
    app.frame_number = 1001
    node["matte_frame"].execute()
    wait_for(app, node)
    assert app.messages == []
    assert keeper.jobs[0]["outputs"]["path"].endswith("/gossamer/shot.Group1_Gossamer1.%04d.exr")
    assert channel(app, group)[16, 16] == 1


def test_a_renamed_script_folder_is_no_reason_to_guess(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    app.new_script()
    node = app.module.nodes.Gossamer(inputs=[shot.read(app), shot.read(app, "trimap")])
    app.frame_number = 1001
    node["matte_frame"].execute()
    assert app.messages == ["Gossamer1: the script is not saved. Save it, or set the output folder."]


def test_as_a_group_a_script_shows_its_mattes_where_the_plug_in_is_not_installed(
    app: Any, start: Any, shot: Shot, worker: Any, tmp_path: Path
) -> None:
    worker()
    plate, trimap = shot.read(app), shot.read(app, "trimap")
    plate["selected"].setValue(True)
    app.menus["Nodes"].findItem("Gossamer").findItem("Gossamer as Group").invoke()
    node = app.module.toNode("Gossamer1")
    assert node.Class() == "Group"
    assert node.input(0) is plate
    node.setInput(1, trimap)
    node["band_out"].setValue(31.0)
    app.save_as(shot.folder.parent / "shot.nk")
    app.frame_number = 1001
    press(app, node, "matte_frame")
    before = channel(app, node)
    app.save_as(shot.folder.parent / "shot.nk")
    bare = Application(tmp_path / "nothing")
    bare.module.scriptOpen(str(shot.folder.parent / "shot.nk"))
    bare.frame_number = 1001
    node = bare.node_by_name("Gossamer1")
    assert node is not None
    assert node["band_out"].value() == 31
    assert np.array_equal(channel(bare, node), before)


def test_as_a_gizmo_a_script_cannot_be_opened_there(app: Any, shot: Shot, tmp_path: Path) -> None:
    shot.node(app)
    bare = Application(tmp_path / "nothing")
    with pytest.raises(RuntimeError, match="Gossamer: Unknown command"):
        bare.module.scriptOpen(str(shot.folder.parent / "shot.nk"))


def test_two_scripts_in_one_folder_keep_their_mattes_apart_and_versions_share_them(
    app: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    for name in ("comp_v012", "precomp_v003", "comp_v013"):
        app.save_as(shot.folder.parent / f"{name}.nk")
        press(app, node)
    folder = shot.folder.parent.as_posix()
    assert [job["outputs"]["path"] for job in keeper.jobs] == [
        f"{folder}/gossamer/comp.Gossamer1.%04d.exr",
        f"{folder}/gossamer/precomp.Gossamer1.%04d.exr",
    ]
    assert node["result_file"].value() == f"{folder}/gossamer/comp.Gossamer1.%04d.exr"


def test_mattes_of_another_script_are_not_replaced_in_silence(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app, frame_range="1001", output_pattern="{node}_matte.####.exr")
    app.save_as(shot.folder.parent / "comp_v012.nk")
    press(app, node)
    app.save_as(shot.folder.parent / "comp_v013.nk")
    press(app, node, "matte_frame")
    assert "replaced" not in node["status"].value()
    app.save_as(shot.folder.parent / "precomp_v003.nk")
    press(app, node)  # made from the same
    assert node["status"].value() == "no frame matted, 1 kept"
    press(app, node, "matte_frame")
    assert node["status"].value().endswith("mattes of the script comp replaced")
    report = json.loads(Path(node["report_file"].value()).read_text(encoding="utf-8"))
    assert report["notes"][0].startswith("mattes of the script comp lie in ")
    assert any("and are replaced. Put {script} and {node} into the file name" in line for line in app.printed)


@pytest.mark.parametrize(
    ("script", "stem"),
    [
        ("/a/comp_v012.nk", "comp"),
        ("/a/sh010.comp.V2.nk", "sh010_comp"),
        ("/a/hair #3 %04d-v1.nk", "hair__3__04d"),
        ("/a/v012.nk", "v012"),
        ("/a/dev1.nk", "dev1"),
        ("", ""),
    ],
)
def test_a_scripts_name_in_a_file_name_has_no_version_and_no_frame_number(app: Any, script: str, stem: str) -> None:
    from gossamer_nuke.paths import script_stem

    assert script_stem(script) == stem


def test_an_unsaved_script_has_no_name_for_files(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = app.module.nodes.Gossamer(inputs=[shot.read(app), shot.read(app, "trimap")])
    node["output_folder"].setValue(shot.folder.parent.as_posix())
    app.frame_number = 1001
    press(app, node, "matte_frame")
    assert keeper.jobs[0]["outputs"]["path"].endswith("/Gossamer1.%04d.exr")
    node["output_pattern"].setValue("{script}.####.exr")
    node["matte_frame"].execute()
    assert app.messages[0].startswith("Gossamer1: the file name '{script}.####.exr' holds the script's name. Save the")
