# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator behind Matte Frame and Matte Range: modal with a timer in the window, blocking without one."""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar

import bpy

from gossamer_bridge.errors import BridgeError

from .cache import prune
from .finish import bring_home, summary
from .gather import find, gather_guides, gather_wishes, plate_for, settings_for
from .orders import Placed, place_order
from .preferences import cache_folder, preferences, worker_settings
from .properties import DEVICES, GUIDES, NONLOCAL_MEAN, TARGETS, TTA, stated_in, with_properties
from .run import Run
from .session import session
from .status import progress_lines

__all__ = ["GossamerMatte"]

TICK = 0.1
"""Seconds between two looks at the job."""
EDITORS = (("IMAGE", "Image Editor", "An image datablock"), ("CLIP", "Clip Editor", "A movie clip"))


def _datablock(what: str) -> Any:
    return bpy.props.StringProperty(name=what, description=f"Name of the datablock. Not stated: {what} of the panel")


@with_properties(
    editor=bpy.props.EnumProperty(name="Editor", items=EDITORS, default="IMAGE"),
    use_range=bpy.props.BoolProperty(name="Range", description="Every frame of the range, not one", default=False),
    frames=bpy.props.StringProperty(name="Frames", description="Frames of the scene, like 1-8,12"),
    plate=_datablock("Plate"),
    clip=_datablock("Clip"),
    guide=bpy.props.EnumProperty(name="Guide", items=GUIDES),
    trimap=_datablock("Trimap"),
    mask_image=_datablock("Mask Image"),
    mask=_datablock("Mask"),
    core=_datablock("Core"),
    garbage=_datablock("Garbage"),
    band_in=bpy.props.FloatProperty(name="Band In", min=0.0),
    band_out=bpy.props.FloatProperty(name="Band Out", min=0.0),
    model=bpy.props.StringProperty(name="Model"),
    refine=bpy.props.IntProperty(name="Refine", min=0),
    tta=bpy.props.EnumProperty(name="Quality", items=TTA),
    nonlocal_mean=bpy.props.EnumProperty(name="Non-local Mean", items=NONLOCAL_MEAN),
    device=bpy.props.EnumProperty(name="Device", items=DEVICES),
    plate_space=bpy.props.StringProperty(name="Colour Space"),
    output=bpy.props.StringProperty(name="Output"),
    target=bpy.props.EnumProperty(name="Result", items=TARGETS),
    skip_finished=bpy.props.BoolProperty(name="Skip Finished"),
)
class GossamerMatte(bpy.types.Operator):
    """Pull a matte. Everything not stated is taken from the panel; Esc cancels and keeps finished frames"""

    bl_idname = "gossamer.matte"
    bl_label = "Matte"
    bl_options: ClassVar = {"UNDO"}

    use_range: bool

    _timer: bpy.types.Timer | None = None
    _placed: Placed | None = None
    _run: Run | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """One job at a time."""
        if session().is_busy:
            cls.poll_message_set("A job is running")
            return False
        return context.scene is not None

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: GossamerMatte) -> str:
        """The button's tooltip."""
        if properties.use_range:
            return "Pull the mattes of the range. Esc or Cancel stops; finished frames stay, and the next press goes on"
        return "Pull the matte of the current frame. Esc cancels"

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """From a button: start and give control back at once."""
        if bpy.app.background:
            return self.execute(context)
        if not self._begin(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        context.window_manager.progress_begin(0.0, 1.0)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look after the job ten times a second; everything else passes."""
        run = self._run
        if run is None or session().run is not run:  # the file was closed or the add-on switched off
            return self._leave(context, {"CANCELLED"})
        if event.type == "ESC" and event.value == "PRESS":
            run.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        run.tend()
        context.window_manager.progress_update(run.host.progress.fraction)
        _redraw(context)
        if not run.is_finished:
            return {"PASS_THROUGH"}
        return self._leave(context, self._finish())

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: its window was closed."""
        run = self._run
        if run is not None and session().run is run:
            run.stop()
            session().end(("Cancelled: the window was closed.",))
        self._leave(context, {"CANCELLED"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script or without a window: block, say how it goes on the console, return when it is done."""
        if not self._begin(context):
            return {"CANCELLED"}
        run = self._run
        assert run is not None
        said = ""
        try:
            while not run.is_finished:
                run.tend(TICK)
                lines = progress_lines(run.host.progress, time.monotonic() - run.started_at)
                if bpy.app.background and lines[0] != said:
                    said = lines[0]
                    sys.stdout.write(f"Gossamer: {', '.join(lines)}\n")
                    sys.stdout.flush()
                time.sleep(0.02)
            return self._finish()
        except BaseException:  # Ctrl+C among it: no job may stay behind
            run.stop()
            session().end(("Cancelled.",))
            raise

    def _begin(self, context: bpy.types.Context) -> bool:
        stated = stated_in(self)
        try:
            editor = "CLIP" if stated.get("clip") else stated.get("editor", "IMAGE")
            settings = settings_for(context.scene, editor)
            plate: Any = plate_for(context, editor)
            if stated.get("plate"):
                plate = find(bpy.data.images, stated["plate"], "image")
            if stated.get("clip"):
                plate = find(bpy.data.movieclips, stated["clip"], "clip")
            if plate is None:
                self._fail(f"No {'plate' if editor == 'IMAGE' else 'clip'} is chosen. Open one in the editor.")
                return False
            space = context.space_data
            guides = gather_guides(settings, stated, space)
            is_range = stated.get("use_range", False) or bool(stated.get("frames"))
            wishes = gather_wishes(context.scene, settings, stated, is_range=is_range)
            cache = cache_folder()
            prune(cache, limit=preferences().cache_limit * 2**20)
            self._placed = place_order(plate, guides, wishes, cache=cache, space=space)
        except BridgeError as error:
            self._fail(str(error))
            return False
        session().keeper.change(worker_settings())
        self._run = session().begin(self._placed.order)
        for note in self._placed.notes:
            self._run.host.show_message(note)
        return True

    def _finish(self) -> set[str]:
        """On the main thread, after the thread has ended: bring home what there is."""
        run, placed = self._run, self._placed
        assert run is not None
        assert placed is not None
        for message in run.host.take_messages():
            self.report({"WARNING"}, message)
        for note in run.host.notes:
            self.report({"INFO"}, note)
        matte: bpy.types.Image | None = None
        lines: list[str] = []
        try:
            matte = bring_home(run, placed)
            lines = summary(run, placed, matte) if run.error is None else []
        except Exception as error:  # whatever it is: nobody else would end the session
            run.fail(error)
        if run.error is not None:
            self._fail(str(run.error))
            return {"CANCELLED"}
        session().end(tuple(lines))
        self.report({"INFO"}, f"Gossamer: {', '.join(lines)}")
        return {"CANCELLED"} if run.is_cancelled and matte is None else {"FINISHED"}

    def _fail(self, text: str) -> None:
        session().end((text,), is_error=True)
        self.report({"ERROR"}, text)

    def _leave(self, context: bpy.types.Context, result: set[str]) -> set[str]:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.window_manager.progress_end()
            self._timer = None
        self._run = None
        _redraw(context)
        return result


def _redraw(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("IMAGE_EDITOR", "CLIP_EDITOR", "NODE_EDITOR"):
                area.tag_redraw()
