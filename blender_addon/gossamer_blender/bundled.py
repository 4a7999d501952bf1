# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bridge comes from.

As an extension (4.2 and later) Blender itself unpacks the wheel that the manifest names. As a classic add-on (3.4 to
4.1) nobody does, so the add-on puts its own wheel on the path and takes it away again when it is switched off.
"""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

__all__ = ["provide_bridge", "withdraw_bridge"]

BRIDGE = "gossamer_bridge"
JOBS = ("gossamer-job", "gossamer-test")
"""Names of the threads that work with the bridge."""


def _wheels(folder: Path) -> list[str]:
    return [str(wheel) for wheel in sorted((folder / "wheels").glob(f"{BRIDGE}-*.whl"))]


def provide_bridge(package: str, folder: Path) -> None:
    """Make ``gossamer_bridge`` importable, for the package of this name in ``folder``."""
    importlib.invalidate_caches()  # a wheel may lie where one of the same name did
    if package.startswith("bl_ext."):
        return
    sys.path[:0] = [wheel for wheel in _wheels(folder) if wheel not in sys.path]


def withdraw_bridge(package: str, folder: Path) -> None:
    """Undo :func:`provide_bridge`, so that an update of the add-on gets its own bridge without a restart.

    An extension's bridge is forgotten as well, for Blender replaces its files in an update. A bridge that lies
    elsewhere, as in a checkout, stays, and so does one that a job is not done with.
    """
    is_extension = package.startswith("bl_ext.")
    wheels = [] if is_extension else [entry for entry in sys.path if _is_wheel(entry, folder)]
    for wheel in wheels:
        sys.path.remove(wheel)
    if not (is_extension or wheels) or any(thread.name in JOBS for thread in threading.enumerate()):
        return
    for name in [name for name in sys.modules if name == BRIDGE or name.startswith(BRIDGE + ".")]:
        del sys.modules[name]


def _is_wheel(entry: str, folder: Path) -> bool:
    """Whether an entry of the path is a wheel of ours; the file itself may have been replaced by an update's."""
    path = Path(entry)
    return path.parent == folder / "wheels" and path.name.startswith(f"{BRIDGE}-")
