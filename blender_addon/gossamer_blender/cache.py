# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder for pictures that had to be written because they were in Blender's memory only."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

__all__ = ["clear", "prune", "replace_if_changed"]

logger = logging.getLogger(__name__)


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


def prune(folder: Path, *, limit: int, spare_seconds: float = 86400.0) -> int:
    """Remove the files that were written longest ago until ``folder`` holds at most ``limit`` bytes.

    Files younger than ``spare_seconds`` stay whatever their size: a job may be using them. Gives the bytes removed.
    """
    if not folder.is_dir():
        return 0
    files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in folder.rglob("*") if path.is_file())
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
    return removed


def clear(folder: Path) -> int:
    """Remove everything in ``folder``; gives the bytes that were freed."""
    if not folder.is_dir():
        return 0
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder, ignore_errors=True)
    return size
