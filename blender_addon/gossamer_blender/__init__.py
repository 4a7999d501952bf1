# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender adapter: runs inside Blender, reaches the worker through the bridge.

Everything is imported when the add-on is switched on, because only then is the bridge on the path (``bundled.py``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

__all__ = ["bl_info", "register", "unregister"]

bl_info = {
    "name": "Gossamer",
    "author": "The Gossamer authors",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "Image Editor and Clip Editor > Sidebar > Gossamer",
    "description": "Pulls hair, fur, motion blur and glass off a plate",
    "category": "Compositing",
}
"""For Blender 3.4 to 4.1; later ones read blender_manifest.toml."""

PACKAGE = __package__ or "gossamer_blender"
FOLDER = Path(__file__).resolve().parent


def register() -> None:
    """Switch on."""
    _forget_modules()  # the version before this one may have left its own
    from . import bundled

    bundled.provide_bridge(PACKAGE, FOLDER)
    from . import registration

    registration.register()


def unregister() -> None:
    """Switch off; nothing is left running."""
    from . import bundled, registration

    registration.unregister()
    bundled.withdraw_bridge(PACKAGE, FOLDER)
    _forget_modules()  # an update that is switched on next brings modules of its own


def _forget_modules() -> None:
    """Have the next import read every file anew.

    ``from . import`` looks at the package's own names before ``sys.modules``, and Blender keeps the package itself: it
    is loaded again into the same names.
    """
    inside = PACKAGE + "."
    for name in [name for name in sys.modules if name.startswith(inside)]:
        del sys.modules[name]
    names = globals()
    for name, value in list(names.items()):
        if isinstance(value, ModuleType) and value.__name__.startswith(inside):
            del names[name]
