# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in panels: Blender's labels do not wrap."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy

__all__ = ["draw_wrapped"]


def draw_wrapped(layout: bpy.types.UILayout, text: str, width: int, icon: str = "NONE") -> None:
    """One label a line, at most ``width`` characters each; the icon stands before the first."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(textwrap.wrap(text, max(12, width)) or [""]):
        if index == 0:
            column.label(text=line, icon=icon)
        else:
            column.label(text=line, icon="BLANK1" if icon != "NONE" else "NONE")
