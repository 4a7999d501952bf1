"""``gossamer install-hosts`` and ``gossamer worker`` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gossamer.cli import install_hosts
from gossamer.errors import SettingError


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return CliRunner()


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    install_hosts.register(app)
    return app


def test_it_says_what_it_did_and_undoes_it(runner: CliRunner, app: typer.Typer, tmp_path: Path) -> None:
    done = runner.invoke(
        app, ["install-hosts", "--nuke", str(tmp_path / "nuke"), "--blender", str(tmp_path / "addons")]
    )
    assert done.exit_code == 0, done.output
    note = tmp_path / "home" / "gossamer" / "worker.json"
    assert json.loads(note.read_text(encoding="utf-8"))["python"] == sys.executable
    assert f"{note}: the worker's Python is {sys.executable}" in done.output
    assert (tmp_path / "nuke" / "gossamer" / "gossamer_bridge" / "client.py").is_file()
    assert (tmp_path / "addons" / "gossamer_blender" / "__init__.py").is_file()
    undone = runner.invoke(app, ["install-hosts", "--uninstall"])
    assert undone.exit_code == 0
    assert f"{note}: removed" in undone.output
    assert list((tmp_path / "nuke").iterdir()) == []
    assert list((tmp_path / "addons").iterdir()) == []


def test_a_link_cannot_be_uninstalled_and_made_at_once(runner: CliRunner, app: typer.Typer) -> None:
    done = runner.invoke(app, ["install-hosts", "--uninstall", "--link"])
    assert isinstance(done.exception, SettingError)
    assert "leave out --link" in str(done.exception)


def test_a_worker_without_a_host_ends_cleanly() -> None:
    command = [sys.executable, "-m", "gossamer", "worker"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"the host closed the pipe" in done.stderr
