"""Whose files lie where a node would write: another node's, the artist's, or Gossamer's own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from gossamer_nuke.errors import NukeError
from gossamer_nuke.files import matte_digest
from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import is_gossamer, is_inside_gossamer
from gossamer_nuke.paths import at_frame, at_view, with_percent
from gossamer_nuke.plan import Plan, find_node, pattern_of
from gossamer_nuke.upstream import walk

__all__ = ["check_alone", "check_mattes", "no_mattes", "without_note"]

Left = Collection[tuple[int, str]]
"""Frame and view of what will be written."""


def without_note(plan: Plan, left: Left) -> list[Path]:
    """The files that would be replaced and have no note that a node of Gossamer made them."""
    paths = [at_frame(plan.pattern, frame, view) for frame, view in left if not plan.stamps.is_there(frame, view)]
    return [path for path in paths if path.is_file()]


def no_mattes(unknown: Collection[Path]) -> list[Path]:
    """Those of ``unknown`` that are pictures of somebody else by their headers, such as plates and renders.

    A missing note alone says little: there is none where Nuke was ended before it wrote one, where somebody cleared the
    notes away, and beside mattes of the command line. Each file is opened, so not on the main thread.
    """
    return [path for path in unknown if not _may_be_matte(path)]


def check_alone(plan: Plan, left: Left, foreign: Collection[Path], unknown: Collection[Path] = ()) -> None:
    """Look whether another node writes the same files, each would show the other's, or reads pictures from there. On
    the main thread.

    Args:
        plan: what will be done.
        left: all of it.
        foreign: what :func:`no_mattes` gives. A Read may well show mattes that the node made.
        unknown: what :func:`without_note` gives. They may be mattes, but none that the node itself is made from.

    Raises:
        NukeError: there is one.
    """
    views = {view for _, view in left}
    written = _Files(at_frame(plan.pattern, frame, view) for frame, view in left)
    replaced, replaced_above = _Files(foreign), _Files(unknown)
    above = {part.fullName() for part in walk(find_node(plan))} if unknown else set()
    for other in nuke.allNodes(group=nuke.root(), recurseGroups=True):
        if is_gossamer(other):
            if other.fullName() != plan.node and _pattern_or_empty(other) == plan.pattern:
                raise NukeError(
                    f"{plan.node}: {other.fullName()} writes the same files, {plan.pattern}. Put {{node}} into the "
                    "file name of both, or give one of them another output folder."
                )
        elif other.Class() in ("Read", "Write") and not is_inside_gossamer(other):
            verb, files = "writes", written
            if other.Class() == "Read":
                verb, files = "reads", replaced_above if other.fullName() in above else replaced
            if _names_one(other, files, left, views):
                raise NukeError(
                    f"{plan.node}: {other.fullName()} {verb} the files that the mattes would be written over, "
                    f"{plan.pattern}. Choose another file name or another output folder."
                )


def check_mattes(plan: Plan, foreign: Collection[Path]) -> None:
    """Refuse to replace what :func:`no_mattes` gives.

    Raises:
        NukeError: there is such a file.
    """
    for path in foreign:
        raise NukeError(
            f"{plan.node}: {path} is there already and is no matte of Gossamer's. Choose another file name or "
            "another output folder, or move that file away."
        )


class _Files:
    """Files that a node may name, and their folders: these tell most nodes, and spare a look at each frame of them."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = {_plain(path) for path in paths}
        self.folders = {str(Path(path).parent) for path in self.paths}


def _pattern_or_empty(node: nuke.Node) -> str:
    try:
        return pattern_of(node)
    except NukeError:  # its own press will say so
        return ""


def _names_one(node: nuke.Node, files: _Files, left: Left, views: Collection[str]) -> bool:
    """Whether the knob ``file`` of a Read or Write names one of ``files`` at a frame and view of ``left``."""
    if not files.paths:
        return False
    named = _evaluated(node, "file").replace("\\", "/")
    if not named.lower().endswith(".exr"):
        return False
    whole = Path(_evaluated(nuke.root(), "project_directory"), named)
    pattern = whole.with_name(with_percent(whole.name)).as_posix()
    near = {view for view in views if _plain(Path(at_view(pattern, view)).parent) in files.folders}
    if not near:
        return False
    return any(view in near and _plain(at_frame(pattern, frame, view)) in files.paths for frame, view in left)


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
        return path.stat().st_size == 0 or matte_digest(path) != ""
    except OSError:
        return True
