"""Installs the adapters: which files go where, and the note that tells them which Python runs the worker."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gossamer
import gossamer_bridge
from gossamer import __version__
from gossamer.errors import SettingError
from gossamer.image.writing import replace_when_done
from gossamer.worker.placing import place, remove
from gossamer_bridge.launch import INTERPRETER_SCHEMA, interpreter_file

__all__ = ["HOSTS", "ROOMS", "Installed", "adapter_folder", "install", "uninstall"]

HOSTS = ("nuke", "blender")
ROOMS = {"nuke": "nuke_plugin", "blender": "blender_addon"}
_LEFT_OUT = ("__pycache__", "wheels", "dist", "tests", "pictures", "examples")
_NUKE_FOLDER = "gossamer"
_NUKE_LINE = f'nuke.pluginAddPath("./{_NUKE_FOLDER}")'
_NUKE_INIT = (
    "# Written by `gossamer install-hosts`; `gossamer install-hosts --uninstall` removes it.\n"
    f"import nuke\n\n{_NUKE_LINE}\n"
)


@dataclass(frozen=True)
class Installed:
    """What was done, for the screen."""

    lines: tuple[str, ...]


def adapter_folder(host: str) -> Path:
    """Where this installation keeps the adapter of ``host``: inside the package, or in the repository.

    Raises:
        SettingError: neither has it.
    """
    room = ROOMS[host]
    package = Path(gossamer.__file__).resolve().parent
    for folder in (package / "hosts" / room, package.parent.parent / room):
        if folder.is_dir():
            return folder
    raise SettingError(
        f"This installation holds no {room}; reinstall it: pip install --force-reinstall gossamer-matting."
    )


def install(places: Mapping[str, Path], *, link: bool = False, python: str = sys.executable) -> Installed:
    """Put the adapters into ``places`` and note ``python`` for them.

    Args:
        places: by host. For Nuke a folder on ``NUKE_PATH`` (``~/.nuke``); for Blender a folder ``scripts/addons``.
        link: link to this installation instead of copying it; for development.
        python: the interpreter that is to run the worker.

    Raises:
        SettingError: something foreign lies in the way, a folder is the wrong one or cannot be written.
    """
    lines = []
    for host, given in places.items():
        folder = given.expanduser().absolute()
        if host == "blender":
            _require_addons(folder)
        lines += _install_nuke(folder, link) if host == "nuke" else _install_blender(folder, link)
        _write_note(python, sorted({*_noted(), str(_record(host, folder))}))  # at once: the next host may fail
    file = _write_note(python, _noted())
    lines.append(f"{file}: the worker's Python is {python}")
    return Installed(tuple(lines))


def uninstall(places: Mapping[str, Path] | None = None) -> Installed:
    """Take away what :func:`install` put into ``places``; without any, everything that is noted, the note included.

    Raises:
        SettingError: files cannot be removed.
    """
    if places:
        records = [_record(host, place.expanduser().absolute()) for host, place in places.items()]
    else:
        records = [Path(record) for record in _noted()]
    lines = []
    for record in records:
        gone, kept = remove(record.parent, record)
        lines.append(f"{record.parent}: {len(gone)} files and links removed" if gone else f"{record.parent}: nothing")
        lines += [f"{record.parent / name}: changed since it was installed; left where it is" for name in kept]
    left = [record for record in _noted() if Path(record).exists()]
    file = interpreter_file()
    if places and left:
        _write_note(_noted_python() or sys.executable, left)
    elif file.exists():
        try:
            file.unlink()
            if not any(file.parent.iterdir()):
                file.parent.rmdir()
        except OSError as error:
            raise SettingError(f"Cannot remove {file}: {error.strerror}. Remove it by hand.") from error
        lines.append(f"{file}: removed")
    return Installed(tuple(lines))


def _record(host: str, folder: Path) -> Path:
    return folder / f".gossamer-{host}.json"


def _install_nuke(folder: Path, link: bool) -> list[str]:
    source, bridge = adapter_folder("nuke"), _bridge_folder()
    record = _record("nuke", folder)
    files: dict[str, Path | bytes] = {}
    links: dict[str, Path] = {}
    if link:
        for entry in sorted(source.iterdir()):
            if _is_wanted(entry):
                links[f"{_NUKE_FOLDER}/{entry.name}"] = entry
        links[f"{_NUKE_FOLDER}/gossamer_bridge"] = bridge
    else:
        files |= _tree(source, _NUKE_FOLDER) | _tree(bridge, f"{_NUKE_FOLDER}/gossamer_bridge")
    # A marker of our own, so that the folder is never taken for somebody else's.
    files[f"{_NUKE_FOLDER}/INSTALLED.txt"] = f"Gossamer {__version__}, written by `gossamer install-hosts`.\n".encode()
    init = folder / "init.py"
    is_ours = not init.exists() or init.read_bytes() == _NUKE_INIT.encode()
    if is_ours:
        files["init.py"] = _NUKE_INIT.encode()
    placed = place(folder, record, files, links)
    what = f"{len(placed.links)} links" if link else f"{len(placed.files)} files"
    lines = [f"{folder / _NUKE_FOLDER}: {what}"]
    if is_ours:
        lines.append(f"{init}: {_NUKE_LINE}")
    elif _NUKE_LINE not in init.read_text(encoding="utf-8", errors="replace"):
        lines.append(f"{init} is yours and was not touched. Add this line to it: {_NUKE_LINE}")
    return lines


def _install_blender(folder: Path, link: bool) -> list[str]:
    source, bridge = adapter_folder("blender"), _bridge_folder()
    package = source / "gossamer_blender"
    record = _record("blender", folder)
    if link:
        place(folder, record, {}, {"gossamer_blender": package, "gossamer_bridge": bridge})
        what = "linked"
    else:
        files = _tree(package, "gossamer_blender") | _tree(bridge, "gossamer_bridge")
        files.setdefault("gossamer_blender/LICENSE", source / "LICENSE")
        what = f"{len(place(folder, record, files, {}).files)} files"
    return [
        f"{folder / 'gossamer_blender'}: {what}",
        "Switch it on in Blender: Edit > Preferences > Add-ons > Gossamer",
    ]


def _require_addons(folder: Path) -> None:
    if "extensions" in folder.parts:
        raise SettingError(
            f"{folder} is for extensions, which Blender installs itself from a zip (Preferences > Get Extensions > "
            "Install from Disk). Give the folder scripts/addons instead; it serves every version."
        )


def _bridge_folder() -> Path:
    return Path(gossamer_bridge.__file__).resolve().parent


def _is_wanted(path: Path) -> bool:
    return not (path.name in _LEFT_OUT or path.name.startswith((".", "bundle_")) or path.suffix == ".pyc")


def _tree(folder: Path, prefix: str) -> dict[str, Path | bytes]:
    """Every file under ``folder`` that a host needs, by its place under ``prefix``."""
    found: dict[str, Path | bytes] = {}
    for path in sorted(folder.rglob("*")):
        parts = [folder / part for part in path.relative_to(folder).parts]
        if path.is_file() and all(map(_is_wanted, parts)):
            found[f"{prefix}/{path.relative_to(folder).as_posix()}"] = path
    return found


def _noted() -> list[str]:
    """The records of all places, as far as the note is readable."""
    try:
        values = json.loads(interpreter_file().read_text(encoding="utf-8"))
        return [str(record) for record in values.get("records", [])]
    except (OSError, ValueError, AttributeError):
        return []


def _noted_python() -> str:
    try:
        return str(json.loads(interpreter_file().read_text(encoding="utf-8")).get("python", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _write_note(python: str, records: list[str]) -> Path:
    file = interpreter_file()
    values = {"schema": INTERPRETER_SCHEMA, "python": python, "version": __version__, "records": records}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replace_when_done(file) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingError(f"Cannot write {file}: {error.strerror}. The adapters would not find the worker.") from error
    return file
