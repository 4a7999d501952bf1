"""Installing the adapters: what is written is noted, and only that is taken away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import gossamer
from gossamer.errors import SettingError
from gossamer.worker import hosts
from gossamer_bridge.launch import find_interpreter, interpreter_file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, so that no test writes into the user's."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "home" / "config"))
    monkeypatch.delenv("GOSSAMER_PYTHON", raising=False)
    return tmp_path / "home"


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Adapters as they are in the repository, in miniature."""
    files = {
        "nuke_plugin/init.py": "import nuke\n",
        "nuke_plugin/menu.py": "",
        "nuke_plugin/bundle_nuke.py": "for developers\n",
        "nuke_plugin/gossamer_nuke/__init__.py": "VALUE = 1\n",
        "nuke_plugin/gossamer_nuke/__pycache__/x.pyc": "",
        "blender_addon/LICENSE": "GPL\n",
        "blender_addon/README.md": "",
        "blender_addon/gossamer_blender/__init__.py": "import gossamer_bridge\n",
        "blender_addon/gossamer_blender/blender_manifest.toml": "",
    }
    for name, text in files.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(hosts, "adapter_folder", lambda host: tmp_path / "repository" / hosts.ROOMS[host])
    return tmp_path / "repository"


def content(folder: Path) -> dict[str, str]:
    """Every file under ``folder`` that is no record of ours, with its text."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".gossamer-")
    }


def test_the_repository_has_both_adapters() -> None:
    assert (hosts.adapter_folder("nuke") / "gossamer_nuke" / "__init__.py").is_file()
    assert (hosts.adapter_folder("blender") / "LICENSE").is_file()


def test_nuke_gets_a_folder_with_the_bridge_and_a_line_that_adds_it(home: Path, rooms: Path, tmp_path: Path) -> None:
    lines = hosts.install({"nuke": tmp_path / "nuke"}).lines
    found = content(tmp_path / "nuke")
    assert 'nuke.pluginAddPath("./gossamer")' in found["init.py"]
    assert found["gossamer/gossamer_nuke/__init__.py"] == "VALUE = 1\n"
    assert {"gossamer/init.py", "gossamer/menu.py", "gossamer/gossamer_bridge/job.py"} <= set(found)
    assert not [name for name in found if "bundle_" in name or name.endswith(".pyc")]
    assert any(str(tmp_path / "nuke" / "gossamer") in line for line in lines)


def test_an_init_of_the_users_own_is_not_touched(home: Path, rooms: Path, tmp_path: Path) -> None:
    (tmp_path / "nuke").mkdir()
    init = tmp_path / "nuke" / "init.py"
    init.write_text("print('mine')\n", encoding="utf-8")
    lines = hosts.install({"nuke": tmp_path / "nuke"}).lines
    assert init.read_text(encoding="utf-8") == "print('mine')\n"
    assert any('Add this line to it: nuke.pluginAddPath("./gossamer")' in line for line in lines)
    init.write_text('import nuke\nnuke.pluginAddPath("./gossamer")\n', encoding="utf-8")
    assert not any("Add this line" in line for line in hosts.install({"nuke": tmp_path / "nuke"}).lines)
    hosts.uninstall()
    assert content(tmp_path / "nuke") == {"init.py": 'import nuke\nnuke.pluginAddPath("./gossamer")\n'}


def test_an_init_that_the_user_goes_on_with_becomes_the_users(home: Path, rooms: Path, tmp_path: Path) -> None:
    hosts.install({"nuke": tmp_path / "nuke"})
    init = tmp_path / "nuke" / "init.py"
    text = init.read_text(encoding="utf-8") + "print('mine')\n"
    init.write_text(text, encoding="utf-8")
    hosts.install({"nuke": tmp_path / "nuke"})
    hosts.uninstall()
    assert content(tmp_path / "nuke") == {"init.py": text}


def test_blender_gets_the_add_on_with_its_licence_and_the_bridge_beside_it(
    home: Path, rooms: Path, tmp_path: Path
) -> None:
    hosts.install({"blender": tmp_path / "addons"})
    found = content(tmp_path / "addons")
    assert found["gossamer_blender/LICENSE"] == "GPL\n"
    assert found["gossamer_blender/__init__.py"] == "import gossamer_bridge\n"
    assert "gossamer_bridge/job.py" in found
    assert {name.split("/")[0] for name in found} == {"gossamer_blender", "gossamer_bridge"}
    program = "import gossamer_blender, gossamer_bridge.job; print(gossamer_bridge.__file__)"
    where = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'addons')!r}); {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.strip() == str(tmp_path / "addons" / "gossamer_bridge" / "__init__.py")


def test_the_folder_of_extensions_is_refused(home: Path, rooms: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"for extensions.*Install from Disk.*scripts/addons"):
        hosts.install({"blender": tmp_path / "extensions" / "user_default"})


def test_the_bridge_finds_the_python_that_was_noted(home: Path, rooms: Path) -> None:
    lines = hosts.install({}).lines
    assert find_interpreter().path == sys.executable
    assert str(interpreter_file()) in lines[0]


def test_installing_again_replaces_what_was_there(home: Path, rooms: Path, tmp_path: Path) -> None:
    hosts.install({"nuke": tmp_path / "nuke"})
    (rooms / "nuke_plugin" / "menu.py").unlink()
    (rooms / "nuke_plugin" / "gossamer_nuke" / "__init__.py").write_text("VALUE = 2\n", encoding="utf-8")
    hosts.install({"nuke": tmp_path / "nuke"})
    found = content(tmp_path / "nuke")
    assert found["gossamer/gossamer_nuke/__init__.py"] == "VALUE = 2\n"
    assert "gossamer/menu.py" not in found


@pytest.mark.parametrize("link", [False, True])
def test_uninstalling_leaves_the_place_as_it_was(home: Path, rooms: Path, tmp_path: Path, link: bool) -> None:
    places = {"nuke": tmp_path / "nuke", "blender": tmp_path / "addons"}
    for place in places.values():
        place.mkdir()
        (place / "other.py").write_text("mine\n", encoding="utf-8")
    hosts.install(places, link=link)
    cache = tmp_path / "nuke" / "gossamer" / "__pycache__"
    cache.mkdir()
    (cache / "init.cpython-311.pyc").write_bytes(b"")
    lines = hosts.uninstall().lines
    for place in places.values():
        assert [path.name for path in place.iterdir()] == ["other.py"]
    assert not interpreter_file().exists()
    assert (rooms / "nuke_plugin" / "init.py").exists()
    assert any("removed" in line for line in lines)


def test_one_host_can_be_uninstalled_alone(home: Path, rooms: Path, tmp_path: Path) -> None:
    hosts.install({"nuke": tmp_path / "nuke", "blender": tmp_path / "addons"})
    hosts.uninstall({"blender": tmp_path / "addons"})
    assert list((tmp_path / "addons").iterdir()) == []
    assert "gossamer/init.py" in content(tmp_path / "nuke")
    assert find_interpreter().path == sys.executable


def test_links_lead_to_this_installation(home: Path, rooms: Path, tmp_path: Path) -> None:
    hosts.install({"nuke": tmp_path / "nuke", "blender": tmp_path / "addons"}, link=True)
    assert (tmp_path / "addons" / "gossamer_blender").readlink() == rooms / "blender_addon" / "gossamer_blender"
    assert (tmp_path / "nuke" / "gossamer" / "gossamer_nuke").readlink() == rooms / "nuke_plugin" / "gossamer_nuke"
    assert (tmp_path / "nuke" / "gossamer" / "gossamer_bridge" / "job.py").is_file()


def test_links_can_be_replaced_by_copies(home: Path, rooms: Path, tmp_path: Path) -> None:
    for link in (True, False, True):
        hosts.install({"nuke": tmp_path / "nuke"}, link=link)
        assert (tmp_path / "nuke" / "gossamer" / "gossamer_nuke").is_symlink() == link


def test_a_foreign_folder_of_the_same_name_is_refused_and_left_alone(home: Path, rooms: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "addons" / "gossamer_blender" / "__init__.py"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("somebody else's\n", encoding="utf-8")
    with pytest.raises(
        SettingError, match=r"gossamer_blender is not what .* put there. Move it away.*nothing was changed"
    ):
        hosts.install({"blender": tmp_path / "addons"})
    assert content(tmp_path / "addons") == {"gossamer_blender/__init__.py": "somebody else's\n"}
    assert not interpreter_file().exists()


def test_a_file_that_was_changed_is_neither_replaced_nor_removed(home: Path, rooms: Path, tmp_path: Path) -> None:
    hosts.install({"nuke": tmp_path / "nuke"})
    changed = tmp_path / "nuke" / "gossamer" / "menu.py"
    changed.write_text("mine now\n", encoding="utf-8")
    with pytest.raises(SettingError, match=r"menu\.py is not what"):
        hosts.install({"nuke": tmp_path / "nuke"})
    lines = hosts.uninstall().lines
    assert any("menu.py: changed since it was installed; left where it is" in line for line in lines)
    assert content(tmp_path / "nuke") == {"gossamer/menu.py": "mine now\n"}


def test_uninstalling_where_nothing_is_does_nothing(home: Path, rooms: Path, tmp_path: Path) -> None:
    assert hosts.uninstall({"nuke": tmp_path}).lines == (f"{tmp_path}: nothing",)
    assert hosts.uninstall().lines == ()


def test_a_damaged_record_is_named(home: Path, rooms: Path, tmp_path: Path) -> None:
    hosts.install({"nuke": tmp_path / "nuke"})
    record = tmp_path / "nuke" / ".gossamer-nuke.json"
    record.write_text("{", encoding="utf-8")
    with pytest.raises(SettingError, match=r"\.gossamer-nuke\.json cannot be read .*by hand"):
        hosts.uninstall()


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py"])
def test_a_record_cannot_make_us_remove_what_lies_elsewhere(home: Path, rooms: Path, tmp_path: Path, name: str) -> None:
    hosts.install({"nuke": tmp_path / "nuke"})
    record = tmp_path / "nuke" / ".gossamer-nuke.json"
    record.write_text(json.dumps({"schema": 1, "files": {name: ""}, "links": {}}), encoding="utf-8")
    with pytest.raises(SettingError, match="lies outside of its folder"):
        hosts.uninstall()


def test_a_place_that_cannot_be_written_is_named(home: Path, rooms: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SettingError, match="Cannot write into"):
        hosts.install({"nuke": tmp_path / "file" / "nuke"})
    home.mkdir(exist_ok=True)
    (home / "config").write_text("", encoding="utf-8")
    with pytest.raises(SettingError, match="adapters would not find the worker"):
        hosts.install({})


def test_an_installation_without_adapters_says_how_to_mend_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gossamer, "__file__", str(tmp_path / "lib" / "gossamer" / "__init__.py"))
    with pytest.raises(SettingError, match=r"holds no nuke_plugin; reinstall it: pip install --force-reinstall"):
        hosts.adapter_folder("nuke")
    packaged = tmp_path / "lib" / "gossamer" / "hosts" / "nuke_plugin"
    packaged.mkdir(parents=True)
    assert hosts.adapter_folder("nuke") == packaged


def test_what_cannot_be_removed_is_named(
    home: Path, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.install({"nuke": tmp_path / "nuke"})

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SettingError, match=r"Cannot remove from .*nuke: Permission denied\. Close the host"):
        hosts.uninstall({"nuke": tmp_path / "nuke"})
    monkeypatch.setattr(hosts, "remove", lambda folder, record: ([], []))
    with pytest.raises(SettingError, match=r"Cannot remove .*worker\.json: Permission denied\. Remove it by hand"):
        hosts.uninstall()
