"""ONNX Runtime on the CPU. What its options cost and give: ``core/decisions/0011-backends.md``."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from gossamer.errors import MissingDependencyError, ModelError
from gossamer.image.image import FloatArray
from gossamer.inference.backends.base import UnavailableError, check_inputs, failure
from gossamer.inference.backends.threads import thread_count
from gossamer.inference.interruption import RunningPasses
from gossamer.models.weights import Manifest

__all__ = ["OnnxBackend", "import_onnxruntime", "onnx_kind", "onnx_precision", "open_session", "session_options"]

MOST_AT_ONCE = 4
"""Tiles at once: each holds its own activations, and beyond this the memory bus is what they wait for."""


def import_onnxruntime() -> Any:
    """The library.

    Raises:
        UnavailableError: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UnavailableError(
            MissingDependencyError(
                'ONNX Runtime is not installed: pip install "gossamer-matting[cpu]", or [gpu] for NVIDIA cards.'
            )
        ) from error
    # For builds that know no variable: Windows, before version 1.29.
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def onnx_kind(manifest: Manifest, precision: str) -> str:
    """The kind of file in ``manifest`` that holds the network at ``precision``: it lives in the file.

    Raises:
        UnavailableError: there is none.
    """
    kind = "onnx-fp16" if precision == "fp16" else "onnx"
    if kind in manifest.files:
        return kind
    if kind == "onnx":
        text = f"The weights {manifest.name!r} hold no ONNX file; use --backend torch or export one."
    else:
        text = (
            f"The weights {manifest.name!r} hold no fp16 ONNX file. Export one (gossamer export {manifest.name} --to "
            "onnx --precision fp16), or use --precision fp32."
        )
    raise UnavailableError(ModelError(text))


def onnx_precision(manifest: Manifest, kind: str) -> str:
    """``fp32`` or ``fp16``: that of the file ``kind`` of ``manifest``, which in an exported file is the file's own."""
    return "fp16" if kind == "onnx-fp16" else str(manifest.artifact.get("precision", "fp32"))


def session_options(ort: Any, threads: int) -> Any:
    """Options that all providers share; ``threads`` 0 is all cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    # Planning which buffers to share took 11 s of loading in ONNX Runtime 1.31 instead of 0.3 s, and saves nothing: the
    # arena reuses memory all the same (core/decisions/0003-onnx-exporter.md).
    options.enable_mem_reuse = False
    options.log_severity_level = 3
    # Threads that wait should sleep: reading and writing need the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def open_session(ort: Any, path: object, options: Any, providers: list[Any]) -> Any:
    """An inference session.

    Raises:
        ModelError: the library cannot load the file.
    """
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # the library's own exceptions share no base but this
        raise ModelError(f"ONNX Runtime cannot load {path}: {str(error).strip()}") from error


class OnnxBackend:
    """ONNX Runtime on the CPU.

    Small tiles run side by side with one thread each (:meth:`infer_alone`), a large one with all threads: the prior is
    thousands of small operations, and splitting each of them among threads gains less than it costs in waiting.

    The library's memory arena stays on: with tiles of many sizes it grows to what the largest needs and no further,
    and needs half of what the system's allocator takes (``core/decisions/0010-tiles.md`` has the numbers).
    """

    def __init__(self, manifest: Manifest, *, threads: int):
        ort = import_onnxruntime()
        kind = onnx_kind(manifest, "fp32")
        path = manifest.file(kind)
        self._threads = thread_count(threads)
        self._session = open_session(ort, path, session_options(ort, self._threads), ["CPUExecutionProvider"])
        self._inputs = [value.name for value in self._session.get_inputs()]
        check_inputs(manifest, self._inputs, path)
        self._output = self._session.get_outputs()[0].name
        self.passes = RunningPasses(ort.RunOptions)
        self.at_once = min(self._threads, MOST_AT_ONCE)
        self._alone: Any = None
        self._opening = threading.Lock()

        def open_alone() -> Any:
            # A pool is shared by all calls, and each brings its own thread.
            pool = max(self._threads - self.at_once + 1, 1)
            return open_session(ort, path, session_options(ort, pool), ["CPUExecutionProvider"])

        self._open_alone = open_alone
        self.weights_sha256 = manifest.files[kind].sha256
        self.effective: Mapping[str, Any] = {
            "backend": f"onnxruntime {ort.__version__}",
            "device": "cpu",
            "precision": onnx_precision(manifest, kind),
            "threads": self._threads,
        }

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """See :class:`gossamer.inference.backends.Backend`."""
        return self._run(self._session, plate, trimap)

    def infer_alone(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """See :class:`gossamer.inference.backends.ParallelBackend`."""
        with self._opening:  # most pictures never need it, and it takes half a second to load
            if self._alone is None:
                self._alone = self._open_alone()
        return self._run(self._alone, plate, trimap)

    def _run(self, session: Any, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        feeds = {"plate": plate, "trimap": trimap}
        try:
            with self.passes.one() as options:
                (alpha,) = session.run([self._output], {name: feeds[name] for name in self._inputs}, options)
        except Exception as error:  # the library's own exceptions share no base but this
            raise failure("ONNX Runtime", error, plate.shape) from error
        result: FloatArray = np.asarray(alpha, np.float32)
        return result
