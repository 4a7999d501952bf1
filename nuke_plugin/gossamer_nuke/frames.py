"""Frame ranges as artists type them."""

from __future__ import annotations

import re

from gossamer_nuke.errors import NukeError

__all__ = ["batches", "parse_frames"]

_PIECE = re.compile(r"(-?\d+)(?:-(-?\d+)(?:x(\d+))?)?")


def parse_frames(text: str, node_name: str) -> tuple[int, ...]:
    """``1001-1100x2, 1150`` as rising numbers.

    Raises:
        NukeError: the text is no frame range.
    """
    frames: set[int] = set()
    tight = re.sub(r"\s*x\s*", "x", re.sub(r"(\d)\s*-\s*", r"\1-", text.strip()))
    for piece in re.split(r"\s*,\s*|\s+", tight):
        match = _PIECE.fullmatch(piece)
        if match is None:
            raise NukeError(f"{node_name}: frame range is {text!r}. Write it like 1001-1100x2,1150.")
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        step = int(match[3] or 1)
        if last < first or step < 1:
            raise NukeError(f"{node_name}: the frame range {piece!r} holds no frame. Write the lower number first.")
        frames.update(range(first, last + 1, step))
    return tuple(sorted(frames))


def batches(frames: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """``frames`` in pieces of at most ``size``: so much lies rendered on disk at once."""
    return [frames[start : start + size] for start in range(0, len(frames), size)]
