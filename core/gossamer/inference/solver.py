"""Solvers by name."""

from __future__ import annotations

from collections.abc import Callable

from gossamer.inference.solution import Cancelled, Solution, Solver

__all__ = ["CLASSICAL", "Cancelled", "Solution", "Solver", "create_solver"]

CLASSICAL = ("closed-form", "knn", "shared")
"""Solvers without a network (PyMatting), by the names a user gives to ``--model``."""


def create_solver(
    name: str,
    *,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    tile: int = 0,
    threads: int = 0,
    building: Callable[[float, str], None] | None = None,
    cancelled: Cancelled | None = None,
) -> Solver:
    """Load the solver ``name``: a classical one, shipped weights, or the path of weights.

    Args:
        name: ``closed-form``, ``knn``, ``shared``, a name that ``gossamer models`` lists, or a path.
        backend: ``auto`` or one of ``config.BACKENDS``; ``auto`` takes what is fastest here.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``auto`` (fp32), ``fp32``, ``fp16`` (CUDA only) or ``bf16``.
        tile: largest side of a tile in pixels; 0 chooses.
        threads: CPU threads of the network; 0 uses all cores.
        building: told how far an engine is that has to be built first (TensorRT), 0..1, and what goes on.
        cancelled: asked while it is built.

    Raises:
        ModelError: no such solver, damaged weights, or a backend that cannot run here.
        SettingError: settings that exclude each other.
        CancelledError: ``cancelled`` said so.
        MissingDependencyError: names the package to install.
    """
    if name in CLASSICAL:
        from gossamer.inference.classical import ClassicalSolver  # seconds of imports that networks do not need

        return ClassicalSolver(name, backend=backend, device=device, precision=precision)
    from gossamer.inference.backends import open_backend
    from gossamer.inference.predictor import NetworkSolver
    from gossamer.models.weights import find_manifest

    manifest = find_manifest(name)
    network = open_backend(
        manifest,
        backend=backend,
        device=device,
        precision=precision,
        threads=threads,
        building=building,
        cancelled=cancelled,
    )
    return NetworkSolver(manifest, network, tile=tile)
