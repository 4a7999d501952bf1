# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo and redo for pixels that the add-on wrote into a picture.

Blender's undo keeps datablocks but not the pixels of images that Python changed. So a number on the datablock, which
undo does keep, says which of our changes is in force, and after each undo and redo the pixels are brought in line.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import bpy

__all__ = ["KEPT", "Journal"]

KEPT = 8
"""Changes whose pixels are remembered; a 1080p picture is 33 MB, and each change holds two."""
STEP = "gossamer_step"
"""Name of the number on the datablock."""


@dataclass(frozen=True)
class _Change:
    image: str
    step: int
    before: array[float]
    after: array[float]


class Journal:
    """Remembers the newest changes. One for the session."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []
        self._in_force: dict[str, int] = {}
        self._next = 1

    def write(self, image: bpy.types.Image, before: array[float], after: array[float]) -> None:
        """Put ``after`` into the datablock; the operator that calls this pushes the undo step."""
        change = _Change(image.name, self._next, before, after)
        self._next += 1
        self._changes = [*self._changes, change][-KEPT:]
        self._in_force[image.name] = change.step
        image[STEP] = change.step
        _set(image, after)

    def follow(self, *_: object) -> None:
        """Called after undo and redo: bring the pixels to the change that the datablock's number names."""
        for name in {change.image for change in self._changes}:
            image = bpy.data.images.get(name)
            if image is None:
                continue
            wanted = int(image.get(STEP, 0))
            if wanted == self._in_force.get(name, 0):
                continue
            own = [change for change in self._changes if change.image == name]
            reached = next((change.after for change in own if change.step == wanted), None)
            if reached is None:  # before the first change that is remembered
                reached = own[0].before
            self._in_force[name] = wanted
            _set(image, reached)

    def forget(self, *_: object) -> None:
        """Another file is being opened."""
        self._changes.clear()
        self._in_force.clear()


def _set(image: bpy.types.Image, pixels: array[float]) -> None:
    if len(pixels) == image.size[0] * image.size[1] * image.channels:
        image.pixels.foreach_set(pixels)
        image.update()
        image.update_tag()
