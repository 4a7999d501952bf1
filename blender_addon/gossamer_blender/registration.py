# SPDX-License-Identifier: GPL-3.0-or-later
"""Switching the add-on on and off: classes, the scene's settings, handlers, and the session with its worker."""

from __future__ import annotations

import bpy

from gossamer_bridge.errors import BridgeError

from .session import Session

__all__ = ["register", "session", "unregister"]

_sessions: list[Session] = []


def session() -> Session:
    """The one session.

    Raises:
        BridgeError: the add-on is switched off.
    """
    if not _sessions:
        raise BridgeError("Gossamer is switched off.", next_step="Switch the add-on on in the preferences.")
    return _sessions[0]


def _classes() -> tuple[type, ...]:
    # These modules read the session while they draw, so they are imported when there is one.
    from . import operators, panels, preferences, properties, tools

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
    if state.run is not None:
        state.run.stop()
        state.end(("Cancelled: another file was opened.",))


_HANDLERS = (("undo_post", _after_undo), ("redo_post", _after_undo), ("load_pre", _before_load))


def register() -> None:
    """Switch on."""
    from . import properties

    _sessions[:] = [Session()]
    for kind in _classes():
        bpy.utils.register_class(kind)
    bpy.types.Scene.gossamer = bpy.props.PointerProperty(type=properties.GossamerSettings)
    bpy.types.Scene.gossamer_clip = bpy.props.PointerProperty(type=properties.GossamerClipSettings)
    for name, function in _HANDLERS:
        getattr(bpy.app.handlers, name).append(function)


def unregister() -> None:
    """Switch off; the job is stopped and the worker has ended when this returns."""
    session().close()
    for name, function in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(function)
    del bpy.types.Scene.gossamer
    del bpy.types.Scene.gossamer_clip
    for kind in reversed(_classes()):
        bpy.utils.unregister_class(kind)
    _sessions.clear()
