"""What turns a plate and a trimap into a matte: one protocol for networks and classical solvers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gossamer.image.image import FloatArray, Window

__all__ = ["Cancelled", "Solution", "Solver"]

Cancelled = Callable[[], bool]
"""Asked between steps; true ends the work with a CancelledError."""


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver answers for one frame."""

    alpha: FloatArray
    """H x W, 0..1. Exactly the trimap where the trimap is known."""
    confidence: FloatArray | None = None
    """H x W, 0..1, 1 in known regions; None unless it was asked for."""
    effective: Mapping[str, Any] = field(default_factory=dict)
    """What was done: tiles, pixels the network read, notes."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Parts of the time it took: ``network`` and ``nonlocal``, where there are such."""


class Solver(Protocol):
    """Anything that solves a plate, loaded and ready."""

    @property
    def name(self) -> str:
        """The name it was created by."""
        ...

    @property
    def needs_trimap(self) -> bool:
        """Whether ``solve`` has to be given a trimap."""
        ...

    @property
    def identity(self) -> str:
        """What decides its answers: SHA-256 of the weights, or the version of a library. Part of a job's hash."""
        ...

    @property
    def effective(self) -> Mapping[str, Any]:
        """What it runs on: ``backend``, ``device``, ``precision``, ``threads`` as they are, not as they were asked."""
        ...

    def reads(self, trimap: FloatArray | None, *, origin: tuple[int, int] = (0, 0)) -> Sequence[Window] | None:
        """The parts of the plate that ``solve`` will look at, in the plate's pixels; None: all of it.

        They may reach past the picture, where it is reflected. The rest of the plate may hold anything.
        """
        ...

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
        """Solve one frame.

        Args:
            plate: H x W x 3, sRGB-encoded Rec.709, 0..1, finite.
            trimap: H x W of 0, 0.5 and 1, or None for solvers that need none.
            origin: x, y of the plate's first pixel, counted from the display window's first pixel.
            confidence: also estimate how far the answer can be trusted.
            cancelled: asked between steps.
            progress: told the finished part of this frame, 0..1.

        Raises:
            CancelledError: ``cancelled`` said so.
            TrimapError: the trimap does not fit the plate, or leaves nothing to go by.
            ModelError: the solver failed; the message says what to change.
        """
        ...
