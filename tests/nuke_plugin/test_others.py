"""Files that are not the node's own: nothing of them is written over, and nothing of them is noted as its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.nuke_plugin.shots import Shot, read_exr, save_exr, wait_for


def press(app: Any, node: Any, button: str = "matte_range") -> None:
    node[button].execute()
    wait_for(app, node)


def results(shot: Shot) -> Path:
    return shot.folder.parent / "gossamer"


@pytest.mark.parametrize("name", ["plate.####.exr", "plate.%d.exr"])
def test_a_plate_is_not_written_over(app: Any, shot: Shot, worker: Any, name: str) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001", output_folder=shot.folder.as_posix(), output_pattern=name)
    before = (shot.folder / "plate.1001.exr").read_bytes()
    press(app, node)
    assert app.messages[0].startswith("Gossamer1: Read1 reads the files that the mattes would be written over, ")
    assert app.messages[0].endswith("Choose another file name or another output folder.")
    assert (shot.folder / "plate.1001.exr").read_bytes() == before
    assert keeper.jobs == []


def test_a_read_that_is_relative_to_the_projects_folder_is_found(app: Any, shot: Shot) -> None:
    from gossamer_nuke.others import check_alone, without_note
    from gossamer_nuke.plan import make_plan

    node = shot.node(app, output_folder=shot.folder.as_posix(), output_pattern="mask.####.exr")
    app.root_node["project_directory"].setValue(shot.folder.parent.as_posix())
    app.module.nodes.Read(file="plates/../plates/mask.####.exr")
    plan = make_plan(node, (1001,))
    left = [(1001, "main")]
    with pytest.raises(RuntimeError, match="Gossamer1: Read3 reads the files"):
        check_alone(plan, left, without_note(plan, left))


def test_the_render_of_a_write_is_not_written_over_even_before_there_is_one(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001", output_pattern="comp.####.exr")
    app.module.nodes.Write(inputs=[node], file=f"{results(shot).as_posix()}/comp.%04d.exr")
    press(app, node)
    assert app.messages[0].startswith("Gossamer1: Write1 writes the files that the mattes would be written over, ")
    assert keeper.jobs == []


def test_in_several_views_the_files_of_one_are_told_from_another_nodes(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    app.root_node["views"].setValue("left\nright")
    app.view = "left"
    node = shot.node(app, frame_range="1001", output_pattern="%V.####.exr")
    write = app.module.nodes.Write(inputs=[node], file=f"{results(shot).as_posix()}/right.%04d.exr")
    press(app, node)
    assert app.messages[0].startswith("Gossamer1: Write1 writes the files")
    app.messages.clear()
    write["file"].setValue(f"{results(shot).as_posix()}/both.%04d.exr")
    press(app, node)
    assert app.messages == []
    assert len(keeper.jobs) == 2


def test_a_read_of_the_nodes_own_mattes_is_no_reason_to_refuse(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    app.module.nodes.Read(file=node["result_file"].value(), first=1001, last=1001, raw=True)
    app.module.nodes.Read(file="[value nobody.file].exr")
    press(app, node, "matte_frame")
    assert app.messages == []
    assert len(keeper.jobs) == 2


def test_a_picture_that_nothing_in_the_script_reads_is_not_written_over_either(
    app: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001-1002")
    picture = results(shot) / "shot.Gossamer1.1002.exr"
    save_exr(picture, {"A": np.ones((4, 4), np.float32)})
    before = picture.read_bytes()
    press(app, node)
    assert app.messages[0].startswith(f"Gossamer1: {picture} is there already and is no matte of Gossamer's. Choose")
    assert picture.read_bytes() == before
    assert keeper.jobs == []


def test_mattes_without_notes_and_what_a_broken_disk_left_are_done_again(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001-1002")
    press(app, node)
    shutil.rmtree(results(shot) / ".gossamer")
    (results(shot) / "shot.Gossamer1.1002.exr").write_bytes(b"")
    press(app, node)
    assert app.messages == []
    assert len(keeper.jobs) == 2
    unreadable = results(shot) / "shot.Gossamer1.1003.exr"
    from gossamer_nuke.others import _may_be_matte

    assert _may_be_matte(unreadable)  # it is gone by the time it is looked at


def test_a_matte_that_another_nuke_wrote_over_meanwhile_is_not_noted(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001-1002")
    target = results(shot) / "shot.Gossamer1.1001.exr"

    def write_over(frame: int) -> None:
        if frame == 1002:
            save_exr(target, {"A": np.zeros((32, 48), np.float32)}, attributes={"gossamer:version": "0"})

    keeper.frame_done = write_over
    press(app, node)
    assert any(f"{target} was replaced by somebody else after it was written" in line for line in app.printed)
    keeper.frame_done = lambda frame: None
    press(app, node)
    assert [job["frames"] for job in keeper.jobs] == ["1001-1002", "1001"]
    assert read_exr(target)[0]["A"].max() == 1


def test_a_matte_that_somebody_deleted_meanwhile_is_not_noted(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    target = results(shot) / "shot.Gossamer1.1001.exr"
    keeper.frame_done = lambda frame: target.unlink()
    press(app, node)
    assert app.messages == []
    assert list(results(shot).glob(".gossamer/*.json")) == []
