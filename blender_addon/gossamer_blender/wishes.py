# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist wants done: the panel's settings, with what a script stated in their place. No Blender in here."""

from __future__ import annotations

from dataclasses import dataclass

from gossamer_bridge.errors import KnobError

__all__ = ["DEFAULT_FOLDER", "Wishes", "parse_frames", "tile_for_memory"]

DEFAULT_FOLDER = "//gossamer/"
"""Where mattes go if the artist names no folder; ``//`` is the folder of the .blend file."""

_TILES = ((700, 256), (1000, 512), (1500, 1024))
"""Memory limit in MB below which a tile of this side is used; core/decisions/0010-tiles.md has the measurements."""


@dataclass(frozen=True)
class Wishes:
    """Everything but the datablocks."""

    model: str = "gossamer-s"
    refine: int = 0
    tta: str = "none"
    nonlocal_mean: str = "auto"
    device: str = "auto"
    band_in: float = 12.0
    band_out: float = 24.0
    plate_space: str = ""
    output_folder: str = DEFAULT_FOLDER
    target: str = "NEW"
    """``NEW``: a datablock of its own. ``ALPHA``: the plate's own alpha channel."""
    scene_frames: tuple[int, ...] = ()
    """Frames of the scene. One for Matte Frame."""
    is_range: bool = False
    skip_finished: bool = True
    tile: int = 0


def parse_frames(text: str) -> tuple[int, ...]:
    """``1-8x2,12`` as numbers, rising.

    Raises:
        KnobError: it is no list of frames.
    """
    frames: set[int] = set()
    for piece in text.split(","):
        span, _, step = piece.strip().partition("x")
        first, separator, last = span[1:].partition("-")  # a minus in front belongs to the number
        first = span[:1] + first
        try:
            start, end = int(first), int(last) if separator else int(first)
            stride = int(step) if step else 1
        except ValueError:
            raise KnobError(f"frames is {text!r}.", next_step="Write it like 1-8, 1-100x2 or 3,5,9.") from None
        if stride < 1 or end < start:
            raise KnobError(f"frames is {text!r}, which counts backwards.", next_step="Write the smaller number first.")
        frames.update(range(start, end + 1, stride))
    return tuple(sorted(frames))


def tile_for_memory(limit: int) -> int:
    """The tile that keeps the network within ``limit`` megabytes; 0, which leaves it to the worker, for no limit."""
    if limit <= 0:
        return 0
    return next((tile for most, tile in _TILES if limit < most), 0)
