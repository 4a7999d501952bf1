# SPDX-License-Identifier: GPL-3.0-or-later
"""The smaller buttons: cancel, test the worker, free it, clear the cache, show plate or matte, add nodes."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from gossamer_bridge.errors import BridgeError

from .cache import clear
from .datablocks import named
from .gather import plate_for
from .images import clip_element, find_frame_map, image_element
from .mattes import latest_matte, matte_duration, matte_map, mattes, origin_of
from .nodes import add_matte_nodes
from .preferences import cache_folder, worker_settings
from .properties import stated_in, with_properties
from .session import session

__all__ = ["CLASSES"]


class GossamerCancel(bpy.types.Operator):
    """Stop the job; finished frames stay"""

    bl_idname = "gossamer.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """While a job runs."""
        return session().is_busy

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask for the end; the job's own operator tidies up."""
        run = session().run
        if run is not None:
            run.cancel()
        return {"FINISHED"}


class GossamerTestWorker(bpy.types.Operator):
    """Start the worker and show what it is and what it can do"""

    bl_idname = "gossamer.test_worker"
    bl_label = "Test Worker"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Not while a job runs: its worker is not to be replaced."""
        return not session().is_busy

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask in a thread; the answer appears in the preferences. Without a window: wait for it."""
        session().test(worker_settings())
        if bpy.app.background:
            testing = session().testing
            if testing is not None:
                testing.join()
            for line in session().test_lines:
                self.report({"INFO"}, line)
            return {"FINISHED"}
        bpy.app.timers.register(_redraw_while_testing, first_interval=0.2)
        return {"FINISHED"}


def _redraw_while_testing() -> float | None:
    """A timer of Blender's: redraw the preferences until the answer is there."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("PREFERENCES", "IMAGE_EDITOR", "CLIP_EDITOR"):
                area.tag_redraw()
    testing = session().testing
    return 0.2 if testing is not None and testing.is_alive() else None


class GossamerReleaseWorker(bpy.types.Operator):
    """End the idle worker: its memory, on the graphics card too, is free at once. The next job starts a new one"""

    bl_idname = "gossamer.release_worker"
    bl_label = "Free Worker"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """While a worker is there and idle."""
        current = session().keeper.current
        return current is not None and current.is_alive and not session().is_busy

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Close it."""
        session().keeper.close()
        session().end(("The worker is closed; its memory is free.",))
        return {"FINISHED"}


class GossamerClearCache(bpy.types.Operator):
    """Remove drawn masks and pictures that were handed to the worker; mattes are not touched"""

    bl_idname = "gossamer.clear_cache"
    bl_label = "Clear Cache"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Not while a job may read from it."""
        return not session().is_busy

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Clear what is ours, whatever else lies in the folder the artist chose."""
        freed = clear(cache_folder())
        self.report({"INFO"}, f"{freed / 2**20:.1f} MB freed")
        return {"FINISHED"}


@with_properties(matte=bpy.props.BoolProperty(name="Matte", default=True))
class GossamerShow(bpy.types.Operator):
    """Show the matte or the plate in this editor, at the same place in time"""

    bl_idname = "gossamer.show"
    bl_label = "Show"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """In an Image Editor, with a matte."""
        space = context.space_data
        return getattr(space, "type", "") == "IMAGE_EDITOR" and latest_matte(plate_for(context, "IMAGE")) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch the editor's image and set how it counts frames."""
        space: Any = context.space_data
        plate: Any = plate_for(context, "IMAGE")
        matte = latest_matte(plate)
        if matte is None:
            return {"CANCELLED"}
        is_matte = stated_in(self).get("matte", True)
        if not is_matte and isinstance(plate, bpy.types.MovieClip):
            self.report({"ERROR"}, f"The plate {plate.name} is a clip. Open it in a Clip Editor.")
            return {"CANCELLED"}
        space.image = matte if is_matte else plate
        if matte.source == "SEQUENCE":
            lies = matte_map(matte)
            user = space.image_user
            user.frame_start, user.frame_offset = lies.start, lies.offset
            user.frame_duration = max(user.frame_duration, matte_duration(matte))  # the plate's may be longer
            user.use_auto_refresh = True
        return {"FINISHED"}


@with_properties(
    editor=bpy.props.EnumProperty(items=(("IMAGE", "Image", ""), ("CLIP", "Clip", "")), default="IMAGE"),
    matte=bpy.props.StringProperty(name="Matte", description="Name of a matte's datablock. Not stated: the newest"),
)
class GossamerAddNodes(bpy.types.Operator):
    """Add plate, matte, Set Alpha and Alpha Over to the scene's compositor; nothing that is there is changed"""

    bl_idname = "gossamer.add_matte_nodes"
    bl_label = "Add Matte Nodes"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Find the matte and its plate, and wire them."""
        stated = stated_in(self)
        if stated.get("matte"):
            matte = named(mattes(), stated["matte"])
        else:
            matte = latest_matte(plate_for(context, stated.get("editor", "IMAGE"))) or next(iter(mattes()), None)
        origin = origin_of(matte) if matte is not None else None
        if matte is None or origin is None:
            self.report({"ERROR"}, "There is no matte yet. Pull one with Matte Frame or Matte Range first.")
            return {"CANCELLED"}
        plate = origin.find()
        if plate is None:
            self.report({"ERROR"}, f"The plate {origin.name} of {matte.name} is gone. Load it under that name.")
            return {"CANCELLED"}
        try:
            if isinstance(plate, bpy.types.MovieClip):
                lies = clip_element(plate).default_map
            else:
                lies = find_frame_map(plate, image_element(plate), context.space_data)
        except BridgeError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not add_matte_nodes(context.scene, plate, matte, plate_map=lies):
            self.report({"INFO"}, f"The nodes for {matte.name} are there already")
        return {"FINISHED"}


CLASSES = (
    GossamerCancel,
    GossamerTestWorker,
    GossamerReleaseWorker,
    GossamerClearCache,
    GossamerShow,
    GossamerAddNodes,
)
