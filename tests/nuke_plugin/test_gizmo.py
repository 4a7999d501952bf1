"""The node's definition and the example scripts: balanced, of known classes and knobs, and they work."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.fake_nuke import tcl
from tests.fakes.fake_nuke.knobs import Link_Knob, PyScript_Knob, Tab_Knob
from tests.fakes.fake_nuke.nodes import Node
from tests.fakes.fake_nuke.operators import channel_names
from tests.nuke_plugin.shots import channel, read_exr, save_exr

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "nuke_plugin"
GIZMO = PLUGIN / "gizmos" / "Gossamer.gizmo"
EXAMPLES = sorted((PLUGIN / "examples").glob("*.nk"))

NAMES = [
    "view",
    "matte_frame",
    "matte_range",
    "cancel",
    "status",
    "frame_range",
    "skip_existing",
    "guide",
    "guide_channel",
    "band_in",
    "band_out",
    "core_channel",
    "garbage_channel",
    "model",
    "device",
    "precision",
    "backend",
    "tile",
    "refine",
    "tta",
    "nonlocal_mean",
    "color_space",
    "output_channel",
    "output",
    "write_foreground",
    "write_confidence",
    "data_type",
    "transfer",
    "output_folder",
    "output_pattern",
    "views",
    "matte_in_render",
    "release_gpu",
    "open_report",
    "gossamer_version",
    "result_file",
    "result_first",
    "result_last",
    "has_result",
    "has_foreground",
    "has_confidence",
    "report_file",
]
"""Scripts store these: a name may be added and never be changed."""


def user_knobs(node: Any) -> list[Any]:
    return [knob for knob in node._knobs.values() if knob._user_definition]


def parse(text: str) -> int:
    """Read commands and, one level down, the lines of each node."""
    found = tcl.commands(text)
    lines = [tcl.commands(tcl.unquote(word)) for command in found for word in command[1:] if tcl.braced(word)]
    return len(lines)


@pytest.mark.parametrize("path", [GIZMO, *EXAMPLES], ids=lambda path: path.name)
def test_the_text_is_balanced(path: Path) -> None:
    assert parse(path.read_text(encoding="utf-8")) > 5


@pytest.mark.parametrize("text", ["Dot {\n name A\n", 'Dot {\n label "a\n}\n', "Dot {\n}\n}\n"])
def test_an_unbalanced_text_would_be_found(text: str) -> None:
    with pytest.raises(tcl.TclError):
        parse(text)


def test_the_names_of_knobs_are_those_that_scripts_store(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    kinds = (Tab_Knob,)
    names = [knob.name() for knob in user_knobs(node) if not isinstance(knob, kinds)]
    assert [name for name in names if not re.fullmatch(r"\w+_line|worker_help", name)] == NAMES


def test_each_knob_has_a_tooltip(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    without = [knob.name() for knob in user_knobs(node) if not isinstance(knob, Tab_Knob) and not knob.tooltip()]
    assert without == ["buttons_line", "worker_help"]


def test_the_inputs_come_in_order(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    inputs = {int(member["number"].value()): member.name() for member in node.nodes() if member.Class() == "Input"}
    assert [inputs[i] for i in range(4)] == ["plate", "trimap", "core", "garbage"]


def test_links_lead_to_knobs_that_exist(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    links = [knob for knob in user_knobs(node) if isinstance(knob, Link_Knob)]
    assert len(links) == 4
    assert {link.value() for link in links} == {"rgba.alpha"}


def test_every_button_is_python_that_the_adapter_has(app: Any) -> None:
    from gossamer_nuke import session

    node = app.module.nodes.Gossamer()
    buttons = [knob for knob in user_knobs(node) if isinstance(knob, PyScript_Knob)]
    assert len(buttons) == 5
    for button in buttons:
        called = [
            n.func.attr
            for n in ast.walk(ast.parse(button.command()))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
        ]
        assert called[0] in session.__all__, button.name()


def test_settings_are_read_from_knobs_that_exist(app: Any) -> None:
    from gossamer_nuke.knobs import GUIDES, OUTPUTS, VIEWS, read_settings

    node = app.module.nodes.Gossamer()
    settings = read_settings(node)
    assert settings.model == "gossamer-s"
    assert tuple(node["view"].values()) == VIEWS
    assert tuple(node["output"].values()) == OUTPUTS
    assert [name.split()[0] for name in node["guide"].values()] == list(GUIDES)


def test_knobs_that_name_a_choice_of_the_job_offer_what_the_job_takes(app: Any) -> None:
    from gossamer import config

    node = app.module.nodes.Gossamer()
    assert tuple(node["device"].values()) == config.DEVICES
    assert tuple(node["precision"].values()) == config.PRECISIONS
    assert tuple(node["backend"].values()) == config.BACKENDS
    band = config.Band()
    assert (node["band_in"].value(), node["band_out"].value()) == (band.inside, band.outside)


def test_errors_of_the_worker_name_knobs_and_inputs_that_exist(app: Any) -> None:
    from gossamer_nuke.knobs import OPTIONS

    node = app.module.nodes.Gossamer()
    inputs = {"trimap", "core", "garbage"}
    assert [name for name in OPTIONS.values() if name not in inputs and node.knob(name) is None] == []


def test_a_node_that_lacks_a_knob_says_so(app: Any) -> None:
    from gossamer_nuke.knobs import read_settings

    node = app.module.nodes.Gossamer()
    del node._knobs["tile"]
    with pytest.raises(RuntimeError, match=r"Gossamer1 has no knob tile\. Make a new Gossamer node"):
        read_settings(node)


def test_the_writes_inside_are_off_raw_and_name_their_channels(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    writes = [member for member in node.nodes() if member.Class() == "Write"]
    assert [write.name() for write in writes] == ["WritePlate", "WriteGuide", "WriteCore", "WriteGarbage"]
    for write in writes:
        assert write["disable"].value()
        assert write["raw"].value()
        assert not write["autocrop"].value()
        assert (write["file_type"].value(), write["file"].value()) == ("exr", "unused.exr")
        assert channel_names(write["channels"].value())
    assert writes[0]["metadata"].value() == "all metadata"


def test_the_result_is_read_raw_and_complains_about_missing_frames(app: Any) -> None:
    read = app.module.nodes.Gossamer().node("Result")
    assert (read["raw"].value(), read["on_error"].value(), read["file"].value()) == (
        True,
        "error",
        "[value parent.result_file]",
    )


def test_every_node_inside_is_connected(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    fed = {id(upstream) for member in node.nodes() for upstream in member._inputs}
    ends = ("Write", "Output")
    unused = [member.name() for member in node.nodes() if id(member) not in fed and member.Class() not in ends]
    starved = [
        member.name()
        for member in node.nodes()
        if member.maxInputs() and member.Class() != "Input" and None in member._inputs
    ]
    assert (unused, starved) == ([], [])


def test_a_script_written_and_read_again_is_the_same(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    node["band_in"].setValue(7.5)
    node["output_folder"].setValue("/jobs/a b/$shot [x]/mattes")
    node["guide"].setValue(1)
    node["guide_channel"].getLinkedKnob().setValue("rgba.red")
    text = app.to_text()
    app.open_text(text)
    again: Node = app.module.toNode("Gossamer1")
    assert re.sub(r"N[0-9a-f]+", "N", app.to_text()) == re.sub(r"N[0-9a-f]+", "N", text)
    assert again["band_in"].value() == 7.5
    assert again["output_folder"].value() == "/jobs/a b/$shot [x]/mattes"
    assert again["guide"].value() == "mask (roto)"
    assert again["guide_channel"].value() == "rgba.red"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_renders_from_a_checkout(terminal: Any, worker: Any, tmp_path: Path, path: Path) -> None:
    worker()
    (tmp_path / "core" / "sample").mkdir(parents=True)
    for name in ("fur.1001.exr", "alpha.1001.exr", "trimap.1001.png"):
        planes, _ = read_exr(ROOT / "core" / "sample" / name)  # a quarter of the size is enough here
        save_exr(tmp_path / "core" / "sample" / name, {key: plane[::4, ::4] for key, plane in planes.items()})
    script = tmp_path / "nuke_plugin" / "examples" / path.name
    script.parent.mkdir(parents=True)
    shutil.copy(path, script)
    from gossamer_nuke.farm import render_script

    render_script(str(script), "1001", [])
    written = next((script.parent / "out").glob("[cw]*.1001.exr"))
    planes, _ = read_exr(written)
    assert planes["A"].max() == 1
    node = terminal.module.toNode("Gossamer1")
    terminal.frame_number = 1001
    alpha = channel(terminal, node)
    truth, _ = read_exr(tmp_path / "core" / "sample" / "alpha.1001.exr")
    assert abs(alpha - next(iter(truth.values()))).mean() < 0.1
