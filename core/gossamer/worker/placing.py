"""Puts files where another program looks for them, and takes exactly those away again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer.errors import SettingError
from gossamer.image.writing import replace_when_done

__all__ = ["Placed", "place", "read_record", "remove"]

RECORD_SCHEMA = 1


@dataclass(frozen=True)
class Placed:
    """What was put into a folder, relative to it."""

    files: Mapping[str, str]
    """Path to SHA-256."""
    links: Mapping[str, str]
    """Path of the link to what it points at."""


def place(folder: Path, record: Path, files: Mapping[str, Path | bytes], links: Mapping[str, Path]) -> Placed:
    """Put ``files`` (copies of a file, or a content) and ``links`` into ``folder``, and note them in ``record``.

    What an earlier call noted there is replaced; what was changed since and is not wanted any more is left alone.

    Raises:
        SettingError: something lies in the way that this function did not put there or that was changed since, or the
            folder cannot be written. Nothing has been changed in the first case.
    """
    before = read_record(record) or Placed({}, {})
    changed = _changed(folder, before)
    wanted = {*files, *links}
    owned = {name.split("/")[0] for name in (*before.files, *before.links)}
    foreign = [name for name in changed if name in wanted]
    foreign += [top for top in sorted({name.split("/")[0] for name in wanted} - owned) if os.path.lexists(folder / top)]
    if foreign:
        raise SettingError(
            f"{folder / foreign[0]} is not what `gossamer install-hosts` put there. Move it away, or choose another "
            "folder; nothing was changed."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _take_away(folder, before, keep=changed)
        contents = {name: data if isinstance(data, bytes) else data.read_bytes() for name, data in files.items()}
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
        placed = Placed(sums, {name: str(target) for name, target in links.items()})
        _write_record(record, placed)  # first, so that an interruption leaves nothing that nobody knows of
        for name, data in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with replace_when_done(path) as temporary:
                temporary.write_bytes(data)
        for name, target in links.items():
            (folder / name).symlink_to(target, target_is_directory=target.is_dir())
    except OSError as error:
        raise SettingError(f"Cannot write into {folder}: {error.strerror}. Choose a folder of your own.") from error
    return placed


def remove(folder: Path, record: Path) -> tuple[list[str], list[str]]:
    """Take away what ``record`` notes: the names that are gone, and those that stay because somebody changed them.

    Bytecode that Python made of these files goes too, and folders that are empty then.
    """
    placed = read_record(record)
    if placed is None:
        return [], []
    kept = _changed(folder, placed)
    gone = [name for name in (*placed.files, *placed.links) if name not in kept]
    try:
        _take_away(folder, placed, keep=kept)
        record.unlink()
    except OSError as error:
        raise SettingError(f"Cannot remove from {folder}: {error.strerror}. Close the host and try again.") from error
    return gone, kept


def read_record(record: Path) -> Placed | None:
    """What ``record`` notes; None if there is none.

    Raises:
        SettingError: it is damaged.
    """
    try:
        values: Any = json.loads(record.read_text(encoding="utf-8"))
        if values["schema"] != RECORD_SCHEMA:
            raise ValueError(f"schema {values['schema']!r}")
        placed = Placed(dict(values["files"]), dict(values["links"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(
            f"{record} cannot be read ({error}). Remove it and what `gossamer install-hosts` put beside it by hand."
        ) from error
    outside = [name for name in (*placed.files, *placed.links) if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise SettingError(f"{record} names {outside[0]}, which lies outside of its folder. Remove it by hand.")
    return placed


def _write_record(record: Path, placed: Placed) -> None:
    values = {"schema": RECORD_SCHEMA, "files": dict(placed.files), "links": dict(placed.links)}
    with replace_when_done(record) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _changed(folder: Path, placed: Placed) -> list[str]:
    """What lies in the place of a placed thing and is not it."""
    found = []
    for name, sha256 in placed.files.items():
        path = folder / name
        if os.path.lexists(path):
            is_same = path.is_file() and not path.is_symlink()
            if not is_same or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                found.append(name)
    for name, target in placed.links.items():
        path = folder / name
        if os.path.lexists(path) and not (path.is_symlink() and str(path.readlink()) == target):
            found.append(name)
    return found


def _take_away(folder: Path, placed: Placed, keep: list[str] | None = None) -> None:
    kept = set(keep or ())
    for name in (*placed.files, *placed.links):
        if name not in kept:
            (folder / name).unlink(missing_ok=True)
    # Only folders that hold placed files; links' targets are never entered.
    parents = {parent for name in placed.files for parent in Path(name).parents if parent != Path()}
    for parent in sorted(parents, key=lambda path: len(path.parts), reverse=True):
        inside = folder / parent
        if inside.is_symlink() or not inside.is_dir():
            continue
        cache = inside / "__pycache__"
        if cache.is_dir() and not cache.is_symlink() and all(entry.suffix == ".pyc" for entry in cache.iterdir()):
            shutil.rmtree(cache)
        if not any(inside.iterdir()):
            inside.rmdir()
