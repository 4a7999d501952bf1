"""In which colour space Nuke hands over its pixels, and which OCIO configuration names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gossamer_nuke.host import nuke

__all__ = ["ScriptColor", "script_color"]

LINEAR_REC709 = "lin_rec709"
"""Nuke's own colour management works in this; the alias stands in every built-in ACES configuration."""
DEFAULTS = ("colorManagement", "workingSpaceLUT", "int8Lut", "int16Lut", "logLut", "floatLut")
"""Settings of the script that decide how a Read with ``colorspace`` at default decodes its file."""


@dataclass(frozen=True)
class ScriptColor:
    """Read from the script's settings."""

    space: str
    """Name of the working space; raw Writes give values in it."""
    named: str
    """What the script calls its OCIO configuration: the path of a custom one, or a name that means the same wherever
    that Nuke is installed. Empty: none."""
    config: str
    """Path of the OCIO configuration that knows the name; empty: ``$OCIO``, or the worker's built-in one."""
    reason: str
    note: str = ""
    """What the artist has to know about it."""
    defaults: tuple[str, ...] = ()
    """Values of :data:`DEFAULTS`; empty for one that this Nuke does not have."""


def script_color() -> ScriptColor:
    """The working space of the open script."""
    root = nuke.root()
    management, defaults = _text(root, "colorManagement"), tuple(_text(root, name) for name in DEFAULTS)
    if management != "OCIO":
        return ScriptColor(LINEAR_REC709, "", "", f"colour management is {management or 'Nuke'}", defaults=defaults)
    name, custom = _text(root, "OCIO_config"), _text(root, "customOCIOConfigPath")
    named, path = (custom, custom) if name == "custom" else (name, _shipped(name))
    space, note = _text(root, "workingSpaceLUT") or "scene_linear", ""
    if named and not path:
        note = (
            f"The script's OCIO configuration {named!r} was not found beside this Nuke: the worker looks up colour "
            "spaces in $OCIO or in its own ACES configuration. If they differ there, choose the configuration's file "
            "as custom in the project settings."
        )
    return ScriptColor(space, named, path, f"OCIO configuration {named}", note, defaults)


def _text(root: nuke.Node, name: str) -> str:
    knob = root.knob(name)
    if knob is None:
        return ""
    if isinstance(knob, nuke.File_Knob):
        return str(knob.getEvaluatedValue() or "")
    return str(knob.value() or "")


def _shipped(name: str) -> str:
    """A configuration that came with Nuke, if it lies where it does in the versions we know; else empty."""
    program = Path(nuke.EXE_PATH).parent
    for place in (program / "plugins", program.parent / "Resources"):  # the second in an application of macOS
        for file in (f"{name}/config.ocio", f"{name}.ocio"):
            path = place / "OCIOConfigs" / "configs" / file
            if name and path.is_file():
                return str(path)
    return ""
