"""Frame ranges as artists type them, and in pieces."""

from __future__ import annotations

import re

from gossamer_bridge import settings
from gossamer_bridge.errors import KnobError
from gossamer_nuke.errors import NukeError

__all__ = ["batches", "parse_frames"]


def parse_frames(text: str, node_name: str) -> tuple[int, ...]:
    """``1001-1100x2, 1150`` as rising numbers; blanks separate as commas do.

    Raises:
        NukeError: the text is no frame range, or holds no frame.
    """
    tight = re.sub(r"\s*x\s*", "x", re.sub(r"(\d)\s*-\s*", r"\1-", text.strip()))
    try:
        pieces = [settings.parse_frames(piece) for piece in re.split(r"\s*,\s*|\s+", tight)]
    except KnobError as error:
        raise NukeError(f"{node_name}: frame range is {text!r}. Write it like 1001-1100x2,1150.") from error
    if not all(pieces):
        raise NukeError(
            f"{node_name}: a part of the frame range {text!r} holds no frame. Write the lower number first."
        )
    return tuple(sorted({frame for piece in pieces for frame in piece}))


def batches(frames: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """``frames`` in pieces of at most ``size``: so much lies rendered on disk at once."""
    return [frames[start : start + size] for start in range(0, len(frames), size)]
