# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: the worker's Python with a Test button, folders, device, memory."""

from __future__ import annotations

from pathlib import Path

import bpy

from gossamer_bridge.client import WorkerSettings

from . import compat
from .properties import DEVICES, OPTIONS, with_properties
from .session import session
from .text import draw_wrapped

__all__ = ["GossamerPreferences", "cache_folder", "preferences", "worker_settings"]

PACKAGE = __package__ or "gossamer_blender"


@with_properties(
    python=bpy.props.StringProperty(
        name="Worker's Python",
        description="The Python in which Gossamer is installed, or the folder of its virtual environment. Empty: the "
        "variable GOSSAMER_PYTHON, else what `gossamer install-hosts` noted",
        subtype="FILE_PATH",
    ),
    cache=bpy.props.StringProperty(
        name="Cache Folder",
        description="For pictures that exist in Blender's memory only and for drawn masks. Empty: a folder of the "
        "add-on's own",
        subtype="DIR_PATH",
    ),
    cache_limit=bpy.props.IntProperty(
        name="Cache Limit (MB)",
        description="Of what the add-on wrote there, the oldest is removed first; other files are never touched",
        default=4096,
        min=256,
    ),
    device=bpy.props.EnumProperty(name="Device", items=DEVICES, default="auto"),
    memory_limit=bpy.props.IntProperty(
        name="Memory Limit (MB)",
        description="Keeps the network's working memory below this by using smaller tiles, which is slower. "
        "0: the worker decides",
        default=0,
        min=0,
    ),
    idle_minutes=bpy.props.IntProperty(
        name="Keep Warm (minutes)", description="An idle worker ends by itself after this time", default=10, min=1
    ),
)
class GossamerPreferences(bpy.types.AddonPreferences):
    """Shown under Edit > Preferences > Add-ons > Gossamer."""

    bl_idname = PACKAGE

    python: str
    cache: str
    cache_limit: int
    device: str
    memory_limit: int
    idle_minutes: int

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the preferences."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        row = layout.row(align=True)
        row.prop(self, "python")
        row.operator("gossamer.test_worker", text="Test", icon="CHECKMARK")
        box = layout.box()
        for line in session().test_lines or ("Press Test to see whether the worker can be reached.",):
            draw_wrapped(box, line, 100)
        column = layout.column()
        for name in ("device", "memory_limit", "idle_minutes", "cache_limit"):
            column.prop(self, name)
        row = layout.row(align=True)
        row.prop(self, "cache")
        row.operator("gossamer.clear_cache", text="Clear", icon="TRASH")


def preferences() -> GossamerPreferences:
    """The preferences as they are set."""
    found: GossamerPreferences = bpy.context.preferences.addons[PACKAGE].preferences
    return found


def worker_settings() -> WorkerSettings:
    """How the worker is started."""
    chosen = preferences()
    return WorkerSettings(
        python=bpy.path.abspath(chosen.python) if chosen.python else "",
        host=f"Blender {bpy.app.version_string}",
        idle_timeout=chosen.idle_minutes * 60.0,
        environment=compat.color_environment(),
        knob_names=OPTIONS,
    )


def cache_folder() -> Path:
    """Where pictures go that a worker has to read and nobody asked for."""
    chosen = preferences().cache
    return Path(bpy.path.abspath(chosen)) if chosen else compat.data_folder(PACKAGE, "cache")
