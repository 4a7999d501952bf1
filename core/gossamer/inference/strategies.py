"""How a network looks at a picture: in tiles where it is unknown, or at all of it, at one size or two.

Every strategy answers for tiles; those that look at the whole picture (``whole_pictures.py``) plan one tile, which is
the picture. So averaging over views, confidence and merging are the same for all of them (``predictor.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gossamer.image.image import FloatArray, Window
from gossamer.inference.backends import Backend, ParallelBackend, SizedBackend
from gossamer.inference.solution import Cancelled
from gossamer.inference.tiling import Tile, plan_tiles
from gossamer.models.weights import Manifest

__all__ = ["CountingStrategy", "Place", "PlacedBackend", "Strategy", "TilesStrategy"]


@dataclass(frozen=True)
class Place:
    """Where a pass looks."""

    window: Window
    """In pixels of the display window at ``scale``, as the view turns it."""
    scale: float = 1.0
    view: int = 0
    """Number of the view."""


@runtime_checkable
class PlacedBackend(Protocol):
    """A backend that wants to know where its tiles lie."""

    def infer_at(
        self, plate: FloatArray, trimap: FloatArray | None, place: Place | None, *, cancelled: Cancelled | None = None
    ) -> FloatArray:
        """As ``Backend.infer``; asks ``cancelled`` while it works."""
        ...

    def end_frame(self) -> Mapping[str, Any]:
        """What was done since the last call, for the report."""
        ...


class Strategy(Protocol):
    """One way of looking."""

    @property
    def name(self) -> str:
        """As the user gives it to ``--strategy``."""
        ...

    @property
    def at_once(self) -> int:
        """Tiles that may be inferred at the same time."""
        ...

    def tiles(self, trimap: FloatArray, origin: tuple[int, int]) -> list[Tile]:
        """What will be looked at; none where no pixel is unknown."""
        ...

    def infer(
        self,
        plate: FloatArray,
        trimap: FloatArray | None,
        place: Place,
        *,
        alone: bool = False,
        cancelled: Cancelled | None = None,
    ) -> FloatArray:
        """A tile's window, 1 3 H W and 1 1 H W or None, to alpha 1 1 H W. Long work asks ``cancelled`` meanwhile.

        ``alone``: others go on beside it, in other threads (only where ``at_once`` allows it).
        """
        ...

    def end_frame(self) -> Mapping[str, Any]:
        """What was done since the last call, for the report; ``network_pixels`` and ``passes`` always."""
        ...


class CountingStrategy:
    """Asks a backend, and counts what it is asked."""

    at_once = 1

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.sizes: list[tuple[int, int]] = []

    def ask(
        self,
        plate: FloatArray,
        trimap: FloatArray | None,
        place: Place | None = None,
        *,
        alone: bool = False,
        cancelled: Cancelled | None = None,
    ) -> FloatArray:
        """One pass of the network."""
        self.sizes.append((plate.shape[3], plate.shape[2]))
        if isinstance(self.backend, PlacedBackend):
            return self.backend.infer_at(plate, trimap, place, cancelled=cancelled)
        if alone and isinstance(self.backend, ParallelBackend):
            return self.backend.infer_alone(plate, trimap)
        return self.backend.infer(plate, trimap)

    def end_frame(self) -> dict[str, Any]:
        """See :class:`Strategy`."""
        sizes, self.sizes = self.sizes, []
        width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
        facts: dict[str, Any] = {
            "passes": len(sizes),
            "largest_pass": f"{width}x{height}",
            "network_pixels": sum(width * height for width, height in sizes),
        }
        if isinstance(self.backend, PlacedBackend):
            facts |= self.backend.end_frame()
        return facts


class TilesStrategy(CountingStrategy):
    """Only where it is unknown; the one for networks that look no farther than their margin."""

    name = "tiles"

    def __init__(self, manifest: Manifest, backend: Backend, *, tile: int = 0) -> None:
        super().__init__(backend)
        self._manifest, self._tile = manifest, tile
        self.at_once = backend.at_once if isinstance(backend, ParallelBackend) else 1
        self._largest_side = backend.largest_side if isinstance(backend, SizedBackend) else 0

    def tiles(self, trimap: FloatArray, origin: tuple[int, int]) -> list[Tile]:
        """See ``tiling.py``."""
        manifest = self._manifest
        return plan_tiles(
            trimap,
            multiple_of=manifest.multiple_of,
            margin=manifest.margin,
            tile=self._tile,
            largest_side=self._largest_side,
            origin=origin,
        )

    def infer(
        self,
        plate: FloatArray,
        trimap: FloatArray | None,
        place: Place,
        *,
        alone: bool = False,
        cancelled: Cancelled | None = None,
    ) -> FloatArray:
        """See :class:`Strategy`."""
        return self.ask(plate, trimap, place, alone=alone, cancelled=cancelled)
