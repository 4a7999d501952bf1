"""Solvers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gossamer.errors import MissingDependencyError, SettingError
from gossamer.inference.solution import Cancelled, Solution, Solver

if TYPE_CHECKING:
    from gossamer.inference.backends import Backend
    from gossamer.models.weights import Manifest

__all__ = ["CLASSICAL", "Cancelled", "NetworkOpener", "Solution", "Solver", "create_solver"]

CLASSICAL = ("closed-form", "knn", "shared")
"""Solvers without a network (PyMatting), by the names a user gives to ``--model``."""

STEERABLE = ("gossamer", "lsa")
"""Families of networks whose decoder refinement can steer; core/decisions/0013-test-time.md says why."""

NONLOCAL = ("gossamer",)
"""Families whose mattes the non-local mean was measured on; core/decisions/0019-nonlocal-mean.md has the figures."""

REFINE_PATIENCE = 10
"""Steps without progress after which a tile is not refined any further."""

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
    strategy: str = "auto",
    tta: str = "none",
    refine: int = 0,
    refine_carry: bool = False,
    nonlocal_mean: str = "auto",
    building: Callable[[float, str], None] | None = None,
    cancelled: Cancelled | None = None,
    open_network: NetworkOpener | None = None,
) -> Solver:
    """Load the solver ``name``: a classical one, shipped weights, or the path of weights.

    Args:
        name: ``closed-form``, ``knn``, ``shared``, a name that ``gossamer models`` lists, or a path.
        backend: ``auto`` or one of ``config.BACKENDS``; ``auto`` takes what is fastest here.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``auto`` (fp32), ``fp32``, ``fp16`` (CUDA only) or ``bf16``.
        tile: largest side of a tile in pixels; 0 chooses.
        threads: CPU threads; 0 uses all cores.
        strategy: ``auto``, ``tiles``, ``whole``, ``resize`` or ``hybrid``; see ``strategies.py``.
        tta: ``none``, ``flips``, ``fine`` or ``views``: what is averaged; see ``views.py``.
        refine: steps of backpropagating refinement; 0 is none.
        refine_carry: begin each frame's refinement where the one before ended.
        nonlocal_mean: ``auto``, ``on`` or ``off``; see ``nonlocal_mean.py``.
        building: told how far an engine is that has to be built first (TensorRT), 0..1, and what goes on.
        cancelled: asked while it is built.
        open_network: loads the network; None is :func:`gossamer.inference.backends.open_backend`.

    Raises:
        ModelError: no such solver, damaged weights, or a backend that cannot run here.
        SettingError: settings that exclude each other.
        CancelledError: ``cancelled`` said so.
        MissingDependencyError: names the package to install.
    """
    if name in CLASSICAL:
        from gossamer.inference.classical import ClassicalSolver  # seconds of imports that networks do not need

        if refine or tta != "none" or strategy != "auto" or tile or nonlocal_mean == "on":
            raise SettingError(
                f"{name} is no network: leave out --refine, --tta, --strategy, --tile and --nonlocal, or choose "
                "another --model."
            )
        return ClassicalSolver(name, backend=backend, device=device, precision=precision, threads=threads)
    from gossamer.inference.backends import open_backend
    from gossamer.inference.choose_strategy import choose_strategy, create_strategy
    from gossamer.inference.predictor import NetworkSolver
    from gossamer.models.weights import find_manifest

    manifest = find_manifest(name)
    opener = open_network or open_backend
    chosen = choose_strategy(strategy, manifest, backend=backend, tile=tile)
    if refine:
        network = _open_refining(
            manifest,
            refine,
            chosen,
            backend=backend,
            device=device,
            precision=precision,
            threads=threads,
            carry=refine_carry,
            opener=opener,
        )
    else:
        library = "torch" if chosen == "hybrid" else backend
        network = opener(
            manifest,
            backend=library,
            device=device,
            precision=precision,
            threads=threads,
            building=building,
            cancelled=cancelled,
        )
    return NetworkSolver(
        manifest,
        network,
        strategy=create_strategy(chosen, manifest, network, tile=tile),
        tta=tta,
        nonlocal_mean=nonlocal_mean == "on" or (nonlocal_mean == "auto" and manifest.family in NONLOCAL),
        threads=threads,
    )


def _open_refining(
    manifest: Manifest,
    steps: int,
    strategy: str,
    *,
    backend: str,
    device: str,
    precision: str,
    threads: int,
    carry: bool,
    opener: NetworkOpener,
) -> Backend:
    """The network of ``manifest`` in torch, its answers refined in ``steps`` steps."""
    if manifest.family not in STEERABLE:
        raise SettingError(
            f"{manifest.name} is {manifest.architecture}, whose decoder --refine cannot steer; it can steer those of "
            "gossamer-s and lsa-r50d. Leave out --refine, or choose one of them with --model."
        )
    if backend not in ("auto", "torch"):
        raise SettingError(
            f"--refine follows gradients, and --backend {backend} gives none. Use --backend torch (or auto)."
        )
    if precision not in ("auto", "fp32"):
        raise SettingError(f"--refine works in fp32. Leave out --precision {precision}.")
    if strategy == "whole":
        raise SettingError("--refine works on tiles. Leave out --strategy whole.")
    from gossamer.inference.backends.pytorch import TorchBackend

    try:
        opened = opener(manifest, backend="torch", device=device, precision="fp32", threads=threads)
    except MissingDependencyError as error:
        raise MissingDependencyError(f"--refine needs torch. {error}") from error
    assert isinstance(opened, TorchBackend)
    from gossamer.inference.refine import RefineSettings
    from gossamer.inference.refining import RefiningBackend

    return RefiningBackend(
        opened.network,
        RefineSettings(steps=steps, patience=REFINE_PATIENCE),
        weights_sha256=opened.weights_sha256,
        device=str(opened.effective["device"]),
        effective=opened.effective,
        carry=carry,
    )
