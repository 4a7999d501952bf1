"""``init.py`` and ``menu.py``: short, quick, and harmless without a worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "nuke_plugin"


@pytest.mark.parametrize("name", ["init.py", "menu.py"])
def test_the_files_nuke_looks_for_have_two_lines(name: str) -> None:
    lines = (PLUGIN / name).read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line]) == 2


def test_the_menu_makes_a_node(app: Any) -> None:
    menu = app.menus["Nodes"].findItem("Gossamer")
    assert [item.name() for item in menu.items()] == ["Gossamer", "Gossamer as Group"]
    menu.items()[0].invoke()
    node = app.module.toNode("Gossamer1")
    assert node.Class() == "Gossamer"
    assert (PLUGIN / "icons" / menu.icon()).is_file()


def test_a_terminal_has_no_menu(terminal: Any) -> None:
    assert terminal.menus["Nodes"].items() == []


def test_start_up_starts_no_worker_and_imports_little(app: Any) -> None:
    loaded = {name for name in sys.modules if name.startswith("gossamer_nuke")}
    assert "gossamer_nuke.session" not in loaded
    assert "gossamer_nuke.farm" not in loaded


def test_a_broken_installation_is_a_line_in_the_terminal_and_not_a_broken_nuke(tmp_path: Path) -> None:
    """Nuke's start-up in a Python of its own: the package without the bridge, and no ``nuke`` at all."""
    (tmp_path / "gossamer_nuke").symlink_to(PLUGIN / "gossamer_nuke")
    for name in ("init.py", "menu.py"):
        done = subprocess.run(
            [
                sys.executable,
                "-S",
                "-c",
                f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nexec(open({str(PLUGIN / name)!r}).read())",
            ],
            capture_output=True,
            text=True,
            env={"PATH": ""},
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Install it again from its README." in done.stderr


def test_a_view_that_has_nothing_to_show_says_why(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    node["view"].setValue("foreground")
    assert node["status"].value().startswith("these mattes have no foreground: switch on 'write foreground'")
    node["view"].setValue("confidence")
    assert node["status"].value().startswith("these mattes have no confidence")


def test_open_report_before_the_first_matte_says_so(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    node["open_report"].execute()
    assert app.messages == ["Gossamer1: there is no report yet. Matte a frame first."]


def test_release_without_a_worker_says_so(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    node["release_gpu"].execute()
    assert node["status"].value() == "no worker is running: nothing is held"
