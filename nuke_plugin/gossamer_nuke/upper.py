"""From which mattes of Gossamer nodes above one is made. Their knobs tell what would be made, not what lies there."""

from __future__ import annotations

from collections.abc import Iterable

from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import node_by_name, nuke
from gossamer_nuke.paths import Stamps
from gossamer_nuke.upstream import gossamer_above

__all__ = ["check_related", "mattes_at", "mattes_at_other_frames"]


def mattes_at(node: nuke.Group, frame: int, view: str) -> list[str]:
    """What the mattes that reach ``node`` at ``frame`` were made from; empty for one that is missing or not whole."""
    return [_key(needed.node, frame, view) for needed in gossamer_above(node) if needed.at_its_frames]


def mattes_at_other_frames(node: nuke.Group, views: tuple[str, ...]) -> list[str]:
    """The same of those that come by way of a node that changes time, of all their frames: which it asks for, nobody
    knows. As many small files are read, so not frame by frame.
    """
    found = []
    for needed in gossamer_above(node):
        if needed.at_others:
            first, last = int(needed.node["result_first"].value()), int(needed.node["result_last"].value())
            found += [_key(needed.node, frame, view) for view in views for frame in range(first, last + 1)]
    return found


def check_related(node: nuke.Group, running: Iterable[str]) -> None:
    """Of two nodes of which one is made from the other's mattes, one is matted at a time: Nuke goes on showing those
    of before until a run ends, while the notes are new already.

    Args:
        node: that is to be matted.
        running: full names of those that are being matted.

    Raises:
        NukeError: one of them is above or below ``node``.
    """
    name, upper = node.fullName(), _names_above(node)
    for other_name in running:
        other = node_by_name(other_name)
        if other_name in upper or (isinstance(other, nuke.Group) and name in _names_above(other)):
            raise NukeError(
                f"{name}: {other_name} is being matted, and one is made from the other's mattes. Wait until that is "
                "done, or press Cancel there; then press the button again."
            )


def _names_above(node: nuke.Group) -> set[str]:
    return {needed.node.fullName() for needed in gossamer_above(node)}


def _key(node: nuke.Group, frame: int, view: str) -> str:
    if not node["has_result"].value():
        return ""
    return Stamps(str(node["result_file"].value()), node.fullName()).key(frame, view)
