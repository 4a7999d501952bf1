"""Solvers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gossamer.inference.solution import Cancelled, Solution, Solver

if TYPE_CHECKING:
    from gossamer.inference.backends import Backend

__all__ = ["CLASSICAL", "Cancelled", "NetworkOpener", "Solution", "Solver", "create_solver"]

CLASSICAL = ("closed-form", "knn", "shared")
"""Solvers without a network (PyMatting), by the names a user gives to ``--model``."""

NetworkOpener = Callable[..., "Backend"]
"""``open_backend``, or something with its face that gives a network which is loaded already."""


def create_solver(
    name: str,
    *,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    tile: int = 0,
    threads: int = 0,
    open_network: NetworkOpener | None = None,
) -> Solver:
    """Load the solver ``name``: a classical one, shipped weights, or the path of weights.

    Args:
        name: ``closed-form``, ``knn``, ``shared``, a name that ``gossamer models`` lists, or a path.
        backend: ``auto``, ``onnxruntime`` or ``torch``; ``auto`` takes what is fastest here.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``auto`` (fp32), ``fp32``, or ``fp16`` (CUDA only).
        tile: largest side of a tile in pixels; 0 chooses.
        threads: CPU threads of the network; 0 uses all cores.
        open_network: loads the network; None is :func:`gossamer.inference.backends.open_backend`.

    Raises:
        ModelError: no such solver, damaged weights, or a backend that cannot run here.
        SettingError: settings that exclude each other.
        MissingDependencyError: names the package to install.
    """
    if name in CLASSICAL:
        from gossamer.inference.classical import ClassicalSolver  # seconds of imports that networks do not need

        return ClassicalSolver(name, backend=backend, device=device, precision=precision)
    from gossamer.inference.backends import open_backend
    from gossamer.inference.predictor import NetworkSolver
    from gossamer.models.weights import find_manifest

    manifest = find_manifest(name)
    opener = open_network or open_backend
    network = opener(manifest, backend=backend, device=device, precision=precision, threads=threads)
    return NetworkSolver(manifest, network, tile=tile)
