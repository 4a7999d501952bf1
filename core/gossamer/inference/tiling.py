"""Which parts of a picture the network reads. No network in here, and no pixels but the map of unknown ones.

All rectangles are in pixels of the plate; (0, 0) is the plate's first pixel, which lies at ``origin`` of the display
window. Tiles are anchored to the display window, so that the same pixels see the same surroundings whatever the data
window is. Why tiles look like this, with the measurements: ``core/decisions/0010-tiles.md``.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gossamer.image.image import FloatArray, Window
from gossamer.image.trimap import is_unknown
from gossamer.inference.boxes import Box

__all__ = ["FEATHER", "Tile", "plan_tiles"]

CELL = 128
"""Side of the smallest tiles (a power of two), before neighbours are joined."""
GRAIN = 8
"""Unknown pixels are located to this many pixels: finer is slower to plan and saves nothing at multiples of 32."""
FEATHER = 16
"""Width of the ramp over which one tile's answer passes into the next."""
BORDER = 16
"""Reflected pixels around the picture at least; the network's own zero padding stays that far away."""
MAX_WINDOW_AREA = 1536 * 1024
"""Pixels that one pass of the network may read when the size is automatic; bounds its memory."""
PASS_COST = 4096
"""What one more pass costs beside its pixels, in pixels (starting the pass, reading and merging the tile)."""
WIDEST_MARGIN = 256
"""A tile that sees known pixels of one kind only looks up to this far for the other kind."""
SEAM_COST = 32
"""Pixels worth reading to spare one pixel of a seam that runs through unknown ones: there two tiles may disagree."""

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Tile:
    """One pass of the network: ``window`` is read, ``core`` is used, with a ramp of FEATHER pixels around it."""

    core: Window
    window: Window
    """Sides are multiples of the network's stride; may reach past the picture, where it is reflected."""

    @property
    def support(self) -> Window:
        """Where the tile's answer has weight: the core and the ramp around it."""
        core = self.core
        return Window(core.x - FEATHER, core.y - FEATHER, core.width + 2 * FEATHER, core.height + 2 * FEATHER)


def _grains(mask: BoolArray, padding: tuple[tuple[int, int], tuple[int, int]]) -> BoolArray:
    """Which squares of GRAIN pixels hold a pixel of ``mask``, after padding it to whole squares."""
    padded = np.pad(mask, padding) if any(map(any, padding)) else mask
    rows, columns = padded.shape[0] // GRAIN, padded.shape[1] // GRAIN
    return np.asarray(padded.reshape(rows, GRAIN, columns, GRAIN).any(axis=(1, 3)))


