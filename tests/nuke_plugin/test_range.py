"""Ranges: gaps, what is kept, what is done again."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.nuke_plugin.shots import Shot, channel, wait_for

Pressed = Callable[[Any, Any], None]


def press(app: Any, node: Any, button: str = "matte_range") -> None:
    node[button].execute()
    wait_for(app, node)


def mattes(shot: Shot) -> list[str]:
    return sorted(path.name for path in (shot.folder.parent / "gossamer").glob("*.exr"))


def test_a_range_with_gaps_mattes_those_frames_and_no_other(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001, 1003-1004")
    press(app, node)
    assert mattes(shot) == ["shot.Gossamer1.1001.exr", "shot.Gossamer1.1003.exr", "shot.Gossamer1.1004.exr"]
    assert [job["frames"] for job in keeper.jobs] == ["1001,1003-1004"]


def test_a_folder_may_have_a_number_sign_in_its_name(app: Any, shot: Shot, worker: Any, tmp_path: Path) -> None:
    keeper = worker()
    folder = tmp_path / "shot #3"
    node = shot.node(app, frame_range="1001-1002", output_folder=folder.as_posix())
    press(app, node)
    assert app.messages == []
    assert sorted(path.name for path in folder.glob("*.exr")) == ["shot.Gossamer1.1001.exr", "shot.Gossamer1.1002.exr"]
    assert channel(app, node)[16, 16] == 1
    press(app, node)
    assert len(keeper.jobs) == 1


def test_a_frame_that_was_not_matted_is_an_error_and_not_another_frames_matte(
    app: Any, shot: Shot, worker: Any
) -> None:
    worker()
    node = shot.node(app, frame_range="1001,1003")
    press(app, node)
    with pytest.raises(RuntimeError, match=r"Gossamer1\.1002\.exr: Read error"):
        channel(app, node, frame=1002)


def test_without_a_range_the_plates_own_is_taken(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    press(app, node)
    assert len(mattes(shot)) == 4
    assert (node["result_first"].value(), node["result_last"].value()) == (1001, 1004)


def test_batches_keep_few_inputs_on_disk_and_leave_none(
    app: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from gossamer_nuke import work

    monkeypatch.setattr(work, "BATCH", 1)
    monkeypatch.setenv("NUKE_TEMP_DIR", str(tmp_path))
    keeper = worker()
    most: list[int] = []
    keeper.frame_done = lambda frame: most.append(len(list(tmp_path.glob("gossamer-*/main/plate.*"))))
    node = shot.node(app)
    press(app, node)
    assert [job["frames"] for job in keeper.jobs] == ["1001", "1002", "1003", "1004"]
    assert max(most) <= 2
    assert list(tmp_path.glob("gossamer-*")) == []


def test_a_second_range_keeps_what_is_current(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001-1002")
    press(app, node)
    node["frame_range"].setValue("1001-1003")
    press(app, node)
    assert [job["frames"] for job in keeper.jobs] == ["1001-1002", "1003"]
    assert "2 kept" in node["status"].value()


def test_matte_this_frame_does_it_again(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    press(app, node, "matte_frame")
    assert len(keeper.jobs) == 2


@pytest.mark.parametrize(("knob", "value"), [("band_out", 30.0), ("model", "shared"), ("write_foreground", True)])
def test_another_setting_does_it_again(app: Any, shot: Shot, worker: Any, knob: str, value: Any) -> None:
    keeper = worker()
    node = shot.node(app, guide="mask", frame_range="1001")
    press(app, node)
    node[knob].setValue(value)
    press(app, node)
    assert len(keeper.jobs) == 2


def test_a_changed_node_above_does_it_again(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    grade = app.module.nodes.Multiply(inputs=[node.input(0)], channels="rgb", value=1.0)
    node.setInput(0, grade)
    press(app, node)
    grade["value"].setValue(2.0)
    press(app, node)
    assert len(keeper.jobs) == 2


@pytest.fixture
def linked(app: Any, shot: Shot) -> tuple[Any, Any]:
    """A Gossamer node below a Multiply whose value is that of a control node beside the tree, and the control."""
    node = shot.node(app, frame_range="1001")
    far, near = app.module.nodes.NoOp(name="Far"), app.module.nodes.NoOp(name="Near")
    for control in (far, near):
        control.addKnob(app.module.Double_Knob("gain"))
    far["gain"].setValue(1.0)
    near["gain"].setExpression("Far.gain")
    multiply = app.module.nodes.Multiply(inputs=[node.input(0)], channels="rgb")
    multiply["value"].setExpression("Near.gain")
    node.setInput(0, multiply)
    return node, far


def test_a_changed_node_that_one_above_is_linked_to_does_it_again(app: Any, worker: Any, linked: Any) -> None:
    keeper = worker()
    node, control = linked
    press(app, node)
    press(app, node)
    assert len(keeper.jobs) == 1
    control["gain"].setValue(2.0)
    press(app, node)
    assert len(keeper.jobs) == 2


def test_a_link_to_the_script_or_to_the_node_itself_makes_nothing_stale(app: Any, worker: Any, linked: Any) -> None:
    keeper = worker()
    node, control = linked
    control["gain"].setExpression("root.fps/24+Gossamer1.tile")
    press(app, node)
    app.root_node["frame"].setValue(1003)
    app.root_node["last_frame"].setValue(1003)
    node["view"].setValue("trimap")
    press(app, node)
    assert len(keeper.jobs) == 1
    app.root_node["fps"].setValue(25.0)
    press(app, node)
    assert len(keeper.jobs) == 2


def test_a_gossamer_node_that_is_only_linked_to_is_not_matted(app: Any, shot: Shot, worker: Any, linked: Any) -> None:
    keeper = worker()
    node, control = linked
    shot.node(app)
    control["gain"].setExpression("Gossamer2.band_in")
    from gossamer_nuke.farm import matte_script

    matte_script((1001,), [node])
    assert [job["outputs"]["path"].rsplit("/", 1)[1] for job in keeper.jobs] == ["shot.Gossamer1.%04d.exr"]


def test_another_gossamer_does_it_again(
    start: Any, app: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    script = shot.folder.parent / "shot.nk"
    app.save_as(script)
    jobs = []
    for version in ("0.1.0", "99.0"):
        monkeypatch.setattr("gossamer_bridge.__version__", version)
        upgraded = start()
        keeper = worker()
        upgraded.module.scriptOpen(str(script))
        press(upgraded, upgraded.module.toNode("Gossamer1"))
        jobs.append(len(keeper.jobs))
    assert jobs == [0, 1]


@pytest.mark.parametrize("name", ["", "manifest.json", "gossamer-s.safetensors"])
def test_weights_trained_again_into_the_same_folder_do_it_again(
    app: Any, shot: Shot, worker: Any, tmp_path: Path, name: str
) -> None:
    import gossamer

    keeper = worker()
    weights = tmp_path / "weights"
    shutil.copytree(Path(gossamer.__file__).parent / "weights" / "gossamer-s", weights)
    node = shot.node(app, frame_range="1001", model=f"{weights.as_posix()}/{name}".rstrip("/"))
    press(app, node)
    press(app, node)
    assert len(keeper.jobs) == 1
    manifest = json.loads((weights / "manifest.json").read_text(encoding="utf-8"))
    manifest["training"] = {"steps": 1}
    (weights / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    press(app, node)
    assert len(keeper.jobs) == 2


def test_another_view_into_the_same_files_does_it_again(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    app.root_node["views"].setValue("left\nright")
    app.view = "left"
    node = shot.node(app, frame_range="1001", output_pattern="matte.####.exr", views="left")
    press(app, node)
    node["views"].setValue("right")
    press(app, node)
    press(app, node)
    assert len(keeper.jobs) == 2


def test_a_moved_node_above_does_not(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    node.input(0)["xpos"].setValue(400)
    press(app, node)
    assert len(keeper.jobs) == 1


def test_a_plate_that_was_rendered_again_is_matted_again(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001-1002")
    press(app, node)
    shot.save(1002)
    press(app, node)
    assert [job["frames"] for job in keeper.jobs] == ["1001-1002", "1002"]


def test_a_matte_that_somebody_cut_short_is_done_again(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    matte = shot.folder.parent / "gossamer" / "shot.Gossamer1.1001.exr"
    matte.write_bytes(matte.read_bytes()[:100])
    press(app, node)
    assert len(keeper.jobs) == 2


def test_the_report_says_what_was_asked_and_done(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app, frame_range="1001-1002")
    press(app, node)
    report = json.loads(Path(node["report_file"].value()).read_text(encoding="utf-8"))
    assert report["state"] == "done"
    assert [entry["frame"] for entry in report["matted"]] == [1001, 1002]
    assert report["asked"]["device"] == "auto"
    assert report["done"]["device"] == "cpu"
    assert report["color"]["space"] == "lin_rec709"


@pytest.mark.parametrize("text", ["abc", "1004-1001", "1001--", "1001x2"])
def test_a_wrong_range_is_named_in_the_message(app: Any, shot: Shot, worker: Any, text: str) -> None:
    worker()
    node = shot.node(app, frame_range=text)
    press(app, node)
    assert text in app.messages[0]
    assert app.messages[0].startswith("Gossamer1: ")


def test_a_missing_plate_frame_stops_with_its_number_and_keeps_the_rest(
    app: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gossamer_nuke import work

    monkeypatch.setattr(work, "BATCH", 1)
    worker()
    (shot.folder / "plate.1003.exr").unlink()
    node = shot.node(app)
    press(app, node)
    assert app.messages[0].startswith("Gossamer1: the plate of frame 1003 (main) cannot be rendered: Read1: ")
    assert app.messages[0].endswith("Look at what is above the input plate at that frame.")
    assert mattes(shot) == ["shot.Gossamer1.1001.exr", "shot.Gossamer1.1002.exr"]


def change_above(app: Any, node: Any) -> None:
    node.input(0)["value"].setValue(3.0)


def change_colours(app: Any, node: Any) -> None:
    app.root_node["colorManagement"].setValue("OCIO")


def switch_to_proxy(app: Any, node: Any) -> None:
    app.root_node["proxy"].setValue(True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_above, "the nodes above, what they are linked to or the weights changed while it was matted"),
        (change_colours, "the script's colours changed while it was matted, so frame 1003 would not go with"),
        (switch_to_proxy, "proxy mode is on, and a matte of a proxy would not fit the plate"),
    ],
)
def test_a_script_that_changes_meanwhile_stops_the_run_and_keeps_what_is_right(
    app: Any,
    shot: Shot,
    worker: Any,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any, Any], None],
    message: str,
) -> None:
    from gossamer_nuke import work

    monkeypatch.setattr(work, "BATCH", 1)
    keeper = worker()
    node = shot.node(app)
    node.setInput(0, app.module.nodes.Multiply(inputs=[node.input(0)], channels="rgb", value=1.0))
    go_on = threading.Event()
    keeper.frame_done = lambda frame: go_on.wait(30)
    node["matte_range"].execute()
    app.idle(lambda: ("Gossamer1.WriteGuide", 1002, "main") in app.render.rendered)
    node["band_out"].setValue(30.0)  # those of the press hold
    change(app, node)
    go_on.set()
    wait_for(app, node)
    assert app.messages[0].startswith(f"Gossamer1: {message}")
    assert [job["frames"] for job in keeper.jobs] == ["1001", "1002"]
    assert len(mattes(shot)) == 2
    assert 1003 not in {frame for _, frame, _ in app.render.rendered}
