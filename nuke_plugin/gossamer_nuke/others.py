"""Whose files lie where a node would write: another node's, the artist's, or Gossamer's own."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import is_gossamer
from gossamer_nuke.paths import at_frame, at_view, with_percent
from gossamer_nuke.plan import Plan, pattern_of

__all__ = ["check_alone", "check_mattes", "without_note"]

MARK = b"gossamer:"
"""What the attributes begin with that the worker puts into the header of each matte."""
HEADER_BYTES = 1 << 18

Left = Collection[tuple[int, str]]
"""Frame and view of what will be written."""


def without_note(plan: Plan, left: Left) -> list[Path]:
    """The files that would be replaced and have no note that a node of Gossamer made them."""
    paths = [at_frame(plan.pattern, frame, view) for frame, view in left if not plan.stamps.is_there(frame, view)]
    return [path for path in paths if path.is_file()]


def check_alone(plan: Plan, left: Left, unknown: Collection[Path]) -> None:
    """Look whether another node writes the same files, each would show the other's, or reads pictures from there. On
    the main thread.

    Args:
        plan: what will be done.
        left: all of it.
        unknown: what :func:`without_note` gives. A Read may well show mattes that the node made.

    Raises:
        NukeError: there is one.
    """
    written = {_plain(at_frame(plan.pattern, frame, view)) for frame, view in left}
    replaced = {_plain(path) for path in unknown}
    for other in nuke.allNodes(group=nuke.root(), recurseGroups=True):
        if is_gossamer(other):
            if other.fullName() != plan.node and _pattern_or_empty(other) == plan.pattern:
                raise NukeError(
                    f"{plan.node}: {other.fullName()} writes the same files, {plan.pattern}. Put {{node}} into the "
                    "file name of both, or give one of them another output folder."
                )
        elif other.Class() in ("Read", "Write") and not is_gossamer(other.parent()):
            verb, files = ("writes", written) if other.Class() == "Write" else ("reads", replaced)
            if _names_one(other, files, left):
                raise NukeError(
                    f"{plan.node}: {other.fullName()} {verb} the files that the mattes would be written over, "
                    f"{plan.pattern}. Choose another file name or another output folder."
                )


def check_mattes(plan: Plan, unknown: Collection[Path]) -> None:
    """Look whether files without a note are mattes at all.

    A note alone says little: there is none where Nuke was ended before it wrote one, where somebody cleared the notes
    away, and beside mattes of the command line.

    Raises:
        NukeError: one is none, such as a plate or a render.
    """
    for path in unknown:
        if not _may_be_matte(path):
            raise NukeError(
                f"{plan.node}: {path} is there already and is no matte of Gossamer's. Choose another file name or "
                "another output folder, or move that file away."
            )


def _pattern_or_empty(node: nuke.Node) -> str:
    try:
        return pattern_of(node)
    except NukeError:  # its own press will say so
        return ""


def _names_one(node: nuke.Node, files: Collection[str], left: Left) -> bool:
    """Whether the knob ``file`` of a Read or Write names one of ``files``."""
    named = _evaluated(node, "file").replace("\\", "/")
    if not files or not named.lower().endswith(".exr"):
        return False
    whole = Path(_evaluated(nuke.root(), "project_directory"), named)
    pattern = whole.with_name(with_percent(whole.name)).as_posix()
    folders = {str(Path(file).parent) for file in files}  # tells most nodes, and spares a look at each frame of them
    views = {view for _, view in left if _plain(Path(at_view(pattern, view)).parent) in folders}
    return any(view in views and _plain(at_frame(pattern, frame, view)) in files for frame, view in left)


def _evaluated(node: nuke.Node, name: str) -> str:
    knob = node.knob(name)
    try:
        return str(knob.getEvaluatedValue() or "") if isinstance(knob, nuke.File_Knob) else ""
    except RuntimeError:  # an expression that leads nowhere; such a node reads and writes nothing
        return ""


def _plain(path: Path) -> str:
    return os.path.normcase(os.path.normpath(path))


def _may_be_matte(path: Path) -> bool:
    """Whether the header says so. What is empty or cannot be read is nobody's picture."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError:
        return True
    return not header or MARK in header
