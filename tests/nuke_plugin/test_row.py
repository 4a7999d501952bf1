"""Two nodes of which the lower is made from mattes of the upper: what counts, what it costs, who waits for whom."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.fake_nuke.nodes import Node
from tests.nuke_plugin.shots import Shot, channel, wait_for
from tests.nuke_plugin.test_current import press, write_below


def two_in_a_row(app: Any, shot: Shot, *, offset: int = 0) -> tuple[Any, Any]:
    """The matte of the upper is the mask of the lower, perhaps by way of a TimeOffset."""
    upper = shot.node(app, guide="mask", frame_range="1001-1002", band_in=120.0, band_out=120.0)
    mask = app.module.nodes.TimeOffset(inputs=[upper], time_offset=offset) if offset else upper
    lower = app.module.nodes.Gossamer(inputs=[upper.input(0), mask])
    lower["guide"].setValue(1)
    lower["frame_range"].setValue("1002")
    app.frame_number = 1002
    return upper, lower


@pytest.mark.parametrize("offset", [0, 1])
def test_another_matte_above_does_it_again(app: Any, shot: Shot, worker: Any, offset: int) -> None:
    keeper = worker()
    upper, lower = two_in_a_row(app, shot, offset=offset)
    press(app, upper)
    press(app, lower)
    upper["band_in"].setValue(0.0)
    upper["band_out"].setValue(600.0)
    press(app, lower)  # the artist forgets the upper one, whose matte is the old one still
    press(app, upper)
    before = channel(app, lower, frame=1002)
    press(app, lower)
    assert lower["status"].value().startswith("frames 1002 matted")
    assert abs(channel(app, lower, frame=1002) - before).max() > 0.1
    count = len(keeper.jobs)
    press(app, lower)
    assert len(keeper.jobs) == count


def test_the_same_matte_made_again_above_changes_nothing_below(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    upper, lower = two_in_a_row(app, shot)
    press(app, upper)
    press(app, lower)
    press(app, upper, "matte_frame")
    count = len(keeper.jobs)
    press(app, lower)
    assert len(keeper.jobs) == count
    assert lower["status"].value() == "no frame matted, 1 kept"


@pytest.mark.parametrize("offset", [0, 1])
def test_a_render_keeps_what_the_buttons_made_of_two_in_a_row(
    app: Any, start: Any, shot: Shot, worker: Any, offset: int
) -> None:
    worker()
    upper, lower = two_in_a_row(app, shot, offset=offset)
    press(app, upper)
    press(app, lower)
    write_below(app, lower, shot.folder.parent)
    app.save_as(shot.folder.parent / "shot.nk")
    farm = start(gui=False)
    keeper = worker()
    farm.module.scriptOpen(str(shot.folder.parent / "shot.nk"))
    farm.module.execute("Write1", 1002, 1002)
    assert keeper.jobs == []
    farm.module.toNode("Gossamer1")["band_out"].setValue(600.0)
    farm.module.execute("Write1", 1002, 1002)
    assert {job["outputs"]["path"].rsplit("/", 1)[1] for job in keeper.jobs} == {
        "shot.Gossamer1.%04d.exr",
        "shot.Gossamer2.%04d.exr",
    }


def test_of_two_in_a_row_one_is_matted_at_a_time(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    upper, lower = two_in_a_row(app, shot)
    press(app, upper)
    for first, second in ((upper, lower), (lower, upper)):
        reached, go_on = keeper.hold()
        first["matte_frame"].execute()
        app.idle(reached.is_set)
        second["matte_frame"].execute()
        go_on.set()
        wait_for(app, first)
        refusal = f"{second.name()}: {first.name()} is being matted, and one is made from the other's mattes. Wait"
        assert [message[: len(refusal)] for message in app.messages] == [refusal]
        app.messages.clear()


def test_the_gui_keeps_what_the_farm_made_below_though_it_shows_fewer_frames_above(
    app: Any, start: Any, shot: Shot, worker: Any
) -> None:
    worker()
    upper, lower = two_in_a_row(app, shot, offset=1)
    press(app, upper, "matte_frame")  # 1002 of 1001-1002
    write_below(app, lower, shot.folder.parent)
    script = shot.folder.parent / "shot.nk"
    app.save_as(script)
    farm = start(gui=False)
    farm.frame_number = 1002
    on_farm = worker()
    from gossamer_nuke.farm import render_script

    render_script(str(script), "1002", ["Write1"])
    assert [job["frames"] for job in on_farm.jobs] == ["1001", "1002"]
    gui = start()
    keeper = worker()
    gui.module.scriptOpen(str(script))
    gui.frame_number = 1002
    press(gui, gui.module.toNode("Gossamer2"))
    assert keeper.jobs == []


def test_a_matte_above_beyond_the_range_that_the_node_asks_for_changes_nothing_below(
    app: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    upper, lower = two_in_a_row(app, shot, offset=1)
    press(app, upper)
    press(app, lower)
    app.frame_number = 1004
    press(app, upper, "matte_frame")
    assert upper["result_last"].value() == 1004
    count = len(keeper.jobs)
    app.frame_number = 1002
    press(app, lower)
    assert len(keeper.jobs) == count


def test_without_plate_and_frame_range_no_frame_is_asked_for_wherever_the_playhead_stands(app: Any, shot: Shot) -> None:
    from gossamer_nuke.frames import own_frames

    node = shot.node(app)
    assert own_frames(node) == (1001, 1002, 1003, 1004)
    node.setInput(0, None)
    assert own_frames(node) == ()


def count_notes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a note is read, by pattern."""
    from gossamer_nuke.paths import Stamps

    counts: Counter[str] = Counter()
    read = Stamps._read

    def counted(self: Any, frame: int, view: str) -> dict[str, Any]:
        counts[Path(self.pattern).name] += 1
        return read(self, frame, view)

    monkeypatch.setattr(Stamps, "_read", counted)
    return counts


