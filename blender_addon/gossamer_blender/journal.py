# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo and redo for pixels that the add-on wrote into a picture, and what the picture was before its alpha.

Blender's undo keeps datablocks but not the pixels of images that Python changed. So a number on the datablock, which
undo does keep, says which of our changes is in force, and after each undo and redo the pixels are brought in line.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import bpy

from gossamer_bridge.errors import KnobError

from . import compat

__all__ = ["KEPT", "Journal", "has_alpha_in_colors", "is_premultiplied"]

KEPT = 8
"""Changes whose pixels are remembered; a 1080p picture is 33 MB, and each change holds two."""
STEP = "gossamer_step"
"""Name of the number on the datablock. It is saved with the .blend file, where a later session finds it."""
MEANS = "gossamer_means"
"""Name of the mean colours without and with the alpha: by them a later session, which knows no changes, tells whether
it is in the colours. The alpha itself may be gone: Blender packs and saves pictures that began without one so."""


FILE = "gossamer_file"
"""Name of the file that the picture had then: one that shows another file has other pixels."""


@dataclass(frozen=True)
class _Change:
    key: int
    step: int
    previous: int
    """The step before; what was painted since then is in ``before`` alone."""
    before: array[float]
    after: array[float]
    original: array[float]
    """The pixels without an alpha of ours."""


class Journal:
    """Remembers the newest changes. One for the session."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []
        self._in_force: dict[int, int] = {}
        self._next = 1

    def write(
        self,
        image: bpy.types.Image,
        before: array[float],
        after: array[float],
        original: array[float] | None = None,
    ) -> None:
        """Put ``after`` into the datablock; the operator that calls this pushes the undo step.

        Args:
            image: the datablock.
            before: the pixels that it holds.
            after: the pixels that it gets.
            original: as :meth:`original` gave it; None: ``before``.
        """
        key, _ = compat.session_key(image)
        previous = int(image.get(STEP, 0))
        step = max(self._next, previous + 1)  # the file may bring the number of an earlier session
        self._next = step + 1
        kept = _set(image, after)
        change = _Change(key, step, previous, before, kept, before if original is None else original)
        self._changes = [*self._changes, change][-KEPT:]
        self._in_force[key] = step
        image[STEP], image[MEANS] = step, [_mean_color(change.original), _mean_color(kept)]
        image[FILE] = _file_name(image)

    def original(self, image: bpy.types.Image, pixels: array[float]) -> array[float]:
        """The plate without an alpha of ours, which its colours may be multiplied by.

        Args:
            image: the datablock.
            pixels: what it holds.

        Returns:
            ``pixels`` itself where nothing is to be taken back.

        Raises:
            KnobError: the alpha is in the colours, and nobody knows what they were.
        """
        if not has_alpha_in_colors(image):
            return pixels
        change = self._find(compat.session_key(image)[0], int(image.get(STEP, 0)))
        if change is not None and pixels.tobytes() == change.after.tobytes():
            return change.original
        if change is not None:
            is_in_colors = _shows_alpha(pixels, change)
        else:
            means = list(image.get(MEANS, ())) or [0.0, 0.0]
            without, with_alpha = (abs(_mean_color(pixels) - float(mean)) for mean in means)
            is_in_colors = with_alpha < without
        if is_in_colors:
            raise KnobError(
                f"The colours of {image.name} are multiplied by an alpha that was pulled before, and cannot be matted "
                f"again as they are.",
                next_step="Undo the alpha first, or open the plate's file as a new image.",
            )
        return pixels

    def follow(self, *_: object) -> None:
        """Called after undo and redo: bring the pixels to the change that the datablock's number names."""
        remembered = {change.key for change in self._changes}
        for image in bpy.data.images:
            key, is_sure = compat.session_key(image)
            wanted, current = int(image.get(STEP, 0)), self._in_force.get(key, 0)
            if key not in remembered or wanted == current:
                continue
            left, reached = self._way(key, current, wanted)
            self._in_force[key] = wanted
            if is_sure or left is None or _get(image).tobytes() == left.tobytes():  # else it is another picture
                _set(image, reached)

    def forget(self, *_: object) -> None:
        """Another file is being opened."""
        self._changes.clear()
        self._in_force.clear()

    def _find(self, key: int, step: int) -> _Change | None:
        return next((change for change in self._changes if (change.key, change.step) == (key, step)), None)

    def _way(self, key: int, current: int, wanted: int) -> tuple[array[float] | None, array[float]]:
        """The pixels that are left, if that is known, and those that are reached."""
        undone = self._between(key, wanted, current)
        if undone:
            return undone[0].after, undone[-1].before
        redone = self._between(key, current, wanted)
        if redone:
            return redone[-1].before, redone[0].after
        reached = self._find(key, wanted)
        if reached is not None:
            return None, reached.after
        # before the first change that is remembered
        return None, next(change.before for change in self._changes if change.key == key)

    def _between(self, key: int, older: int, newer: int) -> list[_Change]:
        """The changes that lead from one step to a later one, the last first; empty if they do not."""
        found: list[_Change] = []
        step = newer
        while step != older:
            change = self._find(key, step)
            if change is None:
                return []
            found.append(change)
            step = change.previous
        return found


def is_premultiplied(image: bpy.types.Image) -> bool:
    """Whether Blender holds the colours multiplied by alpha.

    It does so with float pixels, whatever ``alpha_mode`` says of the file, and not with byte pixels; with
    ``CHANNEL_PACKED`` colour and alpha are strangers.
    """
    return image.is_float and image.alpha_mode != "CHANNEL_PACKED"


def has_alpha_in_colors(image: bpy.types.Image) -> bool:
    """Whether an alpha of ours may be in the colours: the pixels themselves may have been reloaded since."""
    if int(image.get(STEP, 0)) <= 0 or not is_premultiplied(image):
        return False
    shows_another_file = not image.is_dirty and str(image.get(FILE, _file_name(image))) != _file_name(image)
    return not shows_another_file


def _file_name(image: bpy.types.Image) -> str:
    """Without its folder: Blender writes that anew when the .blend file is saved elsewhere."""
    return image.filepath.replace("\\", "/").rpartition("/")[2]


def _shows_alpha(pixels: array[float], change: _Change) -> bool:
    """Whether the alpha is mostly the one of the change where that differs from the one before: else the plate was
    reloaded.
    """
    if len(pixels) != len(change.after):
        return False
    alphas = zip(pixels[3::4], change.after[3::4], change.original[3::4], strict=True)
    changed = [found == ours for found, ours, before in alphas if ours != before]
    return 2 * sum(changed) > len(changed)


def _mean_color(pixels: array[float]) -> float:
    """Of at most some 100,000 pixels: at 4K all of them would hold Blender for a second."""
    step = 4 * max(1, len(pixels) // 400_000)
    samples = [pixels[channel::step] for channel in range(3)]
    return sum(sum(values) for values in samples) / max(1, sum(len(values) for values in samples))


def _get(image: bpy.types.Image) -> array[float]:
    found = array("f", bytes(4 * image.size[0] * image.size[1] * image.channels))
    image.pixels.foreach_get(found)
    return found


def _set(image: bpy.types.Image, pixels: array[float]) -> array[float]:
    """Gives what Blender made of them: byte pixels are rounded."""
    if len(pixels) != image.size[0] * image.size[1] * image.channels:
        return pixels
    image.pixels.foreach_set(pixels)
    image.update()
    image.update_tag()
    return _get(image)
