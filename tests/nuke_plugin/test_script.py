"""State stands in knobs: reopen, another machine, two nodes, copy and paste, undo."""

from __future__ import annotations

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
        "Gossamer1.%04d.exr",
        "Gossamer2.%04d.exr",
    }
    assert not np.array_equal(channel(app, first), channel(app, second))


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
    assert keeper.jobs[-1]["outputs"]["path"].endswith("/Gossamer2.%04d.exr")
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
    assert keeper.jobs[0]["outputs"]["path"].endswith("/gossamer/Group1_Gossamer1.%04d.exr")
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
