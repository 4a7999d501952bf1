"""``nuke -t``, ``nuke -x``, farms: no dialogue, no thread, an exception that says it all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.nuke_plugin.shots import Shot, channel, read_exr


def write_below(app: Any, node: Any, folder: Path) -> Any:
    return app.module.nodes.Write(
        inputs=[node],
        file=f"{folder.as_posix()}/out/comp.%04d.exr",
        channels="rgba",
        raw=True,
        datatype="32 bit float",
        create_directories=True,
        metadata="all metadata",
    )


def test_matte_works_at_once_and_tells_of_each_frame(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    from gossamer_nuke.session import matte

    node = shot.node(terminal)
    outcome = matte(node, (1001, 1002))
    assert [done.frame for done in outcome.frames] == [1001, 1002]
    assert "Gossamer Gossamer1: frame 1002 done, 2 of 2" in terminal.printed
    assert channel(terminal, node)[16, 16] == 1


def test_a_button_pressed_by_a_script_works_at_once(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(terminal)
    node["matte_range"].execute()
    assert node["status"].value().startswith("frames 1001-1004 matted")


def test_a_render_mattes_the_frames_of_its_chunk(terminal: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(terminal)
    write = write_below(terminal, node, shot.folder.parent)
    terminal.module.execute(write, 1002, 1003)
    assert [job["frames"] for job in keeper.jobs] == ["1002", "1003"]
    planes, _ = read_exr(shot.folder.parent / "out" / "comp.1003.exr")
    assert planes["A"][16, 18] == 1
    plate, _ = read_exr(shot.folder / "plate.1003.exr")
    assert (planes["R"] == plate["R"]).all()


def test_a_render_computes_nothing_that_is_there(terminal: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(terminal)
    write = write_below(terminal, node, shot.folder.parent)
    terminal.module.execute(write, 1001, 1002)
    terminal.module.execute(write, 1001, 1003)
    assert [job["frames"] for job in keeper.jobs] == ["1001", "1002", "1003"]


def test_a_render_in_a_gui_mattes_its_frames_and_asks_nothing(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app)
    write = write_below(app, node, shot.folder.parent)
    app.module.execute(write, 1001, 1001)
    assert len(keeper.jobs) == 1
    node["model"].setValue("gossamer-xl")
    with pytest.raises(Exception, match="gossamer-xl"):
        app.module.execute(write, 1002, 1002)
    assert app.messages == []


def test_after_a_render_in_a_gui_the_status_says_what_was_done(
    app: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gossamer_nuke import host

    monkeypatch.setattr(host, "STATUS_INTERVAL", 0.0)
    worker()
    node = shot.node(app)
    app.module.execute(write_below(app, node, shot.folder.parent), 1001, 1002)
    assert app.calls != []
    app.idle(lambda: not app.calls)
    assert node["status"].value().startswith("frames 1002 matted")


@pytest.mark.parametrize("skip_existing", [True, False])
def test_nuke_x_mattes_all_frames_in_one_job_before_it_renders(
    start: Any, app: Any, shot: Shot, monkeypatch: Any, skip_existing: bool
) -> None:
    node = shot.node(app, skip_existing=skip_existing)
    write_below(app, node, shot.folder.parent)
    app.save_as(shot.folder.parent / "shot.nk")
    farm = start(gui=False, arguments=("-x", "-F", "1002-1004", "shot.nk"))
    from gossamer_nuke import session
    from tests.nuke_plugin.in_process import InProcessKeeper

    keeper = InProcessKeeper()
    monkeypatch.setattr(session, "_keeper", keeper)
    farm.module.scriptOpen(str(shot.folder.parent / "shot.nk"))
    assert [job["frames"] for job in keeper.jobs] == ["1002-1004"]
    farm.render.nested = False
    farm.module.execute("Write1", 1002, 1004)
    assert [job["frames"] for job in keeper.jobs] == ["1002-1004"]


def test_nuke_x_with_names_mattes_what_those_writes_need(start: Any, app: Any, shot: Shot, monkeypatch: Any) -> None:
    for _ in range(2):
        write_below(app, shot.node(app), shot.folder.parent)
    app.save_as(shot.folder.parent / "shot.nk")
    farm = start(gui=False, arguments=("-X", "Write2", "-F", "1001", "shot.nk"))
    from gossamer_nuke import session
    from tests.nuke_plugin.in_process import InProcessKeeper

    keeper = InProcessKeeper()
    monkeypatch.setattr(session, "_keeper", keeper)
    farm.module.scriptOpen(str(shot.folder.parent / "shot.nk"))
    assert [job["outputs"]["path"].rsplit("/", 1)[1] for job in keeper.jobs] == ["shot.Gossamer2.%04d.exr"]


def test_of_two_nodes_in_a_row_the_upper_one_is_matted_first(terminal: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    upper, trimap = shot.node(terminal), shot.read(terminal, "trimap")
    lower = terminal.module.nodes.Gossamer(inputs=[upper, trimap])
    merge = terminal.module.nodes.Merge2(inputs=[lower, upper], operation="plus")  # reaches the upper one twice
    write = write_below(terminal, merge, shot.folder.parent)
    from gossamer_nuke.farm import matte_script

    matte_script((1001,), [write])
    names = [job["outputs"]["path"].rsplit("/", 1)[1] for job in keeper.jobs]
    assert names == ["shot.Gossamer1.%04d.exr", "shot.Gossamer2.%04d.exr"]
    terminal.module.execute(write, 1001, 1002)
    terminal.module.execute(write, 1001, 1002)  # what the upper one's runs leave in its knobs makes nothing stale
    assert [job["frames"] for job in keeper.jobs] == ["1001", "1001", "1002", "1002"]


def retimed(app: Any, node: Any, shot: Shot) -> Any:
    """A Write below a TimeOffset of one frame, which stands in a group."""
    group = app.module.nodes.Group(inputs=[node])
    with group:
        inside = app.module.nodes.TimeOffset(inputs=[app.module.nodes.Input()], time_offset=1)
        app.module.nodes.Output(inputs=[inside])
    return write_below(app, group, shot.folder.parent)


def test_below_a_node_that_changes_time_the_nodes_own_range_is_matted_before_the_render(
    terminal: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    write = retimed(terminal, shot.node(terminal, skip_existing=False), shot)
    terminal.module.execute(write, 1002, 1003)
    assert [job["frames"] for job in keeper.jobs] == ["1001-1004"]
    planes, _ = read_exr(shot.folder.parent / "out" / "comp.1003.exr")
    plate, _ = read_exr(shot.folder / "plate.1002.exr")
    assert (planes["R"] == plate["R"]).all()
    assert (planes["A"][16, 17], planes["A"][0, 47]) == (1, 0)
    terminal.module.execute(write, 1002, 1003)
    assert len(keeper.jobs) == 1


def test_the_farm_mattes_that_range_once_and_the_frames_that_are_needed_as_they_are(
    terminal: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    node = shot.node(terminal, frame_range="1001-1002", skip_existing=False)
    writes = [retimed(terminal, node, shot), write_below(terminal, node, shot.folder.parent)]
    from gossamer_nuke.farm import matte_script

    matte_script((1003,), writes)
    assert [job["frames"] for job in keeper.jobs] == ["1001-1003"]
    matte_script((1003,), writes)  # the next chunk
    assert len(keeper.jobs) == 1


def test_a_node_that_a_group_only_takes_in_is_matted_at_the_renders_frames(
    terminal: Any, shot: Shot, worker: Any
) -> None:
    keeper = worker()
    group = terminal.module.nodes.Group(inputs=[shot.node(terminal)])
    with group:
        constant = terminal.module.nodes.Constant(color=[0.0, 0.0, 0.0, 1.0])
        terminal.module.nodes.Output(inputs=[constant])
    terminal.module.execute(write_below(terminal, group, shot.folder.parent), 1002, 1002)
    assert [job["frames"] for job in keeper.jobs] == ["1002"]


def test_a_node_that_changes_time_and_is_off_changes_nothing(terminal: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    offset = terminal.module.nodes.TimeOffset(inputs=[shot.node(terminal)], time_offset=1, disable=True)
    terminal.module.execute(write_below(terminal, offset, shot.folder.parent), 1002, 1002)
    assert [job["frames"] for job in keeper.jobs] == ["1002"]


def test_below_one_with_matte_in_renders_off_the_mattes_that_are_there_will_do(
    terminal: Any, shot: Shot, worker: Any
) -> None:
    worker()
    node = shot.node(terminal)
    from gossamer_nuke.session import matte

    matte(node, (1001,))
    node["matte_in_render"].setValue(False)
    write = retimed(terminal, node, shot)
    terminal.module.execute(write, 1002, 1002)
    with pytest.raises(RuntimeError, match=r"Gossamer1\.1002\.exr"):
        terminal.module.execute(write, 1003, 1003)
    node["output"].setValue("foreground")
    with pytest.raises(RuntimeError, match="the matte of frame 1001 was made without foreground"):
        terminal.module.execute(write, 1002, 1002)


def test_opening_a_script_in_a_gui_or_with_t_mattes_nothing(start: Any, app: Any, shot: Shot, monkeypatch: Any) -> None:
    node = shot.node(app)
    write_below(app, node, shot.folder.parent)
    app.save_as(shot.folder.parent / "shot.nk")
    terminal = start(gui=False, arguments=("-t", "-F", "1002-1004", "job.py"))
    terminal.module.scriptOpen(str(shot.folder.parent / "shot.nk"))
    assert not (shot.folder.parent / "gossamer").exists()


def test_a_nuke_that_allows_no_render_inside_a_render_says_what_to_do(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(terminal)
    write = write_below(terminal, node, shot.folder.parent)
    terminal.render.nested = False
    with pytest.raises(RuntimeError, match=r"the plate of frame 1001 .*already executing.*nuke_plugin/render\.py"):
        terminal.module.execute(write, 1001, 1001)
    terminal.render.nested = True
    from gossamer_nuke.session import matte

    matte(node, (1001,))
    terminal.render.nested = False
    terminal.module.execute(write, 1001, 1001)


def test_with_matte_in_renders_off_a_missing_matte_fails_the_render(terminal: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(terminal, matte_in_render=False)
    write = write_below(terminal, node, shot.folder.parent)
    with pytest.raises(RuntimeError, match=r"Gossamer1: there is no matte of frame 1001\. Matte the range, or"):
        terminal.module.execute(write, 1001, 1001)
    assert keeper.jobs == []


def test_a_view_left_on_something_else_fails_the_render(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    write = write_below(terminal, shot.node(terminal, view="overlay"), shot.folder.parent)
    with pytest.raises(RuntimeError, match=r"Gossamer1: view is overlay.*Set view to matte"):
        terminal.module.execute(write, 1001, 1001)


def test_a_foreground_that_was_never_made_is_made_by_the_render(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(terminal)
    from gossamer_nuke.session import matte

    matte(node, (1001,))
    node["output"].setValue("foreground")
    terminal.module.execute(write_below(terminal, node, shot.folder.parent), 1001, 1001)
    planes, _ = read_exr(shot.folder.parent / "out" / "comp.1001.exr")
    assert planes["R"][16, 16] > 0.5


@pytest.mark.parametrize("layer", ["foreground", "confidence"])
def test_with_matte_in_renders_off_a_frame_without_the_layer_fails_the_render(
    terminal: Any, shot: Shot, worker: Any, layer: str
) -> None:
    worker()
    node = shot.node(terminal)
    from gossamer_nuke.session import matte

    matte(node, (1001, 1002))
    node[f"write_{layer}"].setValue(True)
    matte(node, (1001,))  # the last run made the layer, and the frame before it has none
    node["matte_in_render"].setValue(False)
    write = write_below(terminal, node, shot.folder.parent)
    terminal.module.execute(write, 1001, 1001)
    with pytest.raises(RuntimeError, match=rf"Gossamer1: the matte of frame 1002 was made without {layer} .*again"):
        terminal.module.execute(write, 1002, 1002)
    matte(node, (1002,))
    terminal.module.execute(write, 1002, 1002)


def test_with_matte_in_renders_off_output_foreground_wants_one_in_each_view(
    terminal: Any, shot: Shot, worker: Any
) -> None:
    worker()
    terminal.root_node["views"].setValue("left\nright")
    terminal.view = "left"
    node = shot.node(terminal, output_pattern="matte.%V.####.exr")
    from gossamer_nuke.session import matte

    matte(node, (1001,))
    node["output"].setValue("foreground")
    node["views"].setValue("left")
    matte(node, (1001,))
    node["matte_in_render"].setValue(False)
    write = write_below(terminal, node, shot.folder.parent)
    with pytest.raises(RuntimeError, match="the matte of frame 1001 was made without foreground"):
        terminal.module.execute(write, 1001, 1001)


def test_a_disabled_node_is_left_alone(terminal: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(terminal, disable=True)
    terminal.module.execute(write_below(terminal, node, shot.folder.parent), 1001, 1001)
    assert keeper.jobs == []


def unplug_plate(app: Any, node: Any, shot: Shot) -> None:
    node.setInput(0, None)


def unplug_trimap(app: Any, node: Any, shot: Shot) -> None:
    node.setInput(1, None)


def break_plate(app: Any, node: Any, shot: Shot) -> None:
    node.input(0)["file"].setValue("/nowhere/plate.%04d.exr")


def take_licence(app: Any, node: Any, shot: Shot) -> None:
    app.render.licensed = False


def block_folder(app: Any, node: Any, shot: Shot) -> None:
    (shot.folder.parent / "gossamer").write_text("a file", encoding="utf-8")


def wrong_view(app: Any, node: Any, shot: Shot) -> None:
    node["views"].setValue("left")


def no_frame_token(app: Any, node: Any, shot: Shot) -> None:
    node["output_pattern"].setValue("matte.exr")


def a_folder_in_the_name(app: Any, node: Any, shot: Shot) -> None:
    node["output_pattern"].setValue("a/matte.####.exr")


def not_exr(app: Any, node: Any, shot: Shot) -> None:
    node["output_pattern"].setValue("matte.####.jpg")


def two_views_one_name(app: Any, node: Any, shot: Shot) -> None:
    app.root_node["views"].setValue("left\nright")
    node["output_pattern"].setValue("matte.####.exr")


def temp_nowhere(app: Any, node: Any, shot: Shot) -> None:
    import os

    os.environ["NUKE_TEMP_DIR"] = "/nowhere"


def unknown_model(app: Any, node: Any, shot: Shot) -> None:
    node["model"].setValue("gossamer-xl")


def unknown_space(app: Any, node: Any, shot: Shot) -> None:
    node["color_space"].setValue("Kodachrome")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unplug_plate, r"Gossamer1: nothing is connected to the input plate\. Connect the plate"),
        (unplug_trimap, r"Gossamer1: nothing is connected to the input trimap\. Connect a trimap or a roto"),
        (break_plate, r"Gossamer1: the input plate has an error at frame 1001: look at Read1"),
        (take_licence, r"the plate of frame 1001 \(main\) cannot be rendered: A license .*Matte where a Nuke"),
        (block_folder, r"Gossamer1: cannot write into .*gossamer.*Choose another output folder"),
        (wrong_view, r"Gossamer1: the knob views names left; the script has main"),
        (no_frame_token, r"Gossamer1: the file name 'matte\.exr' needs the frame number once"),
        (a_folder_in_the_name, r"Gossamer1: the file name 'a/matte\.####\.exr' holds a folder"),
        (not_exr, r"Gossamer1: the file name 'matte\.####\.jpg' has to end in \.exr"),
        (two_views_one_name, r"the views left, right would all be written to 'matte\.####\.exr'\. Put %V"),
        (temp_nowhere, r"No temporary folder can be made in /nowhere: .*Set NUKE_TEMP_DIR"),
        (unknown_model, r"gossamer-xl"),
        (unknown_space, r"Kodachrome"),
    ],
)
def test_what_is_wrong_is_raised_as_a_sentence(
    terminal: Any,
    shot: Shot,
    worker: Any,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Any, Any, Shot], None],
    message: str,
) -> None:
    worker()
    monkeypatch.setenv("NUKE_TEMP_DIR", str(shot.folder.parent))
    node = shot.node(terminal, frame_range="1001")
    spoil(terminal, node, shot)
    from gossamer_nuke.session import matte

    with pytest.raises(Exception, match=message):
        matte(node)
    assert list(shot.folder.parent.glob("gossamer-*")) == []
    assert node.node("WritePlate")["disable"].value()


def matted(app: Any, shot: Shot, *frames: int, **knobs: Any) -> tuple[Any, Any]:
    """A node whose mattes of ``frames`` are current, in a saved script, and a Write below it."""
    from gossamer_nuke.session import matte

    node = shot.node(app, **knobs)
    write = write_below(app, node, shot.folder.parent)
    matte(node, frames)
    app.save_as(shot.folder.parent / "shot.nk")
    return node, write


def test_a_render_in_proxy_mode_takes_the_mattes_that_are_there(terminal: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    _, write = matted(terminal, shot, 1001)
    terminal.root_node["proxy"].setValue(True)
    from gossamer_nuke.farm import matte_script

    matte_script((1001,), [write])
    assert len(keeper.jobs) == 1
    with pytest.raises(RuntimeError, match="Gossamer1: proxy mode is on"):
        matte_script((1001, 1002), [write])


def test_a_render_that_may_not_write_takes_the_mattes_that_are_there(
    terminal: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = worker()
    _, write = matted(terminal, shot, 1001)
    from gossamer_nuke.farm import matte_script

    def refuse(**options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    matte_script((1001,), [write])
    assert len(keeper.jobs) == 1
    with pytest.raises(RuntimeError, match=r"Gossamer1: cannot write into .*Permission denied"):
        matte_script((1001, 1002), [write])


def copy_elsewhere(app: Any, shot: Shot) -> tuple[Any, Any]:
    """The script opened again from a folder of a farm's own."""
    copied = shot.folder.parent / "farm" / "shot.nk"
    copied.parent.mkdir()
    shutil.copy(shot.folder.parent / "shot.nk", copied)
    app.module.scriptOpen(str(copied))
    return app.module.toNode("Gossamer1"), app.module.toNode("Write1")


