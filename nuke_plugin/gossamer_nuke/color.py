"""In which colour space Nuke hands over its pixels, and which OCIO configuration names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gossamer_nuke.host import nuke

__all__ = ["ScriptColor", "script_color"]

LINEAR_REC709 = "lin_rec709"
"""Nuke's own colour management works in this; the alias stands in every built-in ACES configuration."""


@dataclass(frozen=True)
class ScriptColor:
    """Read from the script's settings."""

    space: str
    """Name of the working space; raw Writes give values in it."""
    config: str
    """Path of the OCIO configuration that knows the name; empty: ``$OCIO``, or the worker's built-in one."""
    reason: str


def script_color() -> ScriptColor:
    """The working space of the open script."""
    root = nuke.root()
    management = _text(root, "colorManagement")
    if management != "OCIO":
        return ScriptColor(LINEAR_REC709, "", f"colour management is {management or 'Nuke'}")
    config, custom = _text(root, "OCIO_config"), _text(root, "customOCIOConfigPath")
    path = custom if config == "custom" else _shipped(config)
    space = _text(root, "workingSpaceLUT") or "scene_linear"
    return ScriptColor(space, path, f"OCIO configuration {custom if config == 'custom' else config}")


def _text(root: nuke.Node, name: str) -> str:
    knob = root.knob(name)
    if knob is None:
        return ""
    if isinstance(knob, nuke.File_Knob):
        return str(knob.getEvaluatedValue() or "")
    return str(knob.value() or "")


def _shipped(config: str) -> str:
    """A configuration that came with Nuke, if it lies where it does in the versions we know."""
    path = Path(nuke.EXE_PATH).parent / "plugins" / "OCIOConfigs" / "configs" / config / "config.ocio"
    return str(path) if path.is_file() else ""