class _Planner:
    """Holds the few numbers that every step of planning needs."""

    def __init__(
        self,
        trimap: FloatArray,
        multiple_of: int,
        margin: int,
        tile: int,
        largest_side: int,
        origin: tuple[int, int],
    ):
        height, width = trimap.shape
        self.largest_side = largest_side
        self.multiple_of, self.margin, self.tile, self.origin = multiple_of, margin, tile, origin
        picture = Box(origin[0], origin[1], origin[0] + width, origin[1] + height)
        self.canvas = picture.grown(BORDER).aligned(multiple_of)
        # A network with a very wide margin still gets the smallest tiles there are.
        self.largest_area = max(MAX_WINDOW_AREA, (CELL + 2 * margin + 2 * multiple_of) ** 2)
        # Maps of grains that hold such pixels, anchored like the tiles.
        outer = picture.aligned(GRAIN)
        self.grain_origin = (outer.x0 // GRAIN, outer.y0 // GRAIN)
        padding = (
            (picture.y0 - outer.y0, outer.y1 - picture.y1),
            (picture.x0 - outer.x0, outer.x1 - picture.x1),
        )
        self.grains = _grains(is_unknown(trimap), padding)
        known = [_grains(trimap == value, padding) for value in (0.0, 1.0)]
        self.known_sums = [
            np.pad(kind.cumsum(axis=0, dtype=np.int64).cumsum(axis=1), ((1, 0), (1, 0))) for kind in known if kind.any()
        ]

    def span(self, box: Box) -> tuple[int, int, int, int]:
        """Rows and columns of the grain maps that ``box`` touches: first row, end, first column, end."""
        x, y = self.grain_origin
        rows, columns = self.grains.shape
        return (
            min(max(box.y0 // GRAIN - y, 0), rows),
            min(max(-(-box.y1 // GRAIN) - y, 0), rows),
            min(max(box.x0 // GRAIN - x, 0), columns),
            min(max(-(-box.x1 // GRAIN) - x, 0), columns),
        )

    def unknown_in(self, box: Box) -> Box | None:
        """The smallest box of grains around the unknown pixels of ``box`` (whole grains), or None."""
        x, y = self.grain_origin
        top, bottom, left, right = self.span(box)
        part = self.grains[top:bottom, left:right]
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        if not len(rows):
            return None
        return Box(
            (x + left + int(columns[0])) * GRAIN,
            (y + top + int(rows[0])) * GRAIN,
            (x + left + int(columns[-1]) + 1) * GRAIN,
            (y + top + int(rows[-1]) + 1) * GRAIN,
        )

    def shows_both(self, box: Box) -> bool:
        """Whether known pixels of each kind that the picture has lie in ``box``."""
        top, bottom, left, right = self.span(box)
        return all(s[bottom, right] - s[top, right] - s[bottom, left] + s[top, left] > 0 for s in self.known_sums)

    def read_box(self, core: Box) -> Box:
        """What the network reads for ``core``: its margin around, whole strides, not past the canvas.

        The margin grows where known foreground or background would otherwise be out of sight: an island of unknown
        pixels inside the subject says nothing without a look at the background.
        """
        margin = self.margin
        box = core.grown(margin).clipped(self.canvas).aligned(self.multiple_of)
        while margin < WIDEST_MARGIN and not self.shows_both(box):
            margin += max(self.multiple_of, GRAIN)
            wider = core.grown(margin).clipped(self.canvas).aligned(self.multiple_of)
            if self.is_too_long(wider):
                break
            box = wider
        return box

    def is_too_long(self, box: Box) -> bool:
        """Whether the network cannot read ``box`` at once."""
        return bool(self.largest_side) and max(box.x1 - box.x0, box.y1 - box.y0) > self.largest_side

    def cost(self, core: Box) -> float:
        """Pixels read for ``core``, or infinity where the tile would be larger than allowed."""
        if self.tile and max(core.x1 - core.x0, core.y1 - core.y0) > self.tile:
            return float("inf")
        if self.largest_side and self.is_too_long(self.read_box(core.grown(FEATHER))):  # the ramp may ask for that
            return float("inf")
        area = self.read_box(core).area
        if not self.tile and area > self.largest_area and max(core.x1 - core.x0, core.y1 - core.y0) > CELL:
            return float("inf")
        return area + PASS_COST

    def seam(self, one: Box, other: Box) -> float:
        """What it costs to keep two boxes apart: the unknown pixels along the line where they touch."""
        if one.x1 == other.x0 or other.x1 == one.x0:
            line, start, end = max(one.x0, other.x0), max(one.y0, other.y0), min(one.y1, other.y1)
            grains, across = self.grains, line // GRAIN - self.grain_origin[0]
            first = self.grain_origin[1]
        elif one.y1 == other.y0 or other.y1 == one.y0:
            line, start, end = max(one.y0, other.y0), max(one.x0, other.x0), min(one.x1, other.x1)
            grains, across = self.grains.T, line // GRAIN - self.grain_origin[1]
            first = self.grain_origin[0]
        else:
            return 0.0
        along = slice(max(start // GRAIN - first, 0), max(end // GRAIN - first, 0))
        touching = grains[along, across - 1] & grains[along, across]
        return float(np.count_nonzero(touching)) * GRAIN * SEAM_COST

    def split(self) -> tuple[float, tuple[Box, ...]]:
        """The cheapest cores that halving the picture again and again can give, and their cost.

        Halves of halves form a fixed grid from the display window's origin, and each is shrunk to what is unknown in
        it; every split of every rectangle of that grid is tried (dynamic programming).
        """
        smallest = CELL if not self.tile else 1 << (min(CELL, self.tile).bit_length() - 1)
        canvas, side = self.canvas, smallest
        while side < max(canvas.x1, canvas.y1, -canvas.x0, -canvas.y0):
            side *= 2

        @cache
        def best(x: int, y: int, width: int, height: int) -> tuple[float, tuple[Box, ...]]:
            core = self.unknown_in(Box.of(x, y, width, height))
            if core is None:
                return 0.0, ()
            choices: list[tuple[float, tuple[Box, ...]]] = [(self.cost(core), (core,))]
            halves: list[tuple[tuple[int, int, int, int], tuple[int, int, int, int]]] = []
            if width > smallest:
                halves.append(((x, y, width // 2, height), (x + width // 2, y, width // 2, height)))
            if height > smallest:
                halves.append(((x, y, width, height // 2), (x, y + height // 2, width, height // 2)))
            for first, second in halves:
                one, two = best(*first), best(*second)
                seam = self.seam(Box.of(*first), Box.of(*second)) if one[1] and two[1] else 0.0
                choices.append((one[0] + two[0] + seam, one[1] + two[1]))
            return min(choices, key=lambda choice: choice[0])

        return best(-side, -side, 2 * side, 2 * side)

    def joined(self, boxes: Sequence[Box]) -> tuple[float, list[Box]]:
        """Join neighbours across the grid's lines as long as that saves, the largest saving first; what it saved."""
        live: dict[int, Box] = dict(enumerate(boxes))
        costs = {key: self.cost(box) for key, box in live.items()}
        edges = np.array([[b.x0, b.y0, b.x1, b.y1] for b in boxes], np.int64).reshape(-1, 4)
        edges = np.concatenate([edges, np.zeros_like(edges)])  # room for what joining creates
        alive = np.zeros(len(edges), bool)
        heap: list[tuple[float, int, int]] = []

        def offer(key: int) -> None:
            """Put the pairs of ``key`` with every live box whose window meets its own on the heap."""
            box, reach = live[key], 2 * (self.margin + self.multiple_of)
            near = alive & (edges[:, 0] <= box.x1 + reach) & (edges[:, 2] >= box.x0 - reach)
            near &= (edges[:, 1] <= box.y1 + reach) & (edges[:, 3] >= box.y0 - reach)
            for other in np.flatnonzero(near).tolist():
                apart = costs[key] + costs[other] + self.seam(box, live[other])
                saving = apart - self.cost(box.joined(live[other]))
                if saving > 0:
                    heapq.heappush(heap, (-saving, other, key))

        for key in live:
            offer(key)
            alive[key] = True
        new, saved = len(boxes), 0.0
        while heap:
            saving, first, second = heapq.heappop(heap)
            if first not in live or second not in live:
                continue  # one of them has been joined with another since
            box = live.pop(first).joined(live.pop(second))
            alive[[first, second]] = False
            live[new], costs[new] = box, self.cost(box)
            edges[new] = (box.x0, box.y0, box.x1, box.y1)
            offer(new)
            alive[new] = True
            new, saved = new + 1, saved - saving
        return saved, list(live.values())

    def tile_of(self, core: Box) -> Tile:
        """``core`` with the window that serves its ramp as well, as far as there are unknown pixels in it."""
        needed = self.unknown_in(core.grown(FEATHER))
        window = self.read_box(core if needed is None else core.joined(needed))
        return Tile(core.window(self.origin), window.window(self.origin))


def plan_tiles(
    trimap: FloatArray,
    *,
    multiple_of: int,
    margin: int,
    tile: int = 0,
    largest_side: int = 0,
    origin: tuple[int, int] = (0, 0),
) -> list[Tile]:
    """The tiles whose cores together hold every unknown pixel, at the least number of pixels for the network.

    Args:
        trimap: H x W of 0, 0.5 and 1. No pixel unknown: no tiles.
        multiple_of: stride of the network; windows start and end at its multiples, counted from the display window.
        margin: surroundings in pixels that the network has to see around each pixel.
        tile: largest side of a core; 0 bounds what one pass reads to MAX_WINDOW_AREA.
        largest_side: pixels that no side of a window may exceed, for networks compiled for such sizes; 0: none.
        origin: x, y of the first pixel, counted from the display window's first pixel.

    Cuts avoid wide unknown areas where they can, because a network that looks farther than its margin answers a little
    differently on the two sides. The plan depends on the arguments alone: not on the machine, its memory or other
    frames.
    """
    planner = _Planner(trimap, multiple_of, margin, tile, largest_side, origin)
    everything = planner.unknown_in(planner.canvas)
    if everything is None:
        return []
    cost, halves = planner.split()
    saved, cores = planner.joined(halves)
    if planner.cost(everything) <= cost - saved:
        cores = [everything]
    return [planner.tile_of(core) for core in sorted(cores, key=lambda box: (box.y0, box.x0, box.y1, box.x1))]
