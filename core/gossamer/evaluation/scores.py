"""The numbers of one matte, and their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from numpy.typing import NDArray

from gossamer.metrics import Region, connectivity_error, gradient_error, mad, mse, sad

__all__ = ["METRIC_NAMES", "Scores", "mean_scores", "measure"]


@dataclass(frozen=True)
class Scores:
    """Official definitions (``gossamer.metrics``) over one region, and the time the solver took. Lower is better."""

    sad: float
    mse: float
    mad: float
    grad: float
    conn: float
    seconds: float
    """Wall time of the solve alone: model loaded and warmed up, picture in memory."""


METRIC_NAMES = tuple(field.name for field in fields(Scores) if field.name != "seconds")


def measure(
    alpha: NDArray[Any], truth: NDArray[Any], trimap: NDArray[Any], *, region: Region, seconds: float
) -> Scores:
    """All five errors of ``alpha`` (H x W, 0..1) against ``truth`` over ``region``.

    Raises:
        DataError: the sizes differ, or the region holds no pixel.
    """
    return Scores(
        sad=sad(alpha, truth, trimap, region=region),
        mse=mse(alpha, truth, trimap, region=region),
        mad=mad(alpha, truth, trimap, region=region),
        grad=gradient_error(alpha, truth, trimap, region=region),
        conn=connectivity_error(alpha, truth, trimap, region=region),
        seconds=seconds,
    )


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """The mean of each number; every picture counts the same whatever its size."""
    count = len(scores)
    return Scores(**{field.name: sum(getattr(s, field.name) for s in scores) / count for field in fields(Scores)})
