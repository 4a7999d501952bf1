# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder for pictures that had to be written because they were in Blender's memory only."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from pathlib import Path

__all__ = ["MASKS", "PICTURES", "clear", "prune", "replace_if_changed"]

logger = logging.getLogger(__name__)

MASKS = "masks"
"""Drawn masks, a folder each."""
PICTURES = "pictures"
"""Pictures that were handed to the worker."""
_HEX = "[0-9a-f]"
_OWN = (
    (f"{MASKS}/*-{_HEX * 12}", "mask*.exr"),
    (f"{MASKS}/*-{_HEX * 12}", ".mask*.tmp.exr"),
    (PICTURES, f"{_HEX * 24}.exr"),
    (PICTURES, ".gossamer-*.tmp.exr"),
)
"""Folders and files as ``orders.py``, ``run.py`` and the worker name them; unfinished files too."""


def replace_if_changed(new: Path, target: Path) -> bool:
    """Put ``new`` in ``target``'s place unless both hold the same bytes; whether it did.

    A finished frame counts as done only if it is newer than its inputs, so an input that did not change must keep its
    time: otherwise no range could be resumed.
    """
    if target.is_file() and target.stat().st_size == new.stat().st_size and target.read_bytes() == new.read_bytes():
        new.unlink()
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(new, target)  # noqa: PTH105 - as in the bridge: the atomic one
    return True


def _own_files(cache: Path) -> list[Path]:
    """What the add-on wrote, and nothing else: the artist may have named a folder that is full of other things, some of
    them in folders that are called like ours. Links are not followed.
    """
    real = cache.resolve()
    folders = [(folder, names) for place, names in _OWN for folder in cache.glob(place)]
    own = [(folder, names) for folder, names in folders if folder.resolve() == real / folder.relative_to(cache)]
    return [path for folder, names in own for path in folder.glob(names) if path.is_file() and not path.is_symlink()]


def prune(cache: Path, *, limit: int, spare_seconds: float = 86400.0) -> int:
    """Remove the files of ours that were written longest ago until ``cache`` holds at most ``limit`` bytes of them.

    Files younger than ``spare_seconds`` stay whatever their size: a job may be using them. Gives the bytes removed.
    """
    files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in _own_files(cache))
    surplus = sum(size for _, size, _ in files) - limit
    removed = 0
    for written, size, path in files:
        if removed >= surplus or time.time() - written < spare_seconds:
            break
        try:
            path.unlink()
        except OSError as error:
            logger.warning("cannot remove %s: %s", path, error)
            continue
        removed += size
        with contextlib.suppress(OSError):  # other files are left in the folder
            path.parent.rmdir()
    return removed


def clear(cache: Path) -> int:
    """Remove everything of ours in ``cache``; gives the bytes that were freed."""
    return prune(cache, limit=-1, spare_seconds=-math.inf)  # -1: empty files go as well
