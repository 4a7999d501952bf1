"""What makes a matte out of date, and what does not: wires, the project, bands of a frame's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.nuke_plugin.shots import Shot, wait_for


def press(app: Any, node: Any, button: str = "matte_range") -> None:
    node[button].execute()
    wait_for(app, node)
    assert app.messages == []


def frames_of(keeper: Any) -> list[str]:
    return [job["frames"] for job in keeper.jobs]


def write_below(app: Any, node: Any, folder: Path) -> Any:
    return app.module.nodes.Write(
        inputs=[node], file=f"{folder.as_posix()}/out/comp.%04d.exr", raw=True, create_directories=True
    )


@pytest.fixture
def merged(app: Any, shot: Shot) -> tuple[Any, Any]:
    """A Gossamer node whose mask is a Merge of the mask, B, and a copy that is grown, A; and the Merge."""
    node = shot.node(app, guide="mask", frame_range="1001")
    grown = app.module.nodes.Dilate(inputs=[node.input(1)], channels="alpha", size=6)
    merge = app.module.nodes.Merge2(inputs=[node.input(1), grown], operation="minus")
    node.setInput(1, merge)
    return node, merge


def test_the_networks_own_matte_is_another_one(app: Any, worker: Any, shot: Shot) -> None:
    keeper = worker()
    node = shot.node(app, guide="mask", frame_range="1001")
    press(app, node)
    assert "nonlocal_mean" not in keeper.jobs[0]
    node["nonlocal_mean"].setValue("off")
    press(app, node)
    assert [job.get("nonlocal_mean", "auto") for job in keeper.jobs] == ["auto", "off"]
    press(app, node)
    assert len(keeper.jobs) == 2


def test_swapped_inputs_of_a_merge_do_it_again(app: Any, worker: Any, merged: Any) -> None:
    keeper = worker()
    node, merge = merged
    press(app, node)
    press(app, node)
    assert len(keeper.jobs) == 1
    mask, grown = merge.input(0), merge.input(1)
    merge.setInput(0, grown)
    merge.setInput(1, mask)
    press(app, node)
    assert len(keeper.jobs) == 2


def test_a_mask_from_a_node_that_is_above_already_does_it_again_and_one_unplugged_does_not(
    app: Any, worker: Any, merged: Any
) -> None:
    keeper = worker()
    node, merge = merged
    press(app, node)
    merge.setInput(2, merge.input(1))
    press(app, node)
    assert len(keeper.jobs) == 2
    merge.setInput(2, None)  # as it was for the first matte, but for a wire that leads nowhere
    press(app, node)
    merge.setInput(2, merge.input(1))
    merge.setInput(2, None)
    press(app, node)
    assert len(keeper.jobs) == 3


def test_inputs_that_are_swapped_while_it_is_matted_stop_the_run(
    app: Any, shot: Shot, worker: Any, merged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gossamer_nuke import work

    monkeypatch.setattr(work, "BATCH", 1)
    keeper = worker()
    node, merge = merged
    node["frame_range"].setValue("1001-1004")
    reached, go_on = keeper.hold()
    node["matte_range"].execute()
    app.idle(reached.is_set)
    merge.setInput(2, merge.input(1))
    go_on.set()
    wait_for(app, node)
    assert app.messages[0].startswith("Gossamer1: the nodes above, what they are linked to or the weights changed")


def test_a_loop_of_links_and_wires_has_an_end(app: Any, worker: Any, merged: Any) -> None:
    keeper = worker()
    node, merge = merged
    merge["mix"].setExpression("Gossamer1.tile+1")
    press(app, node)
    press(app, node)
    assert len(keeper.jobs) == 1


def project_format(app: Any, width: int) -> None:
    app.root_node["format"].fromScript(f'"{width} 32 0 0 {width} 32 1 a"')


def test_another_project_format_does_it_again_where_something_above_follows_it(
    app: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    node = shot.node(app, guide="mask", frame_range="1001")
    project_format(app, 48)
    press(app, node)
    project_format(app, 64)
    press(app, node)
    assert len(keeper.jobs) == 1  # Reads have the size of their files
    plate = app.module.nodes.Constant(channels="rgba", color=[0.2, 0.3, 0.4, 1.0])
    node.setInput(0, plate)
    node.setInput(1, app.module.nodes.Expression(inputs=[plate], expr3="x>20"))
    press(app, node)
    project_format(app, 96)
    press(app, node)
    assert len(keeper.jobs) == 3
    plate["format"].setValue("96 32 0 0 96 32 1 b")
    press(app, node)
    project_format(app, 64)
    press(app, node)
    assert len(keeper.jobs) == 4


def test_what_an_expression_takes_from_the_script_may_be_its_format(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    multiply = app.module.nodes.Multiply(inputs=[node.input(0)], channels="rgb")
    multiply["value"].setExpression("root.fps/24")
    node.setInput(0, multiply)
    project_format(app, 48)
    press(app, node)
    project_format(app, 64)
    press(app, node)
    assert len(keeper.jobs) == 2


@pytest.mark.parametrize("knob", ["int8Lut", "int16Lut", "logLut", "floatLut"])
def test_another_default_colour_space_of_files_does_it_again(app: Any, shot: Shot, worker: Any, knob: str) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    app.root_node[knob].setValue("rec709")
    press(app, node)
    assert len(keeper.jobs) == 2


def test_each_frame_has_its_own_band_in_the_gui_and_on_the_farm(app: Any, start: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, guide="mask", frame_range="1001-1004")
    node["band_out"].setExpression("frame<1003?100:300")
    press(app, node)
    assert [(job["frames"], job["band"]["outside"]) for job in keeper.jobs] == [("1001-1002", 100), ("1003-1004", 300)]
    app.frame_number = 1004
    press(app, node)
    assert len(keeper.jobs) == 2
    report = json.loads(Path(node["report_file"].value()).read_text(encoding="utf-8"))
    assert report["bands"] == [
        {"frames": "1001-1002", "band_in": 12, "band_out": 100},
        {"frames": "1003-1004", "band_in": 12, "band_out": 300},
    ]
    write_below(app, node, shot.folder.parent)
    app.save_as(shot.folder.parent / "shot.nk")
    farm = start(gui=False)
    keeper = worker()
    farm.module.scriptOpen(str(shot.folder.parent / "shot.nk"))
    farm.module.execute("Write1", 1002, 1003)
    assert keeper.jobs == []
    farm.module.toNode("Gossamer1")["band_out"].setExpression("frame<1003?100:200")
    farm.module.execute("Write1", 1002, 1003)
    assert frames_of(keeper) == ["1003"]
    assert keeper.jobs[0]["band"]["outside"] == 200


def test_a_node_without_a_band_is_named(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(terminal)
    del node._knobs["band_out"]
    from gossamer_nuke.session import matte

    with pytest.raises(RuntimeError, match=r"Gossamer1 has no knob band_out\. Make a new Gossamer node"):
        matte(node, (1001,))
