"""The menu. GUI only."""

from __future__ import annotations

from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import NODE_CLASS

__all__ = ["install", "knob_changed"]

ICON = "Gossamer.png"


def install() -> None:
    """Put the node into Nodes > Gossamer."""
    menu = nuke.menu("Nodes").addMenu("Gossamer", icon=ICON)
    menu.addCommand("Gossamer", f"nuke.createNode('{NODE_CLASS}')", icon=ICON)
    nuke.addKnobChanged(knob_changed, nodeClass=NODE_CLASS)


def knob_changed() -> None:
    """Say in the status why a view is black."""
    node, knob = nuke.thisNode(), nuke.thisKnob()
    if knob is None or knob.name() not in ("view", "output"):
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
