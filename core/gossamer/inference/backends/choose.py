"""Which library runs a network: by wish, by what works here, and else by what measured fastest."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from gossamer.errors import GossamerError, ModelError, SettingError
from gossamer.inference.backends.base import Backend, Building, Cancelled, UnavailableError
from gossamer.models.weights import Manifest

__all__ = ["open_backend"]

logger = logging.getLogger(__name__)

RUNS = {
    ("onnxruntime", "cuda"): ("fp32", "fp16"),
    ("torch", "cuda"): ("fp32", "fp16", "bf16"),
    ("onnxruntime", "cpu"): ("fp32",),
    ("openvino", "cpu"): ("fp32", "bf16"),
    ("torch", "cpu"): ("fp32", "bf16"),
    ("tensorrt", "cuda"): ("fp32", "fp16"),
    ("onnxruntime-tensorrt", "cuda"): ("fp32", "fp16"),
}
"""Library and device with the precisions they have, the fastest first (``core/decisions/0011-backends.md``)."""
BY_NAME_ONLY = ("tensorrt", "onnxruntime-tensorrt")
"""They compile for minutes before the first frame: never by themselves."""


def open_backend(
    manifest: Manifest,
    *,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    building: Building | None = None,
    cancelled: Cancelled | None = None,
) -> Backend:
    """Load the network of ``manifest`` with the first library that fits the wishes and works here.

    ``auto`` tries a CUDA device before the CPU, then takes the order of RUNS; its precision is fp32. What is asked by
    name is never replaced by something else.

    Args:
        manifest: the weights.
        backend: ``auto`` or a library of RUNS.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``auto`` (fp32), ``fp32``, ``fp16``, ``bf16``.
        threads: CPU threads; 0 uses all cores.
        building: told how far an engine is that has to be built first (minutes).
        cancelled: asked while it is built.

    Raises:
        SettingError: the wishes exclude each other.
        MissingDependencyError: the one library that would do is not installed.
        ModelError: nothing that fits the wishes can run here; the message gives each reason.
        CancelledError: ``cancelled`` said so.
    """
    pairs = _candidates(backend, device, precision)
    reasons: list[GossamerError] = []
    for library, where in pairs:
        try:
            opened = _open(library, where, manifest, precision, threads, building, cancelled)
        except UnavailableError as error:
            logger.info("%s on %s: %s", library, where, error)
            reasons.append(error.reason)
            continue
        logger.info("%s: %s", manifest.name, opened.effective)
        return opened
    if len(reasons) == 1:
        raise reasons[0]
    raise ModelError(f"{manifest.name} cannot run as asked. " + " ".join(str(reason) for reason in reasons))


def _open(
    library: str,
    device: str,
    manifest: Manifest,
    precision: str,
    threads: int,
    building: Building | None,
    cancelled: Cancelled | None,
) -> Backend:
    """Each library is imported when it is wanted, for some take seconds."""
    if library == "torch":
        from gossamer.inference.backends.pytorch import TorchBackend

        return TorchBackend(manifest, device=device, precision=precision, threads=threads)
    if library == "openvino":
        from gossamer.inference.backends.open_vino import OpenVinoBackend

        return OpenVinoBackend(manifest, precision=precision, threads=threads)
    if library == "tensorrt":
        from gossamer.inference.backends.tensorrt_engine import TensorRtBackend

        return TensorRtBackend(manifest, precision=precision, building=building, cancelled=cancelled)
    if device == "cuda":
        from gossamer.inference.backends.onnx_device import OnnxDeviceBackend

        provider = "tensorrt" if library == "onnxruntime-tensorrt" else "cuda"
        return OnnxDeviceBackend(manifest, provider=provider, precision=precision)
    from gossamer.inference.backends.onnx_runtime import OnnxBackend

    return OnnxBackend(manifest, threads=threads)


def _candidates(backend: str, device: str, precision: str) -> list[tuple[str, str]]:
    """Pairs of library and device that fit the wishes, the fastest first.

    Raises:
        SettingError: there is none; says what would go.
    """
    wanted = "fp32" if precision == "auto" else precision
    if wanted == "fp16" and device == "cpu":
        raise SettingError("--precision fp16 is for CUDA devices. On the CPU use fp32 (or auto), or bf16.")
    pairs = [
        (library, where)
        for (library, where), precisions in RUNS.items()
        if wanted in precisions
        and (library == backend or (backend == "auto" and library not in BY_NAME_ONLY))
        and device in ("auto", where)
    ]
    if not pairs:
        going = [
            f"{library} on {where} ({', '.join(precisions)})"
            for (library, where), precisions in RUNS.items()
            if library == backend or backend == "auto"
        ]
        raise SettingError(
            f"--backend {backend} does not go with --device {device} and --precision {precision}. What goes: "
            f"{'; '.join(going)}."
        )
    here = [pair for pair in pairs if pair[1] == "cpu"] if device == "auto" and not _has_nvidia_driver() else pairs
    return here or pairs


def _has_nvidia_driver() -> bool:
    """Whether asking a library for a CUDA device is worth importing it (seconds, for most machines in vain)."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None
