"""What a node hangs on: which Gossamer nodes a render needs, and a digest that changes when a matte would."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import is_gossamer

__all__ = ["Needed", "gossamer_above", "needed_by", "recipe", "walk"]

LOOKS = (
    *("xpos", "ypos", "selected", "name", "label", "note_", "tile_color", "gl_color", "postage_stamp", "bookmark"),
    *("status", "report_file", "result_", "has_result", "has_foreground", "has_confidence"),
)
"""Knobs that move no pixel, by the beginning of their names. The second line's are those that our own runs set: what
they come from, the other knobs and the nodes above, is in the digest."""
TIME_NODES = (
    *("TimeOffset", "TimeWarp", "TimeClip", "TimeBlur", "TimeEcho", "NoTimeBlur", "FrameHold", "FrameBlend", "Retime"),
    *("AppendClip", "OFlow", "Kronos", "MotionBlur", "TemporalMedian", "Denoise", "Deflicker", "SmartVector"),
    *("OFXuk.co.thefoundry.time.", "OFXcom.revisionfx."),
)
"""Classes, by the beginning of their names, that ask for other frames than they are asked for. Below one that is not
here, the Read inside the node fails at a frame without a matte."""


@dataclass(frozen=True)
class Needed:
    """A Gossamer node whose mattes a render needs."""

    node: nuke.Group
    at_its_frames: bool
    """Of the frames that are rendered."""
    at_others: bool
    """Of frames that only a node in between knows, such as a TimeOffset."""


def walk(*nodes: nuke.Node, above: Callable[[nuke.Node], list[nuke.Node | None]] | None = None) -> Iterator[nuke.Node]:
    """Everything above ``nodes`` and they themselves, each once, from the top down; into groups and out of them.

    Args:
        nodes: where to begin.
        above: the nodes above one; :func:`_above`, from which it gets its picture, if not given.
    """
    above = above or _above
    seen: set[str] = set()
    waiting = [(node, False) for node in reversed(nodes)]
    while waiting:
        current, is_ready = waiting.pop()
        if is_ready:
            yield current
        elif current.fullName() not in seen:
            seen.add(current.fullName())
            waiting.append((current, True))
            waiting += [(upper, False) for upper in reversed(above(current)) if upper is not None]


def _inputs(node: nuke.Node) -> list[nuke.Node | None]:
    """Up to the last that is connected: one that was unplugged again is as good as one that never was."""
    found = [node.input(index) for index in range(node.inputs())]
    while found and found[-1] is None:
        found.pop()
    return found


def _above(node: nuke.Node) -> list[nuke.Node | None]:
    found = _inputs(node)
    if node.Class() == "Input":
        group = node.parent()
        found.append(group.input(int(node["number"].getValue())))
    return found + _outputs(node)


def _above_at_its_frame(node: nuke.Node) -> list[nuke.Node | None]:
    """What it gets at the frame it is asked for; a group does so through its inside, where the frame may change."""
    return [] if _changes_time(node) else _outputs(node) or _above(node)


def _above_and_linked(node: nuke.Node) -> list[nuke.Node | None]:
    """Also those whose values its knobs take by expression, such as a Tracker beside the tree."""
    linked = node.dependencies(nuke.EXPRESSIONS | nuke.HIDDEN_INPUTS)
    return _above(node) + sorted(linked, key=lambda found: found.fullName())


def _outputs(node: nuke.Node) -> list[nuke.Node | None]:
    """Inside of a group that is not ours."""
    if not isinstance(node, nuke.Group) or is_gossamer(node):
        return []
    return [inner for inner in node.nodes() if inner.Class() == "Output"]


def _changes_time(node: nuke.Node) -> bool:
    disable = node.knob("disable")
    return node.Class().startswith(TIME_NODES) and not (disable is not None and disable.value())


def needed_by(*writes: nuke.Node) -> list[Needed]:
    """The Gossamer nodes whose mattes a render of ``writes`` needs, those farther up first."""
    everything = list(walk(*writes))
    at_its_frames = {node.fullName() for node in walk(*writes, above=_above_at_its_frame)}
    at_others = {node.fullName() for node in walk(*filter(_changes_time, everything))}
    found = []
    for node in everything:
        if isinstance(node, nuke.Group) and is_gossamer(node):
            is_at_others = node.fullName() in at_others
            # One that a group takes in and its inside seems not to use is in neither: better a matte too many.
            found.append(Needed(node, node.fullName() in at_its_frames or not is_at_others, is_at_others))
    return found


def gossamer_above(node: nuke.Group) -> list[Needed]:
    """The Gossamer nodes whose mattes arrive at the inputs of ``node``, those farther up first."""
    return [needed for needed in needed_by(node) if needed.node.fullName() != node.fullName()]


def recipe(node: nuke.Node) -> str:
    """Digest of all nodes above the inputs of ``node`` and those they are linked to, with their knobs and animation.

    It is the same at every frame and in every session, which Nuke's own hashes are not. That is also why the project's
    format is taken from the script, and not the size of what arrives: that one follows playhead and proxy mode.
    """
    lines: list[str] = []
    script: list[str] = []
    follows_format = False
    asked: dict[str, list[nuke.Node | None]] = {}

    def above_once(part: nuke.Node) -> list[nuke.Node | None]:
        """Nuke takes its time over what a node is linked to, and each is asked for the way up and for its wires."""
        name = part.fullName()
        if name not in asked:
            asked[name] = _above_and_linked(part)
        return asked[name]

    for index, above in enumerate(_inputs(node)):
        lines.append(f"input {index}")
        numbers: dict[str, int] = {}  # names are no part of it, so this is how wires are told
        for part in walk(above, above=above_once) if above is not None else ():
            wires = [_number(upper, numbers) for upper in above_once(part)]
            numbers[part.fullName()] = len(numbers)
            if part.fullName() == node.fullName():
                continue  # linked to from above; which of its own knobs count, the plan knows
            written = part.writeKnobs(nuke.WRITE_NON_DEFAULT_ONLY | nuke.TO_SCRIPT).splitlines()
            knobs = [line.strip() for line in written if not line.strip().startswith(LOOKS)]
            follows_format = follows_format or _follows_format(part, knobs)
            if part.Class() == "Root":
                script = knobs
            else:
                lines += [" ".join([part.Class(), *wires]), *knobs]
    if follows_format:
        lines.append(f"project {nuke.root()['format'].toScript()}")
    text = "\n".join(lines)
    # Of the script's settings those count that somebody names; never the frame, which is where the playhead stands.
    named = [line for line in script if f".{line.split(' ')[0]}" in text and not line.startswith("frame ")]
    return hashlib.sha256("\n".join([text, *named]).encode("utf-8", "surrogatepass")).hexdigest()


def _number(node: nuke.Node | None, numbers: Mapping[str, int]) -> str:
    """Which of the parts so far; a dash for nothing, and for the rest of a loop, which comes later."""
    return "-" if node is None else str(numbers.get(node.fullName(), "-"))


def _follows_format(part: nuke.Node, knobs: list[str]) -> bool:
    """Whether the project's format may decide its size: a Reformat or Roto as it comes, what has no picture above it,
    and what an expression takes from the script. A Read has its file's.
    """
    if part.Class() == "Root":
        return True
    if part.Class() == "Read" or any(line.startswith("format ") for line in knobs):
        return False
    upper = part.parent().input(int(part["number"].getValue())) if part.Class() == "Input" else part.input(0)
    return upper is None or part.knob("format") is not None
