"""What ``init.py`` and ``menu.py`` call. Must never keep Nuke from starting, nor take noticeable time.

Only ``host`` is imported here. The rest comes when a button is pressed, or when a render begins.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

__all__ = ["before_frame_render", "before_render", "init", "menu", "script_closed", "script_loaded"]

logger = logging.getLogger(__name__)
FOLDER = Path(__file__).resolve().parent.parent
"""The folder that is on NUKE_PATH."""
_is_ready = False


def init() -> None:
    """In every mode: where gizmos and icons are, and what is called when something is rendered. Once is enough."""
    global _is_ready
    if _is_ready:
        return
    _is_ready = True
    try:
        _find_bridge()
        from gossamer_nuke.host import nuke

        nuke.pluginAddPath(str(FOLDER / "gizmos"))
        nuke.pluginAddPath(str(FOLDER / "icons"))
        nuke.addBeforeRender(before_render, nodeClass="Write")
        nuke.addBeforeFrameRender(before_frame_render, nodeClass="Write")
        nuke.addOnScriptLoad(script_loaded, nodeClass="Root")
        nuke.addOnScriptClose(script_closed, nodeClass="Root")
    except Exception:
        logger.exception("Gossamer is not available in this Nuke. Install it again from its README.")


def menu() -> None:
    """In a GUI: the menu."""
    try:
        from gossamer_nuke import menus

        menus.install()
    except Exception:
        logger.exception("Gossamer has no menu in this Nuke. Install it again from its README.")


def before_render() -> None:
    """Before the first frame of a Write."""
    from gossamer_nuke import farm

    farm.before_render()


def before_frame_render() -> None:
    """Before each frame of a Write."""
    from gossamer_nuke import farm

    farm.before_frame_render()


def script_loaded() -> None:
    """When a script has been opened."""
    from gossamer_nuke import farm

    farm.script_loaded()


def script_closed() -> None:
    """When a script is closed, and when Nuke ends."""
    session = sys.modules.get("gossamer_nuke.session")
    if session is not None:  # else nothing can be running
        session.cancel_all()


def _find_bridge() -> None:
    """A bundle holds ``gossamer_bridge`` beside this package; in a checkout it lies in the folder ``core``."""
    core = FOLDER.parent / "core"
    if not (FOLDER / "gossamer_bridge").is_dir() and (core / "gossamer_bridge").is_dir():
        sys.path.append(str(core))
