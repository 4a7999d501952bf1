"""torch on the CPU or a CUDA device: the reference that the other backends are measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gossamer.errors import MissingDependencyError, ModelError
from gossamer.image.image import FloatArray
from gossamer.inference.backends.base import UnavailableError, failure
from gossamer.models.weights import Manifest

__all__ = ["TorchBackend"]


class TorchBackend:
    """torch on the CPU or a CUDA device, with the network that the manifest names."""

    def __init__(self, manifest: Manifest, *, device: str, precision: str, threads: int):
        try:
            import torch
        except ImportError as error:
            raise UnavailableError(
                MissingDependencyError('torch is not installed: pip install "gossamer-matting[torch]".')
            ) from error
        if "safetensors" not in manifest.files:
            raise UnavailableError(
                ModelError(f"The weights {manifest.name!r} hold no safetensors file; use --backend onnxruntime.")
            )
        if device == "cuda" and not torch.cuda.is_available():
            raise UnavailableError(ModelError(f"torch {torch.__version__} finds no CUDA device. Use --device cpu."))
        from gossamer.models.registry import create_model
        from gossamer.models.weights import load_weights

        if threads:
            torch.set_num_threads(threads)
        model = create_model(manifest.architecture)
        load_weights(model, manifest)
        self._torch: Any = torch
        self._device = torch.device(device)
        self._model = model.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._lowered = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision)
        self.weights_sha256 = manifest.files["safetensors"].sha256
        self.effective: Mapping[str, Any] = {
            "backend": f"torch {torch.__version__}",
            "device": device,
            "precision": precision if self._lowered is not None else "fp32",
            "threads": torch.get_num_threads(),
        }

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """See :class:`gossamer.inference.backends.Backend`."""
        torch = self._torch
        inputs = [torch.from_numpy(value).to(self._device) for value in (plate, trimap) if value is not None]
        # Set here and restored, because training in the same process may want other settings.
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        lowered = torch.autocast(self._device.type, self._lowered, enabled=self._lowered is not None)
        try:
            with flags, torch.inference_mode(), lowered:
                alpha = self._model.forward_matte(*inputs)
        except (RuntimeError, MemoryError) as error:
            raise failure("torch", error, plate.shape) from error
        result: FloatArray = alpha.float().cpu().numpy()
        return result
