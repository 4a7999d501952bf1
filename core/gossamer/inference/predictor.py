"""A network as a solver: tiles or whole pictures, in one view or several, one matte at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import ModelError, SettingError, TrimapError
from gossamer.image.image import FloatArray, Window
from gossamer.image.trimap import is_unknown
from gossamer.inference.backends import Backend
from gossamer.inference.backends.threads import thread_count
from gossamer.inference.merging import TileMerger, read_window
from gossamer.inference.nonlocal_mean import nonlocal_mean as draw_together
from gossamer.inference.passes import busy_seconds, run_passes
from gossamer.inference.solution import Cancelled, Solution
from gossamer.inference.strategies import Place, Strategy, TilesStrategy
from gossamer.inference.tiling import Tile
from gossamer.inference.views import (
    DIHEDRAL,
    FINE,
    IDENTITY,
    MIRRORED,
    TTA_SCALES,
    TTA_VIEWS,
    View,
    average_views,
    reduce_alpha,
    resize_alpha,
    resize_plate,
    resize_trimap,
    scaled_size,
)
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


@dataclass(frozen=True, eq=False)
class _Scene:
    """A picture at one scale, on its way through the network."""

    plate: FloatArray
    trimap: FloatArray
    """All unknown where the user gave none."""
    guide: FloatArray | None
    """What the network may be shown: ``trimap``, or None where the user gave none."""
    tiles: Sequence[Tile]
    origin: tuple[int, int]
    scale: float


def _tell_part(progress: Callable[[float], None], part: tuple[float, float], done: float) -> None:
    """Pass on the finished part of one scale as a part of all: ``part`` is where it starts and how much it is."""
    progress(part[0] + part[1] * done)


class NetworkSolver:
    """Runs a network where the trimap is unknown and nowhere else.

    ``tta`` averages over views: ``flips`` over the picture and its mirror image, ``fine`` over the picture and
    the same half as large again, ``views`` over the eight ways to mirror and transpose it at each of three scales.
    Views turn each tile; scales resize the picture, and tiles are laid anew.

    Confidence compares the answer with that for the mirrored picture: ``1 - clip(4 |alpha - mirrored alpha|)``. A
    network that is sure of what it sees gives the same matte both ways; where it guesses, the two differ. It costs a
    second pass over the same tiles (none with ``tta``), and it cannot see what the network gets wrong both ways.

    With ``nonlocal_mean`` pixels of like colour then draw each other's alpha together, over the whole matte.
    """

    def __init__(
        self,
        manifest: Manifest,
        backend: Backend,
        *,
        strategy: Strategy | None = None,
        tile: int = 0,
        tta: str = "none",
        nonlocal_mean: bool = False,
        threads: int = 0,
    ):
        """``strategy``: tiles of the side ``tile`` if None. ``threads`` are the non-local mean's; 0 uses all cores."""
        self.name = manifest.name
        self.needs_trimap = manifest.needs_trimap
        self.identity = backend.weights_sha256
        self._strategy = strategy or TilesStrategy(manifest, backend, tile=tile)
        self.tta = tta
        self._nonlocal, self._threads = nonlocal_mean, thread_count(threads)
        self.effective: Mapping[str, Any] = {
            **backend.effective,
            "strategy": self._strategy.name,
            "tta": tta,
            "nonlocal_mean": nonlocal_mean,
        }
        self._plans: dict[tuple[int, tuple[int, int]], tuple[FloatArray, list[Tile]]] = {}
        """Plans that :meth:`reads` made for trimaps that are still to be solved, by the array's identity (the array is
        held, so no other can have it) and origin."""

    def reads(self, trimap: FloatArray | None, *, origin: tuple[int, int] = (0, 0)) -> Sequence[Window] | None:
        """The windows of the tiles; all of the plate where it is resized as well."""
        if trimap is None or len(TTA_SCALES[self.tta]) > 1:
            return None
        tiles = self._strategy.tiles(trimap, origin)
        while len(self._plans) >= MAX_PLANS:  # frames that were read and, after an error, never solved
            self._plans.pop(next(iter(self._plans)), None)
        self._plans[id(trimap), origin] = (trimap, tiles)
        return [tile.window for tile in tiles]

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
        elif trimap.shape != (height, width):
            raise TrimapError(f"The trimap is {trimap.shape[1]}x{trimap.shape[0]}, the plate {width}x{height}.")
        scenes = [self._scene(plate, trimap, origin, scale) for scale in TTA_SCALES[self.tta]]
        averaged = TTA_VIEWS[self.tta]
        # Confidence is asked of the picture at its own size alone.
        compared = (*averaged, MIRRORED) if confidence and MIRRORED not in averaged else averaged
        looks = [compared if scene.scale == 1 else averaged for scene in scenes]
        spans: list[tuple[float, float]] = []
        areas = [
            [tile.window.width * tile.window.height for tile in scene.tiles for _ in views]
            for scene, views in zip(scenes, looks, strict=True)
        ]
        everything, done = sum(map(sum, areas)), 0
        alpha = np.full((height, width), 0.5, np.float32) if trimap is None else trimap.copy()
        unknown = is_unknown(alpha)
        answers: list[FloatArray] = []
        trust: FloatArray | None = None
        for scene, views, reads in zip(scenes, looks, areas, strict=True):
            part = (done / max(everything, 1), sum(reads) / max(everything, 1))
            passes = run_passes(
                reads,
                partial(self._pass, scene, views, spans, cancelled),
                at_once=self._strategy.at_once,
                cancelled=cancelled,
                progress=None if progress is None else partial(_tell_part, progress, part),
            )
            done += sum(reads)
            merged, differences = TileMerger(*scene.trimap.shape), TileMerger(*scene.trimap.shape)
            # In the order of the plan, whichever came first: sums of floats depend on it.
            for number, tile in enumerate(scene.tiles):
                seen = dict(zip(views, passes[number * len(views) : (number + 1) * len(views)], strict=True))
                merged.add(tile, average_views([seen[view] for view in averaged]))
                if confidence and scene.scale == 1:
                    differences.add(tile, seen[IDENTITY] - seen[MIRRORED])
            if confidence and scene.scale == 1:
                trust = np.ones_like(alpha)
                trust[unknown] = 1 - np.clip(CONFIDENCE_SLOPE * np.abs(differences.at(unknown)), 0, 1)
            answers.append(self._at_full_size(scene, merged, unknown))
        alpha[unknown] = average_views(answers)
        seconds = {"network": busy_seconds(spans)}
        if self._nonlocal:
            started = time.monotonic()
            alpha = draw_together(plate, alpha, unknown, origin=origin, threads=self._threads, cancelled=cancelled)
            seconds["nonlocal"] = time.monotonic() - started
        return Solution(alpha, trust, self._done(scenes, height, width, int(unknown.sum())), seconds)

    def _scene(self, plate: FloatArray, trimap: FloatArray | None, origin: tuple[int, int], scale: float) -> _Scene:
        """The picture resized by ``scale``, and where the network will look."""
        planned = None if trimap is None else self._plans.pop((id(trimap), origin), None)
        if scale != 1:
            size = scaled_size(plate.shape[0], plate.shape[1], scale)
            plate = resize_plate(plate, *size)
            trimap = None if trimap is None else resize_trimap(trimap, *size)
            origin, planned = (round(origin[0] * scale), round(origin[1] * scale)), None
        levels = np.full(plate.shape[:2], 0.5, np.float32) if trimap is None else trimap
        tiles = planned[1] if planned is not None else self._strategy.tiles(levels, origin)
        return _Scene(plate, levels, trimap, tiles, origin, scale)

    def _at_full_size(self, scene: _Scene, merged: TileMerger, unknown: NDArray[np.bool_]) -> FloatArray:
        """The unknown pixels of the whole picture, from the merged tiles of one scale."""
        if scene.scale == 1:
            return merged.at(unknown)
        alpha, part = scene.trimap.copy(), is_unknown(scene.trimap)
        alpha[part] = merged.at(part)
        # The published scales are brought back as published, by cubics.
        back = reduce_alpha if scene.scale == FINE else resize_alpha
        return back(alpha, *unknown.shape)[unknown]

    def _pass(
        self,
        scene: _Scene,
        views: Sequence[View],
        spans: list[tuple[float, float]],
        cancelled: Cancelled | None,
        index: int,
        alone: bool,
    ) -> FloatArray:
        """The network's answer for the pass ``index``, every tile in every view, turned back, 0..1.

        ``alone``: other passes go on beside it. When the network itself worked is added to ``spans``.
        """
        window, view = scene.tiles[index // len(views)].window, views[index % len(views)]
        plate = view.show(to_tensor(read_window(scene.plate, window)))
        guide = None if scene.guide is None else view.show(to_tensor(read_window(scene.guide, window)))
        where = Window(window.x + scene.origin[0], window.y + scene.origin[1], window.width, window.height)
        started = time.monotonic()
        place = Place(view.window(where), scene.scale, DIHEDRAL.index(view))
        answer = self._strategy.infer(plate, guide, place, alone=alone, cancelled=cancelled)
        spans.append((started, time.monotonic()))
        if answer.shape != (1, 1, *plate.shape[2:]):
            raise ModelError(f"{self.name} answered {answer.shape} for {plate.shape[3]}x{plate.shape[2]} pixels.")
        alpha = from_tensor(view.back(answer))
        if not np.isfinite(alpha).all():
            raise ModelError(
                f"{self.name} gave values that are not numbers near x {window.x + window.width // 2}, "
                f"y {window.y + window.height // 2}. Use --precision fp32 or another --model for this frame."
            )
        clipped: FloatArray = np.clip(alpha, 0, 1)
        return clipped

    def _done(self, scenes: Sequence[_Scene], height: int, width: int, unknown: int) -> dict[str, Any]:
        """The facts for the report: how much was unknown, how much the network read for it, and what else was done."""
        windows = [tile.window for tile in scenes[0].tiles]
        largest = max(windows, key=lambda window: window.width * window.height, default=Window(0, 0, 0, 0))
        facts = dict(self._strategy.end_frame())
        return {
            "unknown_part": round(unknown / (height * width), 6),
            "tiles": sum(len(scene.tiles) for scene in scenes),
            "largest_tile": f"{largest.width}x{largest.height}",
            "network_part": round(facts["network_pixels"] / (height * width), 4),
            **facts,
        }
