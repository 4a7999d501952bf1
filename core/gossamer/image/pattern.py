"""The frame number in a file name: ``####``, ``%04d``, ``$F4``, or digits in front of the ending."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gossamer.errors import SequenceError

__all__ = ["NUMBERED", "has_token", "padding_of", "split_pattern"]

_TOKEN = re.compile(r"#+|%(0?\d*)d|\$F(\d*)")
# A minus sign counts only after a dot, an underscore or nothing: shot-0005.exr is frame 5, shot.-0005.exr is -5.
NUMBERED = re.compile(r"(?P<stem>.*?)(?P<number>(?:(?<![^._])-)?\d+)(?P<suffix>\.[^.]+)")


def has_token(name: str) -> bool:
    """Whether a file name leaves a place for the frame number."""
    return bool(_TOKEN.search(name))


def split_pattern(path: Path) -> tuple[str, int, str]:
    """Text before the frame number, its padding, text after it."""
    tokens = list(_TOKEN.finditer(path.name))
    if len(tokens) != 1:
        raise SequenceError(f"{path}: give the frame number once (####, %04d or $F4) in the file name.")
    token = tokens[0]
    hashes = len(token[0]) if token[0].startswith("#") else 0
    padding = hashes or int(token[1] or token[2] or 0) or 1
    return path.name[: token.start()], padding, path.name[token.end() :]


def padding_of(numbers: Sequence[str]) -> int:
    """Width of the frame numbers as written; a minus sign counts, as in ``%04d``."""
    return min(len(number) for number in [n for n in numbers if not n.startswith("-")] or numbers)
