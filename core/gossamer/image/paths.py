"""From what a user wrote to a place on the disk."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Literal

from gossamer.errors import SequenceError

__all__ = ["expand_home", "kind_of"]


def expand_home(text: str) -> Path:
    """``~`` and ``~name`` in front are home folders; a name that nobody here has begins a file's name."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def kind_of(path: Path) -> Literal["file", "folder", ""]:
    """What lies at ``path``, links followed; empty for nothing, and for what is neither.

    Raises:
        SequenceError: that cannot be told, for instance below a folder that is closed to the user.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL character, which no file has
        return ""
    except OSError as error:
        raise SequenceError(f"Cannot reach {path}: {error.strerror}.") from error
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else ""
