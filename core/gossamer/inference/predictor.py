"""A network as a solver: tiles where the trimap is unknown, one matte at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gossamer.errors import ModelError, SettingError, TrimapError
from gossamer.image.image import FloatArray, Window
from gossamer.image.trimap import is_unknown
from gossamer.inference.backends import Backend, ParallelBackend, SizedBackend
from gossamer.inference.merging import TileMerger, read_window
from gossamer.inference.passes import busy_seconds, run_passes
from gossamer.inference.solution import Cancelled, Solution
from gossamer.inference.tiling import Tile, plan_tiles
from gossamer.models.weights import Manifest

__all__ = ["NetworkSolver", "from_tensor", "to_tensor"]

CONFIDENCE_SLOPE = 4.0
"""Confidence is 0 where the mirrored picture gives an alpha that differs by 1/4 or more."""


def to_tensor(picture: FloatArray) -> FloatArray:
    """H x W or H x W x C to 1 C H W, contiguous."""
    if picture.ndim == 2:
        picture = picture[..., None]
    tensor: FloatArray = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
    return tensor


def from_tensor(tensor: FloatArray) -> FloatArray:
    """1 1 H W to H x W."""
    picture: FloatArray = tensor[0, 0]
    return picture


MAX_PLANS = 4
"""More frames than a job reads ahead."""


class NetworkSolver:
    """Runs a network where the trimap is unknown and nowhere else.

    Confidence compares the answer with that for the mirrored picture: ``1 - clip(4 |alpha - mirrored alpha|)``. A
    network that is sure of what it sees gives the same matte both ways; where it guesses, the two differ. It costs a
    second pass over the same tiles, and it cannot see what the network gets wrong both ways.
    """

    def __init__(self, manifest: Manifest, backend: Backend, *, tile: int = 0):
        self.name = manifest.name
        self.needs_trimap = manifest.needs_trimap
        self.identity = backend.weights_sha256
        self.effective: Mapping[str, Any] = backend.effective
        self.tile = tile
        self._manifest = manifest
        self._backend = backend
        self._infer_alone = backend.infer_alone if isinstance(backend, ParallelBackend) else backend.infer
        self._at_once = backend.at_once if isinstance(backend, ParallelBackend) else 1
        self._largest_side = backend.largest_side if isinstance(backend, SizedBackend) else 0
        self._plans: dict[tuple[int, tuple[int, int]], tuple[FloatArray, list[Tile]]] = {}
        """Plans that :meth:`reads` made for trimaps that are still to be solved, by the array's identity (the array is
        held, so no other can have it) and origin."""

    def reads(self, trimap: FloatArray | None, *, origin: tuple[int, int] = (0, 0)) -> Sequence[Window] | None:
        """The windows of the tiles."""
        if trimap is None:
            return None
        tiles = self._tiles(trimap, origin)
        while len(self._plans) >= MAX_PLANS:  # frames that were read and, after an error, never solved
            self._plans.pop(next(iter(self._plans)), None)
        self._plans[id(trimap), origin] = (trimap, tiles)
        return [tile.window for tile in tiles]

    def _tiles(self, trimap: FloatArray, origin: tuple[int, int]) -> list[Tile]:
        return plan_tiles(
            trimap,
            multiple_of=self._manifest.multiple_of,
            margin=self._manifest.margin,
            tile=self.tile,
            largest_side=self._largest_side,
            origin=origin,
        )

    def solve(
        self,
        plate: FloatArray,
        trimap: FloatArray | None,
        *,
        origin: tuple[int, int] = (0, 0),
        confidence: bool = False,
        cancelled: Cancelled | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Solution:
        """See :class:`gossamer.inference.solver.Solver`."""
        height, width = plate.shape[:2]
        if trimap is None:
            if self.needs_trimap:
                raise SettingError(f"{self.name} needs a trimap: give --trimap, --mask, or --core and --garbage.")
            trimap = np.full((height, width), 0.5, np.float32)
        if trimap.shape != (height, width):
            raise TrimapError(f"The trimap is {trimap.shape[1]}x{trimap.shape[0]}, the plate {width}x{height}.")
        unknown = is_unknown(trimap)
        planned = self._plans.pop((id(trimap), origin), None)
        tiles = planned[1] if planned is not None else self._tiles(trimap, origin)
        spans: list[tuple[float, float]] = []
        ways = (False, True) if confidence else (False,)
        passes = [(tile.window, mirror) for tile in tiles for mirror in ways]
        answers = run_passes(
            [window.width * window.height for window, _ in passes],
            lambda index, alone: self._pass(plate, trimap, *passes[index], spans, alone=alone),
            at_once=self._at_once,
            cancelled=cancelled,
            progress=progress,
        )
        merged, mirrored = TileMerger(height, width), TileMerger(height, width)
        # In the order of the plan, whichever came first: sums of floats depend on it.
        for index, answer in enumerate(answers):
            (mirrored if passes[index][1] else merged).add(tiles[index // len(ways)], answer)
        alpha = trimap.copy()
        alpha[unknown] = merged.at(unknown)
        trust: FloatArray | None = None
        if confidence:
            trust = np.ones_like(alpha)
            trust[unknown] = 1 - np.clip(CONFIDENCE_SLOPE * np.abs(alpha[unknown] - mirrored.at(unknown)), 0, 1)
        facts = self._done([tile.window for tile in tiles], height, width, int(unknown.sum()))
        return Solution(alpha, trust, facts, {"network": busy_seconds(spans)})

    def _pass(
        self,
        plate: FloatArray,
        trimap: FloatArray,
        window: Window,
        mirror: bool,
        spans: list[tuple[float, float]],
        *,
        alone: bool,
    ) -> FloatArray:
        """The network's answer for ``window``, 0..1; ``mirror`` shows it the picture left to right.

        ``alone``: other passes go on beside it. When the network itself worked is added to ``spans``.
        """
        inputs = [to_tensor(read_window(plate, window))]
        if self.needs_trimap:
            inputs.append(to_tensor(read_window(trimap, window)))
        if mirror:
            inputs = [np.ascontiguousarray(value[..., ::-1]) for value in inputs]
        infer = self._infer_alone if alone else self._backend.infer
        started = time.monotonic()
        answer = infer(inputs[0], inputs[1] if self.needs_trimap else None)
        spans.append((started, time.monotonic()))
        if answer.shape != (1, 1, window.height, window.width):
            raise ModelError(f"{self.name} answered {answer.shape} for {window.width}x{window.height} pixels.")
        alpha = from_tensor(answer)
        if not np.isfinite(alpha).all():
            raise ModelError(
                f"{self.name} gave values that are not numbers near x {window.x + window.width // 2}, "
                f"y {window.y + window.height // 2}. Use --precision fp32 or another --model for this frame."
            )
        clipped: FloatArray = np.clip(alpha[:, ::-1] if mirror else alpha, 0, 1)
        return clipped

    def _done(self, windows: list[Window], height: int, width: int, unknown: int) -> dict[str, Any]:
        """The facts for the report: how much was unknown and how much the network read for it."""
        largest = max(windows, key=lambda window: window.width * window.height, default=Window(0, 0, 0, 0))
        read = sum(window.width * window.height for window in windows)
        return {
            "unknown_part": round(unknown / (height * width), 6),
            "tiles": len(windows),
            "largest_tile": f"{largest.width}x{largest.height}",
            "network_pixels": read,
            "network_part": round(read / (height * width), 4),
        }
