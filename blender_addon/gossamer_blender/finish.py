# SPDX-License-Identifier: GPL-3.0-or-later
"""After a job: its files become datablocks, its numbers become sentences."""

from __future__ import annotations

import bpy

from .frames import sequence_numbers
from .nodes import extend_to_last_frame
from .orders import Placed
from .results import show_matte, write_alpha
from .run import Run
from .session import session
from .status import clock

__all__ = ["bring_home", "summary"]


def bring_home(run: Run, placed: Placed) -> bpy.types.Image | None:
    """Show what was written, also of a job that was cancelled or failed half way. None: nothing was written.

    Raises:
        KnobError: the plate cannot take the alpha.
    """
    there = sorted(number for number in placed.numbers if placed.file(number).is_file())
    done = bool(run.host.finished) or (run.result is not None and bool(run.result.finished_before))
    if (placed.is_numbered and not there) or (not placed.is_numbered and not done):
        return None
    # Frames of earlier runs belong to the sequence as well.
    first = min([*there, *sequence_numbers(str(placed.file(there[0])))]) if placed.is_numbered else None
    file = placed.file(first)
    if placed.target == "ALPHA":
        plate = placed.origin.find()
        if not isinstance(plate, bpy.types.Image):  # it is gone: ``place_order`` lets no clip through
            return None
        write_alpha(plate, file, session().journal)
        return plate
    matte = show_matte(
        placed.name,
        file,
        origin=placed.origin,
        frame_map=placed.frame_map,
        is_numbered=placed.is_numbered,
        is_relative=placed.is_relative,
    )
    extend_to_last_frame(matte)
    return matte


def summary(run: Run, placed: Placed, matte: bpy.types.Image | None) -> list[str]:
    """How it went, for the status line and the console."""
    written = len(run.host.finished)
    frames = f"{written} frame{'' if written == 1 else 's'}"
    if run.is_cancelled:
        # Counted on disk: what was being written when Esc was pressed has become a frame as well.
        there = sum(placed.file(number).is_file() for number in placed.numbers)
        return [f"Cancelled; {there} of {len(placed.numbers)} frames are there" if there else "Cancelled"]
    result = run.result
    assert result is not None
    lines = [f"{frames} in {clock(result.seconds)}" if written != 1 else f"Done in {result.seconds:.1f} s"]
    if result.finished_before:
        lines.append(f"finished before: {result.finished_before}")
    if matte is not None:
        lines.append(f"alpha of {matte.name}" if placed.target == "ALPHA" else matte.name)
    if result.engine and result.done:
        lines.append(result.engine)
    return lines
