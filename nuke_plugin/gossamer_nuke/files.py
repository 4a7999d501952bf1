"""Whether a file is still the one that was seen."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["FileState", "file_state"]


class FileState(NamedTuple):
    """By which a file is told from one that took its place."""

    size: int
    modified: int
    """In nanoseconds."""


def file_state(path: str) -> FileState | None:
    """As it is now; None if it is not there."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return FileState(found.st_size, found.st_mtime_ns)
