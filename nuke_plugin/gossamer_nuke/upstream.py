"""What a node hangs on: which Gossamer nodes a render needs, and a digest that changes when a matte would."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import is_gossamer

__all__ = ["gossamer_nodes_above", "recipe"]

LOOKS = (
    *("xpos", "ypos", "selected", "name", "label", "note_", "tile_color", "gl_color", "postage_stamp", "bookmark"),
    *("status", "report_file", "result_", "has_result", "has_foreground", "has_confidence"),
)
"""Knobs that move no pixel, by the beginning of their names. The second line's are those that our own runs set: what
they come from, the other knobs and the nodes above, is in the digest."""


def walk(node: nuke.Node) -> Iterator[nuke.Node]:
    """Everything above ``node`` and the node itself, each once, from the top down; into groups and out of them."""
    seen: set[str] = set()
    waiting = [(node, False)]
    while waiting:
        current, is_ready = waiting.pop()
        if is_ready:
            yield current
        elif current.fullName() not in seen:
            seen.add(current.fullName())
            waiting.append((current, True))
            waiting += [(above, False) for above in reversed(_above(current)) if above is not None]


def _above(node: nuke.Node) -> list[nuke.Node | None]:
    found = [node.input(index) for index in range(node.inputs())]
    if node.Class() == "Input":
        group = node.parent()
        found.append(group.input(int(node["number"].getValue())))
    elif isinstance(node, nuke.Group) and not is_gossamer(node):
        found += [inner for inner in node.nodes() if inner.Class() == "Output"]
    return found


def gossamer_nodes_above(node: nuke.Node) -> list[nuke.Group]:
    """The Gossamer nodes whose mattes a render of ``node`` needs, those farther up first."""
    return [above for above in walk(node) if isinstance(above, nuke.Group) and is_gossamer(above)]


def recipe(node: nuke.Node) -> str:
    """Digest of all nodes above the inputs of ``node``, with their knobs and animation.

    It is the same at every frame and in every session, which Nuke's own hashes are not.
    """
    digest = hashlib.sha256()
    for index in range(node.inputs()):
        above = node.input(index)
        digest.update(f"input {index}\n".encode())
        for part in walk(above) if above is not None else ():
            digest.update(f"{part.Class()}\n".encode())
            for line in part.writeKnobs(nuke.WRITE_NON_DEFAULT_ONLY | nuke.TO_SCRIPT).splitlines():
                if not line.strip().startswith(LOOKS):
                    digest.update(line.strip().encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
