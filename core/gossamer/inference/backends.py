"""The libraries that run a network: ONNX Runtime and torch, behind one call that takes and gives N C H W arrays."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gossamer.errors import GossamerError, MissingDependencyError, ModelError, SettingError
from gossamer.image.image import FloatArray
from gossamer.inference.interruption import RunningPasses
from gossamer.models.weights import Manifest

__all__ = ["Backend", "OnnxBackend", "TorchBackend", "open_backend"]

logger = logging.getLogger(__name__)

OUT_OF_MEMORY = ("allocate memory", "out of memory", "bad_alloc", "bad allocation")


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


class _UnavailableError(Exception):
    """This backend cannot run here; ``reason`` is what the user is told if nothing else can."""

    def __init__(self, reason: GossamerError):
        super().__init__(str(reason))
        self.reason = reason


def _failure(library: str, error: Exception, shape: tuple[int, ...]) -> ModelError:
    """What the user is told when a library fails on an input of ``shape``."""
    size = f"a tile of {shape[3]}x{shape[2]} pixels"
    if isinstance(error, MemoryError) or any(word in str(error).lower() for word in OUT_OF_MEMORY):
        return ModelError(f"{library} ran out of memory on {size}. Give --tile a smaller number, for instance 512.")
    return ModelError(f"{library} failed on {size}: {str(error).strip() or type(error).__name__}")


class OnnxBackend:
    """ONNX Runtime on the CPU or a CUDA device.

    The library's memory arena stays on: with tiles of many sizes it grows to what the largest needs and no further,
    and needs half of what the system's allocator takes (``core/decisions/0010-tiles.md`` has the numbers).
    """

    def __init__(self, manifest: Manifest, *, device: str, threads: int):
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise _UnavailableError(
                MissingDependencyError(
                    'ONNX Runtime is not installed: pip install "gossamer-matting[cpu]", or [gpu] for NVIDIA cards.'
                )
            ) from error
        if "onnx" not in manifest.files:
            raise _UnavailableError(
                ModelError(f"The weights {manifest.name!r} hold no ONNX file; use --backend torch or export one.")
            )
        if device == "cuda" and "CUDAExecutionProvider" not in ort.get_available_providers():
            raise _UnavailableError(
                ModelError(
                    "This ONNX Runtime was built without CUDA. Use --device cpu, or replace the package: "
                    'pip uninstall onnxruntime, then pip install "gossamer-matting[gpu]".'
                )
            )
        path = manifest.file("onnx")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        # Planning which buffers to share takes time that grows with the square of the nodes: 11 s of loading for the
        # default network instead of 0.3 s. The arena reuses memory all the same (core/decisions/0003-onnx-exporter.md).
        options.enable_mem_reuse = False
        options.log_severity_level = 3
        # Threads that wait should sleep: reading and writing need the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers: list[Any] = ["CPUExecutionProvider"]
        if device == "cuda":
            providers.insert(0, ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}))
        try:
            self._session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # the library's own exceptions share no base but this
            raise ModelError(f"ONNX Runtime cannot load {path}: {str(error).strip()}") from error
        # The library falls back to the CPU without an exception: only the session says what it really uses.
        if device == "cuda" and self._session.get_providers()[0] != "CUDAExecutionProvider":
            raise _UnavailableError(
                ModelError(
                    "ONNX Runtime cannot use the CUDA device: driver, CUDA 12/13 or cuDNN 9 is missing or does not "
                    "fit. `gossamer doctor` says more; --device cpu works without."
                )
            )
        self._inputs = [value.name for value in self._session.get_inputs()]
        expected = ["plate", "trimap"] if manifest.needs_trimap else ["plate"]
        if sorted(self._inputs) != expected:
            raise ModelError(
                f"{path} takes {', '.join(self._inputs)}; a matting network takes {' and '.join(expected)}."
            )
        self._output = self._session.get_outputs()[0].name
        self.passes = RunningPasses(ort.RunOptions)
        self.weights_sha256 = manifest.files["onnx"].sha256
        self.effective: Mapping[str, Any] = {
            "backend": f"onnxruntime {ort.__version__}",
            "device": device,
            "precision": "fp32",
            "threads": threads or os.cpu_count() or 1,
        }

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """See :class:`Backend`."""
        feeds = {"plate": plate, "trimap": trimap}
        try:
            with self.passes.one() as options:
                (alpha,) = self._session.run([self._output], {name: feeds[name] for name in self._inputs}, options)
        except Exception as error:  # the library's own exceptions share no base but this
            raise _failure("ONNX Runtime", error, plate.shape) from error
        result: FloatArray = np.asarray(alpha, np.float32)
        return result


class TorchBackend:
    """torch on the CPU or a CUDA device, with the network that the manifest names."""

    def __init__(self, manifest: Manifest, *, device: str, precision: str, threads: int):
        try:
            import torch
        except ImportError as error:
            raise _UnavailableError(
                MissingDependencyError('torch is not installed: pip install "gossamer-matting[torch]".')
            ) from error
        if "safetensors" not in manifest.files:
            raise _UnavailableError(
                ModelError(f"The weights {manifest.name!r} hold no safetensors file; use --backend onnxruntime.")
            )
        if device == "cuda" and not torch.cuda.is_available():
            raise _UnavailableError(ModelError(f"torch {torch.__version__} finds no CUDA device. Use --device cpu."))
        from gossamer.models.registry import create_model
        from gossamer.models.weights import load_weights

        if threads:
            torch.set_num_threads(threads)
        model = create_model(manifest.architecture)
        load_weights(model, manifest)
        self._torch: Any = torch
        self._device = torch.device(device)
        self._model = model.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._half = precision == "fp16"
        self.weights_sha256 = manifest.files["safetensors"].sha256
        self.effective: Mapping[str, Any] = {
            "backend": f"torch {torch.__version__}",
            "device": device,
            "precision": "fp16" if self._half else "fp32",
            "threads": torch.get_num_threads(),
        }

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """See :class:`Backend`."""
        torch = self._torch
        inputs = [torch.from_numpy(value).to(self._device) for value in (plate, trimap) if value is not None]
        # Set here and restored, because training in the same process may want other settings.
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        try:
            with flags, torch.inference_mode(), torch.autocast(self._device.type, torch.float16, enabled=self._half):
                alpha = self._model.forward_matte(*inputs)
        except (RuntimeError, MemoryError) as error:
            raise _failure("torch", error, plate.shape) from error
        result: FloatArray = alpha.float().cpu().numpy()
        return result


def _has_nvidia_driver() -> bool:
    """Whether asking torch for a CUDA device is worth importing it (seconds, for most machines in vain)."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


