"""Frame ranges as artists type them, and in pieces."""

from __future__ import annotations

import re

from gossamer_bridge import settings
from gossamer_bridge.errors import KnobError
from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import read_settings

__all__ = ["batches", "own_frames", "parse_frames"]


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


def own_frames(node: nuke.Group) -> tuple[int, ...]:
    """The knob frame range, else the range of the plate; none without either.

    Raises:
        NukeError: the knob holds no frame range.
    """
    settings, plate = read_settings(node), node.input(0)
    if settings.frame_range:
        return parse_frames(settings.frame_range, settings.node)
    if plate is None:
        return ()
    reach = plate.frameRange()
    return tuple(range(reach.first(), reach.last() + 1))


def batches(frames: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """``frames`` in pieces of at most ``size``: so much lies rendered on disk at once."""
    return [frames[start : start + size] for start in range(0, len(frames), size)]
