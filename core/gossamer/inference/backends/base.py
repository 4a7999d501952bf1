"""What every backend is, and what it says when it cannot run or fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from gossamer.errors import GossamerError, ModelError
from gossamer.image.image import FloatArray
from gossamer.models.weights import Manifest

__all__ = [
    "Backend",
    "Building",
    "Cancelled",
    "ParallelBackend",
    "SizedBackend",
    "UnavailableError",
    "check_inputs",
    "failure",
]

Building = Callable[[float, str], None]
"""Told how far the building of an engine is, 0..1, and what goes on."""
Cancelled = Callable[[], bool]
"""Asked between steps; true ends the work with a CancelledError."""

OUT_OF_MEMORY = ("allocate memory", "out of memory", "bad_alloc", "bad allocation", "outofmemory")


class Backend(Protocol):
    """A loaded network."""

    @property
    def effective(self) -> Mapping[str, Any]:
        """``backend`` with its version, ``device``, ``precision``, ``threads``."""
        ...

    @property
    def weights_sha256(self) -> str:
        """Hash of the file that was loaded."""
        ...

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """``plate`` N 3 H W (sRGB-encoded, 0..1) and ``trimap`` N 1 H W (0, 0.5, 1) to alpha N 1 H W, unclamped.

        Raises:
            ModelError: the library failed, for instance for lack of memory.
        """
        ...


@runtime_checkable
class ParallelBackend(Protocol):
    """A backend that runs several small pictures at once faster than one after the other."""

    @property
    def at_once(self) -> int:
        """Calls of :meth:`infer_alone` that may go on at the same time."""
        ...

    def infer_alone(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """The same bytes as :meth:`Backend.infer`, from any thread, with its share of the CPU's threads."""
        ...


@runtime_checkable
class SizedBackend(Protocol):
    """A backend whose pictures may not have any size."""

    @property
    def largest_side(self) -> int:
        """Pixels that neither side of a picture may exceed."""
        ...


class UnavailableError(Exception):
    """This backend cannot run here; ``reason`` is what the user is told if nothing else can."""

    def __init__(self, reason: GossamerError):
        super().__init__(str(reason))
        self.reason = reason


def failure(library: str, error: Exception, shape: tuple[int, ...]) -> ModelError:
    """What the user is told when a library fails on an input of ``shape``."""
    size = f"a tile of {shape[3]}x{shape[2]} pixels"
    if isinstance(error, MemoryError) or any(word in str(error).lower() for word in OUT_OF_MEMORY):
        return ModelError(f"{library} ran out of memory on {size}. Give --tile a smaller number, for instance 512.")
    return ModelError(f"{library} failed on {size}: {str(error).strip() or type(error).__name__}")


def check_inputs(manifest: Manifest, names: Sequence[str], file: object) -> None:
    """Refuse a network whose inputs are not those of the product.

    Raises:
        ModelError: names the file, what it takes and what it should take.
    """
    expected = ["plate", "trimap"] if manifest.needs_trimap else ["plate"]
    if sorted(names) != expected:
        raise ModelError(f"{file} takes {', '.join(names)}; a matting network takes {' and '.join(expected)}.")
