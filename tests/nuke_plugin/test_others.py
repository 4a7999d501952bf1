"""Files that are not the node's own: nothing of them is written over, and nothing of them is noted as its own."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.fake_nuke.nodes import Node
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


def test_after_a_crash_a_read_elsewhere_of_the_nodes_own_mattes_is_no_reason_to_refuse(
    app: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001-1002")
    press(app, node)
    app.module.nodes.Read(file=node["result_file"].value(), first=1001, last=1002, raw=True)
    (results(shot) / ".gossamer" / "shot.Gossamer1.1002.exr.json").unlink()  # the worker is quicker than the notes
    press(app, node)
    assert app.messages == []
    assert [job["frames"] for job in keeper.jobs] == ["1001-1002", "1002"]


def test_mattes_without_notes_that_the_node_itself_is_made_from_are_not_written_over(
    app: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    node = shot.node(app, guide="mask", frame_range="1001")
    press(app, node)
    shutil.rmtree(results(shot) / ".gossamer")
    mattes = app.module.nodes.Read(file=node["result_file"].value(), first=1001, last=1001, raw=True)
    node.setInput(1, app.module.nodes.Dilate(inputs=[mattes], channels="alpha", size=2))
    press(app, node)
    assert app.messages[0].startswith(
        f"Gossamer1: {mattes.name()} reads the files that the mattes would be written over"
    )
    assert len(keeper.jobs) == 1


def test_mattes_with_a_large_manifest_of_the_plate_are_known_without_notes(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    manifest = ",".join(f'"object_{number:06d}":"{number:08x}"' for number in range(15000))
    shot.save(1001, attributes={"cryptomatte/1234567/manifest": f"{{{manifest}}}"})
    node = shot.node(app, frame_range="1001")
    press(app, node)
    assert (results(shot) / "shot.Gossamer1.1001.exr").read_bytes().index(b"gossamer:") > 1 << 18
    shutil.rmtree(results(shot) / ".gossamer")
    press(app, node)
    assert app.messages == []
    assert len(keeper.jobs) == 2


@pytest.mark.parametrize(
    "header",
    [
        b"no EXR, though gossamer: is in it",
        b"v/1\x01\2\0\0\0",
        b"v/1\x01\2\0\0\0" + b"gossamer:" * 30,
        b"v/1\x01\2\0\0\0gossamer:version\0string\0\x08\0\0\0short",
        b"v/1\x01\2\0\0\0gossamer:version\0string\0\xff\xff\xff\xff",
    ],
)
def test_what_only_looks_like_a_mattes_header_is_none(tmp_path: Path, app: Any, header: bytes) -> None:
    from gossamer_nuke.files import matte_digest

    path = tmp_path / "matte.exr"
    path.write_bytes(header)
    assert matte_digest(path) == ""


def test_looking_for_other_nodes_costs_a_look_at_each_not_one_for_each_frame(
    app: Any, shot: Shot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gossamer_nuke import others
    from gossamer_nuke.plan import make_plan

    node = shot.node(app)
    for number in range(10):
        app.module.nodes.Write(file=f"/out/{number}/comp.%04d.exr")
    plan = make_plan(node, tuple(range(1001, 1101)))
    looks: list[Path] = []
    plain = others._plain

    def counted(path: Path) -> str:
        looks.append(path)
        return plain(path)

    monkeypatch.setattr(others, "_plain", counted)
    others.check_alone(plan, [(frame, "main") for frame in plan.frames], [])
    assert len(looks) == 100 + 10


def test_a_nuke_whose_nodes_at_the_top_have_no_parent_will_do(
    app: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker()
    node = shot.node(app, frame_range="1001", output_pattern="comp.####.exr")
    write = app.module.nodes.Write(inputs=[node], file=f"{results(shot).as_posix()}/comp.%04d.exr")
    parent = Node.parent
    monkeypatch.setattr(Node, "parent", lambda self: None if parent(self) is app.root_node else parent(self))
    press(app, node)
    assert app.messages[0].startswith("Gossamer1: Write1 writes the files")
    write["file"].setValue("/out/comp.%04d.exr")
    app.messages.clear()
    press(app, node)
    assert app.messages == []


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


def replace(path: Path, data: bytes) -> None:
    """As the worker does it: under another name first, and with a time of its own."""
    time = path.stat().st_mtime_ns + 10**9
    path.with_suffix(".tmp").write_bytes(data)
    os.utime(path.with_suffix(".tmp"), ns=(time, time))
    path.with_suffix(".tmp").replace(path)


def test_the_same_matte_from_another_machine_is_as_good(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001-1002")

    def do_it_too(frame: int) -> None:
        path = results(shot) / f"shot.Gossamer1.{frame}.exr"
        data = path.read_bytes()
        at = data.index(b"gossamer:jobHash") + len(b"gossamer:jobHash\0string\0....")
        replace(path, data[:at] + b"0" * 32 + data[at + 32 :])  # its inputs lay in a folder of its own

    keeper.frame_done = do_it_too
    press(app, node)
    assert not any("was replaced by somebody else" in line for line in app.printed)
    press(app, node)
    assert [job["frames"] for job in keeper.jobs] == ["1001-1002"]


def test_another_matte_will_do_if_whoever_made_it_noted_the_same_key(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    target = results(shot) / "shot.Gossamer1.1001.exr"
    note = results(shot) / ".gossamer" / f"{target.name}.json"
    noted = json.loads(note.read_text(encoding="utf-8"))

    def do_it_too(frame: int) -> None:
        """On a GPU, so with other last digits."""
        save_exr(target, read_exr(target)[0], attributes={"gossamer:device": "cuda"})
        note.write_text(json.dumps({**noted, "bytes": target.stat().st_size}), encoding="utf-8")

    keeper.frame_done = do_it_too
    press(app, node, "matte_frame")
    assert not any("was replaced by somebody else" in line for line in app.printed)
    press(app, node)
    assert len(keeper.jobs) == 2


def test_one_that_is_noted_as_another_will_not_do(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    press(app, node)
    target = results(shot) / "shot.Gossamer1.1001.exr"
    note = results(shot) / ".gossamer" / f"{target.name}.json"
    noted = json.loads(note.read_text(encoding="utf-8"))

    def put_another(frame: int) -> None:
        replace(target, target.read_bytes())
        note.write_text(json.dumps({**noted, "bytes": target.stat().st_size, "key": "another"}), encoding="utf-8")

    keeper.frame_done = put_another
    press(app, node, "matte_frame")
    assert any(f"{target} was replaced by somebody else" in line for line in app.printed)
    assert json.loads(note.read_text(encoding="utf-8"))["key"] == "another"


@pytest.mark.parametrize("change", ["size", "header"])
def test_one_of_another_size_or_kind_will_not_do(app: Any, shot: Shot, worker: Any, change: str) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    target = results(shot) / "shot.Gossamer1.1001.exr"

    def put_another(frame: int) -> None:
        data = target.read_bytes()
        replace(target, data + b"x" if change == "size" else data.replace(b"closed-form", b"another-one"))

    keeper.frame_done = put_another
    press(app, node)
    assert any(f"{target} was replaced by somebody else" in line for line in app.printed)
    assert list(results(shot).glob(".gossamer/*.json")) == []


def test_two_runs_give_headers_that_are_alike(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app, frame_range="1001")
    target = (results(shot) / "shot.Gossamer1.1001.exr").as_posix()
    from gossamer_nuke.files import file_state

    press(app, node)
    first = file_state(target)
    press(app, node, "matte_frame")
    second = file_state(target)
    assert first is not None
    assert second is not None
    assert first != second
    assert first.is_alike(second)


def test_a_matte_that_somebody_deleted_meanwhile_is_not_noted(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app, frame_range="1001")
    target = results(shot) / "shot.Gossamer1.1001.exr"
    keeper.frame_done = lambda frame: target.unlink()
    press(app, node)
    assert app.messages == []
    assert list(results(shot).glob(".gossamer/*.json")) == []