def _candidates(backend: str, device: str, precision: str) -> list[tuple[str, str]]:
    """Pairs of backend and device that fit the wishes, the fastest first."""
    pairs = [("onnxruntime", "cuda"), ("torch", "cuda"), ("onnxruntime", "cpu"), ("torch", "cpu")]
    if precision == "fp16":  # an fp32 ONNX file stays fp32, whatever the device
        pairs = [("torch", "cuda")]
    if backend != "auto":
        pairs = [pair for pair in pairs if pair[0] == backend]
    if device != "auto":
        pairs = [pair for pair in pairs if pair[1] == device]
    elif not _has_nvidia_driver() and precision != "fp16":
        pairs = [pair for pair in pairs if pair[1] == "cpu"]
    return pairs


def open_backend(
    manifest: Manifest, *, backend: str = "auto", device: str = "auto", precision: str = "auto", threads: int = 0
) -> Backend:
    """Load the network of ``manifest`` with the first library that fits the wishes and works here.

    ``auto`` tries a CUDA device before the CPU and ONNX Runtime before torch. What is asked by name is never
    replaced by something else.

    Raises:
        SettingError: the wishes exclude each other.
        MissingDependencyError: the one library that would do is not installed.
        ModelError: nothing that fits the wishes can run here; the message gives each reason.
    """
    if backend == "tensorrt":
        raise ModelError(
            "--backend tensorrt runs engines that are compiled for one GPU, and this version cannot make or load them "
            "yet. Use --backend onnxruntime or torch."
        )
    if precision == "fp16" and device == "cpu":
        raise SettingError("--precision fp16 is for CUDA devices. On the CPU use --precision fp32 (or auto).")
    pairs = _candidates(backend, device, precision)
    if not pairs:
        raise SettingError(f"--precision fp16 does not go with --backend {backend}; use --backend torch, or fp32.")
    reasons: list[GossamerError] = []
    openers: dict[str, Callable[[str], Backend]] = {
        "onnxruntime": lambda where: OnnxBackend(manifest, device=where, threads=threads),
        "torch": lambda where: TorchBackend(manifest, device=where, precision=precision, threads=threads),
    }
    for library, where in pairs:
        try:
            opened = openers[library](where)
        except _UnavailableError as error:
            logger.info("%s on %s: %s", library, where, error)
            reasons.append(error.reason)
            continue
        logger.info("%s: %s", manifest.name, opened.effective)
        return opened
    if len(reasons) == 1:
        raise reasons[0]
    raise ModelError(f"{manifest.name} cannot run as asked. " + " ".join(str(reason) for reason in reasons))
