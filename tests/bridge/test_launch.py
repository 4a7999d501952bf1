"""Which Python runs the worker, and in what environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gossamer_bridge.errors import WorkerNotFoundError
from gossamer_bridge.launch import (
    clean_environment,
    config_folder,
    find_interpreter,
    interpreter_file,
    worker_command,
)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "APPDATA": str(tmp_path / "config")}


def make_python(folder: Path, name: str = "python") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def note(environ: dict[str, str], **values: object) -> Path:
    file = interpreter_file(environ)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(values), encoding="utf-8")
    return file


def test_the_setting_wins_over_the_variable_and_the_variable_over_the_note(
    environ: dict[str, str], tmp_path: Path
) -> None:
    first, second, third = (make_python(tmp_path / name) for name in "abc")
    note(environ, schema=1, python=str(third))
    assert find_interpreter("", environ).path == str(third)
    environ["GOSSAMER_PYTHON"] = str(second)
    assert find_interpreter("", environ).path == str(second)
    found = find_interpreter(str(first), environ)
    assert (found.path, found.source) == (str(first), "the host's setting")


def test_a_setting_that_does_not_exist_is_no_reason_to_look_further(environ: dict[str, str], tmp_path: Path) -> None:
    environ["GOSSAMER_PYTHON"] = str(make_python(tmp_path / "b"))
    with pytest.raises(WorkerNotFoundError, match=r"setting names the Python /nowhere/python, which does not exist"):
        find_interpreter("/nowhere/python", environ)


def test_a_folder_of_a_virtual_environment_will_do(environ: dict[str, str], tmp_path: Path) -> None:
    python = make_python(tmp_path / "venv" / "bin")
    assert find_interpreter(str(tmp_path / "venv"), environ).path == str(python)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no executable bit")
def test_a_file_that_cannot_be_executed_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    python = make_python(tmp_path)
    python.chmod(0o644)
    environ["GOSSAMER_PYTHON"] = str(python)
    with pytest.raises(WorkerNotFoundError, match=r"GOSSAMER_PYTHON names .* cannot be executed"):
        find_interpreter("", environ)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_the_link_of_a_virtual_environment_is_not_followed(environ: dict[str, str], tmp_path: Path) -> None:
    link = tmp_path / "venv-python"
    link.symlink_to(make_python(tmp_path / "real"))
    assert find_interpreter(str(link), environ).path == str(link)


def test_without_any_of_them_the_error_says_what_to_run(environ: dict[str, str]) -> None:
    with pytest.raises(WorkerNotFoundError, match=r"No worker is set up yet.*gossamer install-hosts"):
        find_interpreter("", environ)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schema": 2, "python": "/x"}, "written by another version"),
        ({"schema": 1}, "cannot be read"),
        ({"schema": 1, "python": 7}, "written by another version"),
        ({"schema": 1, "python": "/gone/python"}, "names the Python /gone/python, which does not exist"),
    ],
)
def test_a_note_that_does_not_help_is_named(environ: dict[str, str], values: dict[str, object], message: str) -> None:
    file = note(environ, **values)
    with pytest.raises(WorkerNotFoundError, match=message) as caught:
        find_interpreter("", environ)
    assert str(file) in str(caught.value)


def test_a_note_that_is_no_json_is_named(environ: dict[str, str]) -> None:
    file = note(environ)
    file.write_text("{", encoding="utf-8")
    with pytest.raises(WorkerNotFoundError, match="cannot be read"):
        find_interpreter("", environ)


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {"HOME": "/h"}, "/h/.config/gossamer"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "/c"}, "/c/gossamer"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, "/h/.config/gossamer"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/Gossamer"),
        ("win32", {"USERPROFILE": "/u", "APPDATA": "/a"}, "/a/Gossamer"),
        ("win32", {"USERPROFILE": "/u"}, "/u/AppData/Roaming/Gossamer"),
    ],
)
def test_each_system_has_its_folder(platform: str, environ: dict[str, str], folder: str) -> None:
    assert config_folder(environ, platform) == Path(folder)


def test_the_hosts_own_libraries_do_not_reach_the_worker() -> None:
    host = {
        "PYTHONPATH": "/nuke",
        "PYTHONHOME": "/nuke",
        "LD_LIBRARY_PATH": "/nuke",
        "LD_PRELOAD": "x.so",
        "QT_PLUGIN_PATH": "/nuke",
        "DYLD_LIBRARY_PATH": "/nuke",
        "CONDA_PREFIX": "/c",
        "VIRTUAL_ENV": "/v",
        "OCIO": "/show/config.ocio",
        "PATH": "/bin",
        "HOME": "/h",
    }
    kept = {"OCIO": "/show/config.ocio", "PATH": "/bin", "HOME": "/h"}
    assert clean_environment(host) == {**kept, "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1"}


def test_the_command_runs_the_package_with_the_interpreter(environ: dict[str, str], tmp_path: Path) -> None:
    interpreter = find_interpreter(str(make_python(tmp_path)), environ)
    command = worker_command(interpreter, idle_timeout=90)
    assert command == (interpreter.path, "-m", "gossamer", "worker", "--idle-timeout", "90")
