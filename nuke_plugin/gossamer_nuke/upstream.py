"""What a node hangs on: which Gossamer nodes a render needs, and a digest that changes when a matte would."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import is_gossamer

__all__ = ["gossamer_nodes_above", "recipe"]

LOOKS = (
    *("xpos", "ypos", "selected", "name", "label", "note_", "tile_color", "gl_color", "postage_stamp", "bookmark"),
    *("status", "report_file"),
)
"""Knobs that move no pixel, by the beginning of their names; the last two are those of our own node."""


def walk(node: nuke.Node) -> Iterator[nuke.Node]:
    """``node`` and everything above it, each once, into groups and out of them."""
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.fullName() in seen:
            continue
        seen.add(current.fullName())
        yield current
        waiting += [above for above in _above(current) if above is not None]


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
    found = [above for above in walk(node) if isinstance(above, nuke.Group) and is_gossamer(above)]
    return list(reversed(found))


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
