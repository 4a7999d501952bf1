# SPDX-License-Identifier: GPL-3.0-or-later
"""Switching the add-on on and off: classes, the scene's settings, handlers, and the session with its worker."""

from __future__ import annotations

import bpy

from . import operators, panels, preferences, properties, tools
from .session import close_session, open_session, session

__all__ = ["register", "unregister"]


def _classes() -> tuple[type, ...]:
    return (
        properties.GossamerSettings,
        properties.GossamerClipSettings,
        preferences.GossamerPreferences,
        operators.GossamerMatte,
        *tools.CLASSES,
        *panels.CLASSES,
    )


@bpy.app.handlers.persistent
def _after_undo(*_: object) -> None:
    session().journal.follow()


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    state = session()
    state.journal.forget()
    state.renew_token()
    if state.run is not None:
        state.run.stop()
        state.end(("Cancelled: another file was opened.",))


_HANDLERS = (("undo_post", _after_undo), ("redo_post", _after_undo), ("load_pre", _before_load))


def register() -> None:
    """Switch on."""
    open_session()
    for kind in _classes():
        bpy.utils.register_class(kind)
    bpy.types.Scene.gossamer = bpy.props.PointerProperty(type=properties.GossamerSettings)
    bpy.types.Scene.gossamer_clip = bpy.props.PointerProperty(type=properties.GossamerClipSettings)
    for name, function in _HANDLERS:
        getattr(bpy.app.handlers, name).append(function)


def unregister() -> None:
    """Switch off; the job is stopped and the worker has ended when this returns."""
    close_session()
    for name, function in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(function)
    del bpy.types.Scene.gossamer
    del bpy.types.Scene.gossamer_clip
    for kind in reversed(_classes()):
        bpy.utils.unregister_class(kind)
