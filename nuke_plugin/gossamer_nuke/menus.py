"""The menu. GUI only."""

from __future__ import annotations

from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import NODE_CLASS, is_gossamer

__all__ = ["create_group", "install", "knob_changed"]

ICON = "Gossamer.png"


def install() -> None:
    """Put the node into Nodes > Gossamer."""
    menu = nuke.menu("Nodes").addMenu("Gossamer", icon=ICON)
    menu.addCommand("Gossamer", f"nuke.createNode('{NODE_CLASS}')", icon=ICON)
    menu.addCommand("Gossamer as Group", create_group, icon=ICON)
    for node_class in (NODE_CLASS, "Group"):
        nuke.addKnobChanged(knob_changed, nodeClass=node_class)


def create_group() -> nuke.Group:
    """A node that carries its inside along: its script shows the mattes also where the plug-in is not installed.

    Raises:
        NukeError: Nuke made no gizmo.
    """
    gizmo = nuke.createNode(NODE_CLASS)
    if not isinstance(gizmo, nuke.Gizmo):
        raise NukeError(f"{NODE_CLASS} is no gizmo here. Look for a second {NODE_CLASS} on the plug-in path.")
    group = gizmo.makeGroup()
    for index in range(gizmo.inputs()):
        group.setInput(index, gizmo.input(index))
    name = gizmo.name()
    nuke.delete(gizmo)
    group.setName(name)
    return group


def knob_changed() -> None:
    """Say in the status why a view is black."""
    node, knob = nuke.thisNode(), nuke.thisKnob()
    if knob is None or knob.name() not in ("view", "output") or not is_gossamer(node):
        return
    view = str(node["view"].value())
    wants_foreground = view == "foreground" or (knob.name() == "output" and int(node["output"].getValue()) > 0)
    text = ""
    if wants_foreground and not node["has_foreground"].value():
        text = "these mattes have no foreground: switch on 'write foreground' and matte again"
    elif view == "confidence" and not node["has_confidence"].value():
        text = "these mattes have no confidence: switch on 'write confidence' and matte again"
    if text:
        nuke.Undo.disable()
        try:
            node["status"].setValue(text)
        finally:
            nuke.Undo.enable()
