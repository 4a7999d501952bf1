"""A small evaluation folder and solvers whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gossamer.image.image import FloatArray
from gossamer.inference.solver import Cancelled, Solution


class FakeSolver:
    """Answers with a grey value in the unknown region and remembers what it was given."""

    needs_trimap = True
    identity = "fake weights 1"
    reach: int | None = None

    name = "fake"

    def __init__(self, value: float = 0.5) -> None:
        self.value = value
        self.effective: Mapping[str, Any] = {"backend": "fake", "device": "cpu"}
        self.seen: list[tuple[FloatArray, FloatArray | None]] = []

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
        self.seen.append((plate, trimap))
        if trimap is None:
            return Solution(np.full(plate.shape[:2], self.value, np.float32))
        return Solution(np.where((trimap > 0) & (trimap < 1), np.float32(self.value), trimap).astype(np.float32))


@pytest.fixture
def fake_solver() -> type[FakeSolver]:
    return FakeSolver


def save(path: Path, values: Any) -> Path:
    """Write 0..1 values as an 8-bit picture; three channels are RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.rint(np.asarray(values) * 255).astype(np.uint8)
    coded = cv2.imencode(path.suffix, stored[..., ::-1] if stored.ndim == 3 else stored)[1]
    path.write_bytes(coded.tobytes())
    return path


@pytest.fixture
def save_picture() -> Callable[[Path, Any], Path]:
    return save


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes ``image/``, ``trimap/`` and ``alpha/`` with the given stems: a ramp between black and white, 24x16.

    The ramp runs over the middle eight columns, which are the unknown ones.
    """

    def make(*stems: str, name: str = "set", trimap: str = "trimap") -> Path:
        folder = tmp_path / name
        ramp = np.clip((np.arange(24) - 8) / 8 + 1 / 16, 0, 1)
        alpha = np.broadcast_to(ramp, (16, 24))
        guide = np.where((alpha > 0) & (alpha < 1), 128 / 255, alpha)
        plate = alpha[..., None] * np.array([0.8, 0.6, 0.4]) + (1 - alpha[..., None]) * np.array([0.1, 0.2, 0.3])
        for stem in stems:
            save(folder / "image" / f"{stem}.png", plate)
            save(folder / trimap / f"{stem}.png", guide)
            save(folder / "alpha" / f"{stem}.png", alpha)
        return folder

    return make
