"""PyMatting's closed-form, KNN and shared matting behind the same contract as the networks."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import CancelledError, ModelError, SettingError, TrimapError
from gossamer.image.image import FloatArray
from gossamer.image.load_pymatting import load_pymatting
from gossamer.image.trimap import is_unknown
from gossamer.inference.solution import Cancelled, Solution

__all__ = ["ClassicalSolver"]

logger = logging.getLogger(__name__)

FUNCTIONS = {"closed-form": "estimate_alpha_cf", "knn": "estimate_alpha_knn", "shared": "estimate_alpha_sm"}
LARGE = 2_200_000
"""Pictures with more pixels than this (a little over 1920x1080) are cropped to what is unknown."""
SURROUNDINGS = 200
"""Pixels kept around the unknown ones by that crop: known colours to compare with."""
SMALLEST = 16
"""Pictures with a shorter side are extended to this by repeating their edge; KNN asks for 20 neighbours."""


class ClassicalSolver:
    """A solver of PyMatting: no network, no weights; reads the whole picture, one CPU thread for the most part.

    ``shared`` is Gastal and Oliveira, "Shared Sampling for Real-Time Alpha Matting" (2010); ``closed-form`` Levin,
    Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting" (2008); ``knn`` Chen, Li and Tang, "KNN
    Matting" (2013). ``threads`` limits the parts that use more; 0 is all cores. A frame cannot be cancelled half-way;
    the question is asked before it starts.
    """

    needs_trimap = True

    def __init__(
        self, name: str, *, backend: str = "auto", device: str = "auto", precision: str = "auto", threads: int = 0
    ):
        if backend != "auto" or device == "cuda" or precision in ("fp16", "bf16"):
            raise SettingError(
                f"{name} is no network: it runs on the CPU in its own library. Leave out --backend, --device cuda and "
                "--precision fp16 or bf16, or choose another --model."
            )
        module = load_pymatting(name)
        self.name, self._threads = name, threads
        self._estimate: Callable[..., NDArray[Any]] = getattr(module, FUNCTIONS[name])
        self.identity = f"pymatting {module.__version__}"
        self.effective: Mapping[str, Any] = {
            "backend": f"pymatting {module.__version__}",
            "device": "cpu",
            "precision": "fp32" if name == "shared" else "fp64",
        }

    def reads(self, trimap: FloatArray | None, *, origin: tuple[int, int] = (0, 0)) -> None:
        """All of the plate."""
        return

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
        """See :class:`gossamer.inference.solver.Solver`. ``origin`` and ``progress`` change nothing here."""
        if trimap is None:
            raise SettingError(f"{self.name} needs a trimap: give --trimap, --mask, or --core and --garbage.")
        if trimap.shape != plate.shape[:2]:
            raise TrimapError(
                f"The trimap is {trimap.shape[1]}x{trimap.shape[0]}, the plate {plate.shape[1]}x{plate.shape[0]}."
            )
        if confidence:
            raise SettingError(f"{self.name} cannot tell its confidence; leave out --confidence or use a network.")
        if cancelled is not None and cancelled():
            raise CancelledError("Cancelled.")
        unknown = is_unknown(trimap)
        alpha = trimap.copy()
        if not unknown.any():
            return Solution(alpha, effective={"solved_pixels": 0})
        has_foreground, has_background = bool((trimap == 1).any()), bool((trimap == 0).any())
        if not has_foreground and not has_background:
            raise TrimapError(
                f"Every pixel of the trimap is unknown: {self.name} has no known colours to go by. Mark some "
                "foreground and background, or use a network such as gossamer-s."
            )
        if not (has_foreground and has_background):
            # Its equations have one solution then: the value that is known, everywhere.
            value = float(has_foreground)
            alpha[unknown] = value
            side = "background" if has_foreground else "foreground"
            return Solution(alpha, effective={"solved_pixels": 0, "notes": [f"no known {side}: alpha is {value:g}"]})
        rows, columns = _crop(trimap, unknown)
        solved = self._run(plate[rows, columns], trimap[rows, columns])
        part = unknown[rows, columns]
        if not np.isfinite(solved[part]).all():
            raise ModelError(f"{self.name} gave values that are not numbers; use another --model for this frame.")
        alpha[rows, columns][part] = np.clip(solved[part], 0, 1)
        return Solution(alpha, effective={"solved_pixels": int(part.sum())})

    def _run(self, plate: FloatArray, trimap: FloatArray) -> NDArray[Any]:
        """Call the library quietly, on a picture of at least SMALLEST pixels a side."""
        height, width = trimap.shape
        more = ((0, max(0, SMALLEST - height)), (0, max(0, SMALLEST - width)))
        image = np.pad(plate, (*more, (0, 0)), mode="edge").astype(np.float64)
        guide = np.pad(trimap, more, mode="edge").astype(np.float64)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), warnings.catch_warnings(), _at_most(self._threads):
                warnings.simplefilter("ignore")
                solved = self._estimate(image, guide)
        except (ValueError, ArithmeticError, MemoryError) as error:
            raise ModelError(
                f"{self.name} failed: {str(error) or type(error).__name__}. Use another --model for this frame."
            ) from error
        finally:
            if said.getvalue().strip():
                logger.info("%s: %s", self.name, " ".join(said.getvalue().split()))
        return solved[:height, :width]


@contextlib.contextmanager
def _at_most(threads: int) -> Iterator[None]:
    """Limit the threads of PyMatting's compiler; 0 leaves them alone."""
    numba = importlib.import_module("numba")
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads or before, before))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _crop(trimap: FloatArray, unknown: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns to solve: all of a picture up to LARGE, else what is unknown and its surroundings."""
    height, width = trimap.shape
    everything = slice(0, height), slice(0, width)
    if trimap.size <= LARGE:
        return everything
    ys, xs = np.flatnonzero(unknown.any(axis=1)), np.flatnonzero(unknown.any(axis=0))
    rows = slice(max(0, int(ys[0]) - SURROUNDINGS), min(height, int(ys[-1]) + 1 + SURROUNDINGS))
    columns = slice(max(0, int(xs[0]) - SURROUNDINGS), min(width, int(xs[-1]) + 1 + SURROUNDINGS))
    part = trimap[rows, columns]
    # Without known colours of both kinds in reach the crop would change the answer, not only its cost.
    return (rows, columns) if (part == 1).any() and (part == 0).any() else everything
