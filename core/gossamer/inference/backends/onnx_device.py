"""ONNX Runtime on an NVIDIA GPU, by its CUDA or its TensorRT provider. Never run on a GPU yet: tested against fakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.errors import ModelError
from gossamer.image.image import FloatArray
from gossamer.inference.backends.base import UnavailableError, check_inputs, failure
from gossamer.inference.backends.engine_file import PROVIDER_FOLDER, engines_folder
from gossamer.inference.backends.onnx_runtime import (
    import_onnxruntime,
    onnx_kind,
    onnx_precision,
    open_session,
    session_options,
)
from gossamer.inference.interruption import RunningPasses
from gossamer.models.weights import Manifest

__all__ = ["OnnxDeviceBackend"]

CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"


class OnnxDeviceBackend:
    """ONNX Runtime with ``provider`` "cuda" or "tensorrt".

    Inputs and outputs are bound, so a pass copies each of them once. The TensorRT provider compiles the network for
    every new size of tile: the first pass takes minutes, and what was compiled is kept in the folder of engines.
    """

    def __init__(self, manifest: Manifest, *, provider: str, precision: str):
        ort = import_onnxruntime()
        wanted = TENSORRT if provider == "tensorrt" else CUDA
        if wanted not in ort.get_available_providers():
            raise UnavailableError(
                ModelError(
                    f"This ONNX Runtime was built without {'TensorRT' if wanted == TENSORRT else 'CUDA'}. Use --device "
                    'cpu, or replace the package: pip uninstall onnxruntime, then pip install "gossamer-matting[gpu]".'
                )
            )
        kind = onnx_kind(manifest, precision)
        path = manifest.file(kind)
        providers: list[Any] = [
            (CUDA, {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}),
            "CPUExecutionProvider",
        ]
        if wanted == TENSORRT:
            providers.insert(0, (TENSORRT, _tensorrt_options(engines_folder(), manifest.files[kind].sha256)))
        self._session = open_session(ort, path, session_options(ort, 0), providers)
        # The library falls back to the CPU without an exception: only the session says what it really uses.
        if self._session.get_providers()[0] != wanted:
            needs = "TensorRT, " if wanted == TENSORRT else ""
            raise UnavailableError(
                ModelError(
                    f"ONNX Runtime cannot use the {'TensorRT provider' if wanted == TENSORRT else 'CUDA device'}: "
                    f"driver, {needs}CUDA 12/13 or cuDNN 9 is missing or does not fit. `gossamer doctor` says more; "
                    "--device cpu works without."
                )
            )
        self._inputs = [value.name for value in self._session.get_inputs()]
        check_inputs(manifest, self._inputs, path)
        self._output = self._session.get_outputs()[0].name
        self.passes = RunningPasses(ort.RunOptions)
        self.weights_sha256 = manifest.files[kind].sha256
        self.effective: Mapping[str, Any] = {
            "backend": f"onnxruntime{'-tensorrt' if wanted == TENSORRT else ''} {ort.__version__}",
            "device": "cuda",
            "precision": onnx_precision(manifest, kind),
        }

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """See :class:`gossamer.inference.backends.Backend`."""
        feeds = {"plate": plate, "trimap": trimap}
        try:
            binding = self._session.io_binding()
            for name in self._inputs:
                binding.bind_cpu_input(name, feeds[name])
            binding.bind_output(self._output, "cuda")
            with self.passes.one() as options:
                self._session.run_with_iobinding(binding, options)
            (alpha,) = binding.copy_outputs_to_cpu()
        except Exception as error:  # the library's own exceptions share no base but this
            raise failure("ONNX Runtime", error, plate.shape) from error
        result: FloatArray = np.asarray(alpha, np.float32)
        return result


def _tensorrt_options(folder: Path, sha256: str) -> dict[str, str]:
    """Engines and timings are kept for the next run, apart for every ONNX file."""
    cache = folder / f"{PROVIDER_FOLDER}{sha256[:12]}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            f"Cannot make the folder {cache} for compiled engines: {error.strerror}. Name another one in "
            "GOSSAMER_ENGINES."
        ) from error
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(cache),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(cache),
    }