def test_a_copied_script_takes_the_mattes_that_its_node_shows(terminal: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    matted(terminal, shot, 1001, 1002, write_foreground=True)
    node, write = copy_elsewhere(terminal, shot)
    shown = node["result_file"].value()
    terminal.module.execute(write, 1001, 1002)
    assert len(keeper.jobs) == 1
    assert node["result_file"].value() == shown
    shot.save(1002)  # the plate is another one now
    terminal.module.execute(write, 1002, 1002)
    assert [job["outputs"]["path"].rsplit("/", 2)[0] for job in keeper.jobs[1:]] == [f"{shot.folder.parent}/farm"]


def test_where_a_copied_script_has_to_matte_a_node_that_changes_time_finds_its_mattes_too(
    terminal: Any, shot: Shot, worker: Any
) -> None:
    worker()
    node, write = matted(terminal, shot, 1001, 1002, frame_range="1001-1002")
    offset = terminal.module.nodes.TimeOffset(inputs=[node], time_offset=1)
    write.setInput(0, terminal.module.nodes.Merge2(inputs=[offset, node], operation="plus"))
    terminal.save_as(shot.folder.parent / "shot.nk")
    _, write = copy_elsewhere(terminal, shot)
    terminal.module.execute(write, 1002, 1003)
    assert (shot.folder.parent / "out" / "comp.1003.exr").is_file()


def test_a_report_that_cannot_be_written_is_a_note_and_spoils_no_frame(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(terminal)
    (shot.folder.parent / "gossamer" / "shot.Gossamer1.report.json").mkdir(parents=True)
    terminal.module.execute(write_below(terminal, node, shot.folder.parent), 1001, 1001)
    assert (shot.folder.parent / "out" / "comp.1001.exr").is_file()
    assert node["status"].value().endswith(", no report")
    assert any("Gossamer Gossamer1: there is no report. Gossamer1: cannot write" in line for line in terminal.printed)
    from gossamer_nuke.session import matte

    node["model"].setValue("gossamer-xl")
    with pytest.raises(Exception, match="gossamer-xl"):
        matte(node, (1002,))


def test_two_machines_write_one_report_without_a_file_in_common(
    terminal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gossamer_nuke.paths import write_whole

    replace = Path.replace

    def other_machine(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        write_whole(target, {"machine": 2}, "Gossamer1")  # its process has the same number
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", other_machine)
    write_whole(tmp_path / "report.json", {"machine": 1}, "Gossamer1")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