def test_a_render_reads_the_notes_above_once_and_not_for_each_frame(
    terminal: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = worker()
    upper, lower = two_in_a_row(terminal, shot, offset=1)
    upper["frame_range"].setValue("1001-1004")
    press(terminal, upper)
    write = write_below(terminal, lower, shot.folder.parent)
    terminal.module.execute(write, 1002, 1002)
    counts = count_notes(monkeypatch)
    terminal.module.execute(write, 1002, 1002)
    for_one = counts["shot.Gossamer1.%04d.exr"]
    counts.clear()
    terminal.module.execute(write, 1002, 1004)  # of which two are to be matted
    assert counts["shot.Gossamer1.%04d.exr"] == for_one
    assert [job["frames"] for job in keeper.jobs] == ["1001-1004", "1002", "1003", "1004"]


@pytest.mark.parametrize("starts", ["execute", "matte_script"])
def test_the_next_render_sees_what_another_machine_made_above_meanwhile(
    terminal: Any, shot: Shot, worker: Any, starts: str
) -> None:
    keeper = worker()
    upper, lower = two_in_a_row(terminal, shot, offset=1)
    press(terminal, upper)
    upper["matte_in_render"].setValue(False)
    write = write_below(terminal, lower, shot.folder.parent)
    from gossamer_nuke.farm import matte_script

    def render() -> None:
        terminal.module.execute(write, 1002, 1002) if starts == "execute" else matte_script((1002,), [write])

    render()
    render()
    assert len(keeper.jobs) == 2
    note = shot.folder.parent / "gossamer" / ".gossamer" / "shot.Gossamer1.1001.exr.json"
    note.write_text(json.dumps({**json.loads(note.read_text(encoding="utf-8")), "key": "another"}), encoding="utf-8")
    render()
    assert len(keeper.jobs) == 3


def test_what_this_process_mattes_above_in_a_render_is_not_missed(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    upper, lower = two_in_a_row(terminal, shot, offset=1)
    from gossamer_nuke.plan import make_plan

    def retimed() -> tuple[str, ...]:
        return make_plan(lower, (1002,), is_render=True).retimed

    press(terminal, upper)
    before = retimed()
    upper["band_out"].setValue(600.0)
    assert retimed() == before
    press(terminal, upper, "matte_frame")
    assert retimed() != before


def test_a_frames_key_walks_no_tree(app: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    worker()
    upper, lower = two_in_a_row(app, shot)
    press(app, upper)
    from gossamer_nuke.plan import frame_key, make_plan

    plan = make_plan(lower, (1002,))
    asked: list[str] = []
    inputs = Node.inputs

    def counted(self: Any) -> int:
        asked.append(self.name())
        return inputs(self)

    monkeypatch.setattr(Node, "inputs", counted)
    key = frame_key(plan, 1002, "main")
    assert asked == []
    app.module.delete(upper)
    assert frame_key(plan, 1002, "main") != key


def test_each_node_is_asked_once_what_it_is_linked_to(app: Any, shot: Shot, monkeypatch: pytest.MonkeyPatch) -> None:
    node = shot.node(app)
    grade = app.module.nodes.Multiply(inputs=[node.input(0)], channels="rgb")
    node.setInput(0, grade)
    node.setInput(1, grade)
    from gossamer_nuke.upstream import recipe

    asked: Counter[str] = Counter()
    dependencies = Node.dependencies

    def counted(self: Any, mask: int = 7) -> Any:
        asked[self.name()] += 1
        return dependencies(self, mask)

    monkeypatch.setattr(Node, "dependencies", counted)
    recipe(node)
    assert asked == {"Read1": 1, grade.name(): 1}


def test_with_nothing_running_nobody_looks_what_is_related(
    terminal: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker()
    upper, _ = two_in_a_row(terminal, shot)
    from gossamer_nuke import upper as module

    walks: list[str] = []

    def walked(node: Any) -> list[Any]:
        walks.append(node.name())
        return []

    monkeypatch.setattr(module, "gossamer_above", walked)
    terminal.module.execute(write_below(terminal, upper, shot.folder.parent), 1001, 1001)
    press(terminal, upper)
    assert walks == []


def test_a_render_with_nothing_to_matte_goes_on_beside_a_run_below(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    upper, lower = two_in_a_row(app, shot)
    press(app, upper)
    write = write_below(app, upper, shot.folder.parent)
    reached, go_on = keeper.hold()
    lower["matte_frame"].execute()
    app.idle(reached.is_set)
    try:
        app.module.execute(write, 1001, 1002)
        with pytest.raises(RuntimeError, match="Gossamer1: Gossamer2 is being matted, and one is made from"):
            app.module.execute(write, 1003, 1003)
    finally:
        go_on.set()
        wait_for(app, lower)
    app.module.execute(write, 1003, 1003)
    assert len(keeper.jobs) == 3
