"""From which mattes of Gossamer nodes above one is made. Their knobs tell what would be made, not what lies there."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from gossamer_nuke.errors import NukeError
from gossamer_nuke.frames import own_frames
from gossamer_nuke.host import node_by_name, nuke
from gossamer_nuke.paths import Stamps
from gossamer_nuke.upstream import Needed, gossamer_above

__all__ = ["check_related", "forget_frame", "forget_mattes", "mattes_at", "mattes_at_other_frames"]

Range = tuple[str, tuple[int, ...], tuple[str, ...]]
"""Pattern of mattes, their frames, their views."""

_known: dict[Range, str] = {}
"""Digests of whole ranges that this process has read. They hold for one render, whose every frame asks for them: n
frames would read n notes n times. The times of the folders do not tell whether to read again, since each matte of the
node below changes them."""


def mattes_at(upper: Iterable[Needed], frame: int, view: str) -> list[str]:
    """What the mattes of ``upper`` that arrive at ``frame`` were made from; empty for one that is missing, not whole,
    or of a node that is gone.
    """
    return [_key(needed.node, frame, view) for needed in upper if needed.at_its_frames]


def mattes_at_other_frames(upper: Iterable[Needed], views: tuple[str, ...], *, is_render: bool) -> list[str]:
    """The same, in one digest for each node, of those that come by way of a node that changes time: of all frames that
    its knobs ask for, since nobody knows which of them are used. What else lies there differs from one who has just
    matted some frame to one who has not, and counts for nothing.

    Args:
        upper: nodes above.
        views: of the node below.
        is_render: whether what an earlier frame of the render has read will do; see :func:`forget_mattes`.
    """
    return [_range_key(needed.node, views, is_render) for needed in upper if needed.at_others]


def forget_mattes() -> None:
    """To be called when a render begins: other machines may have matted since the last."""
    _known.clear()


def forget_frame(pattern: str, frame: int) -> None:
    """To be called when this process has matted a frame itself. From any thread."""
    for known in list(_known):
        if known[0] == pattern and frame in known[1]:
            _known.pop(known, None)


def check_related(node: nuke.Group, running: Collection[str]) -> None:
    """Of two nodes of which one is made from the other's mattes, one is matted at a time: Nuke goes on showing those
    of before until a run ends, while the notes are new already.

    Args:
        node: that is to be matted.
        running: full names of the others that are being matted.

    Raises:
        NukeError: one of them is above or below ``node``.
    """
    if not running:
        return
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
    try:
        stamps = _stamps(node)
    except ValueError:  # deleted since the plan was made: the next render of a frame says that the nodes above changed
        return ""
    return "" if stamps is None else stamps.key(frame, view)


def _range_key(node: nuke.Group, views: tuple[str, ...], is_render: bool) -> str:
    stamps = _stamps(node)
    if stamps is None:
        return ""
    wanted: Range = (stamps.pattern, own_frames(node), views)
    key = _known.get(wanted, "") if is_render else ""
    if not key:
        text = "\n".join(stamps.key(frame, view) for view in views for frame in wanted[1])
        key = _known[wanted] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return key


def _stamps(node: nuke.Group) -> Stamps | None:
    """The notes beside the mattes that a node shows; None if it shows none."""
    return Stamps(str(node["result_file"].value()), node.fullName()) if node["has_result"].value() else None
