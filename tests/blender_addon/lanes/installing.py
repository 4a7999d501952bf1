"""Install the built zip into whatever Blender this is, with folders of its own, and switch it on."""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[3]


def use_folders_of_its_own() -> Path:
    """Before ``bpy`` is imported: nothing of the user's is read or written."""
    home = Path(tempfile.mkdtemp(prefix="gossamer-lane-"))
    os.environ["BLENDER_USER_RESOURCES"] = str(home / "user")  # 4.2 and later
    for part in ("CONFIG", "SCRIPTS", "DATAFILES"):  # 3.4
        (home / "user" / part.lower()).mkdir(parents=True)
        os.environ[f"BLENDER_USER_{part}"] = str(home / "user" / part.lower())
    return home


def build(folder: Path) -> Path:
    """The zip, made by the script that a release uses."""
    # Not by import: the folder on the path would offer the source in the installed package's place.
    bundle = runpy.run_path(str(ROOT / "blender_addon" / "bundle_blender.py"))["bundle"]
    built: Path = bundle(folder)
    return built


def install(zip_file: Path) -> str:
    """As an extension where Blender has them, else as a classic add-on. Gives the package's name."""
    import bpy

    if bpy.app.version >= (4, 2, 0):
        bpy.ops.extensions.package_install_files(filepath=str(zip_file), repo="user_default", enable_on_install=True)
        return "bl_ext.user_default.gossamer"
    bpy.ops.preferences.addon_install(filepath=str(zip_file), overwrite=True)
    bpy.ops.preferences.addon_enable(module="gossamer_blender")
    return "gossamer_blender"


def run(lane: Callable[[], None], home: Path) -> NoReturn:
    """Run ``lane`` with the add-on installed, switch that off again, and end Blender: code 0 if nothing was raised."""
    import bpy

    package = install(build(home / "dist"))
    code = 1
    try:
        lane()
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        bpy.ops.preferences.addon_disable(module=package)
        sys.stdout.flush()
        os._exit(code)


def module(package: str, name: str) -> Any:
    """A module of the installed add-on."""
    import importlib

    return importlib.import_module(f"{package}.{name}")
