# SPDX-License-Identifier: GPL-3.0-or-later
"""Which datablock is meant: a file may link datablocks that are called like its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["find_block", "library_of", "named"]


def library_of(block: Any) -> str:
    """The library that a datablock is linked from; empty for one of this file.

    By the library's name, which is unique in a file: its path changes with every Save As to another folder.
    """
    return "" if block.library is None else str(block.library.name)


def find_block(blocks: Iterable[Any], name: str, library: str) -> Any:
    """The datablock of this name from this library; None if there is none."""
    return next((block for block in blocks if block.name == name and library_of(block) == library), None)


def named(blocks: Iterable[Any], name: str) -> Any:
    """What a script means by a name: a datablock of this file, else a linked one. None if there is none.

    A linked one can also be named in full: ``hero [lib.blend]``.
    """
    every = list(blocks)
    found = [block for block in every if block.name_full == name] or [block for block in every if block.name == name]
    return found[0] if found else None
