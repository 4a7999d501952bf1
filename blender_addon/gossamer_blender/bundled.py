# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bridge comes from.

As an extension (4.2 and later) Blender itself unpacks the wheel that the manifest names. As a classic add-on (3.4 to
4.1) nobody does, so the add-on puts its own wheel on the path and takes it away again when it is switched off.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["provide_bridge", "withdraw_bridge"]

BRIDGE = "gossamer_bridge"


def _wheels(folder: Path) -> list[str]:
    return [str(wheel) for wheel in sorted((folder / "wheels").glob(f"{BRIDGE}-*.whl"))]


def provide_bridge(package: str, folder: Path) -> None:
    """Make ``gossamer_bridge`` importable, for the package of this name in ``folder``."""
    if package.startswith("bl_ext."):
        return
    sys.path[:0] = [wheel for wheel in _wheels(folder) if wheel not in sys.path]


def withdraw_bridge(package: str, folder: Path) -> None:
    """Undo :func:`provide_bridge`, so that an update of the add-on gets its own bridge without a restart."""
    if package.startswith("bl_ext."):
        return
    wheels = [wheel for wheel in _wheels(folder) if wheel in sys.path]
    for wheel in wheels:
        sys.path.remove(wheel)
    if wheels:
        for name in [name for name in sys.modules if name == BRIDGE or name.startswith(BRIDGE + ".")]:
            del sys.modules[name]
