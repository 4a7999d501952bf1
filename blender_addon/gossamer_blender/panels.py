# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab "Gossamer" in the sidebars of the Image Editor, the Clip Editor and the compositor."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from .gather import plate_for, settings_for
from .mattes import latest_matte
from .preferences import preferences
from .session import session
from .text import draw_wrapped

__all__ = ["CLASSES"]


class _Panel:
    """What all have in common."""

    bl_region_type = "UI"
    bl_category = "Gossamer"
    layout: bpy.types.UILayout


def _characters(context: bpy.types.Context) -> int:
    """How many fit into a line of the sidebar, beside margins and an icon."""
    region = context.region
    return 24 if region is None else int((region.width / context.preferences.system.ui_scale - 75) / 6.5)


def _draw_status(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """How the last job went; while one runs, what it does and a button that stops it."""
    state = session()
    width = _characters(context)
    lines = state.lines()
    if state.run is not None:
        # Two lines first: a second click where the button for a matte was must not cancel it.
        box = layout.box()
        for line in lines[:2]:
            draw_wrapped(box, line, width)
        layout.operator("gossamer.cancel", text=f"Cancel ({state.run.host.progress.fraction:.0%})", icon="CANCEL")
        for line in lines[2:]:
            draw_wrapped(layout.box(), line, width)
    elif lines:
        box = layout.box()
        for index, line in enumerate(lines):
            icon = ("ERROR" if state.is_error else "CHECKMARK") if index == 0 else "NONE"
            draw_wrapped(box, line, width, icon)


def _draw_worker_hint(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """First use: one sentence about what to do."""
    if session().needs_setting_up(preferences().python):
        box = layout.box()
        text = "No worker yet: install Gossamer in a Python of its own and name that Python in the preferences."
        draw_wrapped(box, text, _characters(context), "INFO")
        box.operator("preferences.addon_show", text="Preferences").module = preferences().bl_idname


class _MattePanel(_Panel):
    bl_label = "Gossamer"
    editor = "IMAGE"

    def draw(self, context: bpy.types.Context) -> None:
        """Plate, buttons, status."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings: Any = settings_for(context.scene, self.editor)
        plate = plate_for(context, self.editor)
        _draw_worker_hint(layout, context)
        layout.prop(settings, "plate" if self.editor == "IMAGE" else "clip")
        if plate is None:
            layout.label(text="Open a plate in this editor", icon="INFO")
        elif getattr(settings, "plate" if self.editor == "IMAGE" else "clip") is None:
            layout.label(text=plate.name, icon="IMAGE_DATA" if self.editor == "IMAGE" else "TRACKER")
        column = layout.column()
        column.prop(settings, "guide")
        kind = settings.guide
        if kind != "NONE":
            column.prop(settings, kind.lower(), text=" ")
        if kind in ("MASK", "MASK_IMAGE"):
            column.prop(settings, "band_in")
            column.prop(settings, "band_out")
        if not session().is_busy:  # not greyed: a button under the pointer would stay so until the pointer moves
            self._draw_buttons(layout, plate is not None)
        _draw_status(layout, context)
        if latest_matte(plate) is not None:
            if self.editor == "IMAGE":
                row = layout.row(align=True)
                row.operator("gossamer.show", text="Show Plate").matte = False
                row.operator("gossamer.show", text="Show Matte").matte = True
            layout.operator("gossamer.add_matte_nodes", icon="NODE_COMPOSITING").editor = self.editor

    def _draw_buttons(self, layout: bpy.types.UILayout, is_enabled: bool) -> None:
        column = layout.column()
        column.scale_y = 1.3
        column.enabled = is_enabled
        one = column.operator("gossamer.matte", text="Matte Frame", icon="IMAGE_ALPHA")
        one.editor, one.use_range = self.editor, False
        many = column.operator("gossamer.matte", text="Matte Range", icon="RENDER_ANIMATION")
        many.editor, many.use_range = self.editor, True


class _OptionsPanel(_Panel):
    bl_label = "Options"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}
    editor = "IMAGE"

    def draw(self, context: bpy.types.Context) -> None:
        """Everything that is seldom changed."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings: Any = settings_for(context.scene, self.editor)
        column = layout.column()
        column.prop(settings, "core")
        column.prop(settings, "garbage")
        column = layout.column()
        for name in ("model", "tta", "nonlocal_mean", "refine", "device", "plate_space"):
            column.prop(settings, name)
        column = layout.column()
        if self.editor == "IMAGE":
            column.prop(settings, "target")
        column.prop(settings, "output_folder")
        column = layout.column(heading="Range")
        column.prop(settings, "use_scene_range")
        if not settings.use_scene_range:
            column.prop(settings, "frame_start")
            column.prop(settings, "frame_end")
        column.prop(settings, "skip_finished")
        layout.operator("gossamer.release_worker", icon="QUIT")


class GossamerImagePanel(_MattePanel, bpy.types.Panel):
    """The Image Editor's panel."""

    bl_idname = "GOSSAMER_PT_image"
    bl_space_type = "IMAGE_EDITOR"


class GossamerImageOptions(_OptionsPanel, bpy.types.Panel):
    """What is seldom changed, for images."""

    bl_idname = "GOSSAMER_PT_image_options"
    bl_space_type = "IMAGE_EDITOR"
    bl_parent_id = "GOSSAMER_PT_image"


class GossamerClipPanel(_MattePanel, bpy.types.Panel):
    """The Clip Editor's panel."""

    bl_idname = "GOSSAMER_PT_clip"
    bl_space_type = "CLIP_EDITOR"
    editor = "CLIP"


class GossamerClipOptions(_OptionsPanel, bpy.types.Panel):
    """What is seldom changed, for clips."""

    bl_idname = "GOSSAMER_PT_clip_options"
    bl_space_type = "CLIP_EDITOR"
    bl_parent_id = "GOSSAMER_PT_clip"
    editor = "CLIP"


class GossamerNodePanel(_Panel, bpy.types.Panel):
    """The compositor's panel."""

    bl_idname = "GOSSAMER_PT_nodes"
    bl_label = "Gossamer"
    bl_space_type = "NODE_EDITOR"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """In the compositor, not in the shader editor."""
        return bool(getattr(context.space_data, "tree_type", "") == "CompositorNodeTree")

    def draw(self, context: bpy.types.Context) -> None:
        """One button, and what is running."""
        self.layout.operator("gossamer.add_matte_nodes", icon="NODE_COMPOSITING")
        _draw_status(self.layout, context)


CLASSES = (GossamerImagePanel, GossamerImageOptions, GossamerClipPanel, GossamerClipOptions, GossamerNodePanel)
