"""Memory, streams and graphs of an NVIDIA GPU, by torch or by cuda-python: the few verbs an engine needs.

Never run on a GPU yet: tested against fakes.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gossamer.errors import MissingDependencyError, ModelError
from gossamer.image.image import FloatArray
from gossamer.inference.backends.base import UnavailableError

__all__ = ["CudaPythonMemory", "DeviceMemory", "TorchMemory", "driver_version", "open_device_memory"]

DRIVER_FILE = Path("/sys/module/nvidia/version")


class DeviceMemory(Protocol):
    """One GPU, one stream; buffers are named and grow."""

    def describe(self) -> tuple[str, str]:
        """Name of the GPU and its compute capability (``8.9``)."""
        ...

    @property
    def stream(self) -> int:
        """Handle of the CUDA stream."""
        ...

    def address(self, name: str, size: int) -> int:
        """Where the buffer ``name`` lies, of ``size`` bytes at least; it may move when it has to grow."""
        ...

    def upload(self, name: str, values: FloatArray) -> None:
        """Copy ``values`` (contiguous) into the buffer, in the stream's order."""
        ...

    def download(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        """Copy float32 values out of the buffer; waits for the stream."""
        ...

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """What ``work`` puts into the stream, recorded as a CUDA graph; the answer replays it."""
        ...


class TorchMemory:
    """By torch."""

    def __init__(self, torch: Any):
        self._torch = torch
        self._stream = torch.cuda.Stream()
        self._buffers: dict[str, Any] = {}
        self._pinned: dict[str, Any] = {}

    def describe(self) -> tuple[str, str]:
        """See :class:`DeviceMemory`."""
        facts = self._torch.cuda.get_device_properties(self._torch.cuda.current_device())
        return str(facts.name), f"{facts.major}.{facts.minor}"

    @property
    def stream(self) -> int:
        """See :class:`DeviceMemory`."""
        return int(self._stream.cuda_stream)

    def address(self, name: str, size: int) -> int:
        """See :class:`DeviceMemory`."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.numel() < size:
            buffer = self._buffers[name] = self._torch.empty(size, dtype=self._torch.uint8, device="cuda")
        return int(buffer.data_ptr())

    def upload(self, name: str, values: FloatArray) -> None:
        """See :class:`DeviceMemory`. By pinned memory, which copies do not have to wait for."""
        pinned = self._pinned.get(name)
        if pinned is None or pinned.numel() < values.nbytes:
            pinned = self._torch.empty(values.nbytes, dtype=self._torch.uint8, pin_memory=True)
            self._pinned[name] = pinned
        self._stream.synchronize()  # the last copy out of this memory has to be over
        pinned.numpy()[: values.nbytes] = values.reshape(-1).view(np.uint8)
        with self._torch.cuda.stream(self._stream):
            self._buffers[name][: values.nbytes].copy_(pinned[: values.nbytes], non_blocking=True)

    def download(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        """See :class:`DeviceMemory`."""
        size = int(np.prod(shape)) * 4
        with self._torch.cuda.stream(self._stream):
            host = self._buffers[name][:size].cpu()
        self._stream.synchronize()
        values: FloatArray = host.numpy().view(np.float32).reshape(shape).copy()
        return values

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """See :class:`DeviceMemory`."""
        graph = self._torch.cuda.CUDAGraph()
        with self._torch.cuda.graph(graph, stream=self._stream):
            work()

        def replay() -> None:
            with self._torch.cuda.stream(self._stream):
                graph.replay()

        return replay


class CudaPythonMemory:
    """By cuda-python (``cuda.bindings.runtime``), where there is no torch."""

    def __init__(self, runtime: Any):
        self._runtime = runtime
        self._stream = self._do("cudaStreamCreate")
        self._buffers: dict[str, tuple[int, int]] = {}

    def _do(self, name: str, *arguments: Any) -> Any:
        """Call the library; its functions answer an error and then what they give.

        Raises:
            ModelError: names the function and the error.
        """
        error, *given = getattr(self._runtime, name)(*arguments)
        if int(error) != 0:
            raise ModelError(f"CUDA says {error} in {name}. `gossamer doctor` says what this machine has.")
        return given[0] if len(given) == 1 else given

    def describe(self) -> tuple[str, str]:
        """See :class:`DeviceMemory`."""
        facts = self._do("cudaGetDeviceProperties", self._do("cudaGetDevice"))
        name = facts.name.decode() if isinstance(facts.name, bytes) else str(facts.name)
        return name.rstrip("\0"), f"{facts.major}.{facts.minor}"

    @property
    def stream(self) -> int:
        """See :class:`DeviceMemory`."""
        return int(self._stream)

    def address(self, name: str, size: int) -> int:
        """See :class:`DeviceMemory`."""
        where, held = self._buffers.get(name, (0, 0))
        if held < size:
            if held:
                self._do("cudaFree", where)
            where = int(self._do("cudaMalloc", size))
            self._buffers[name] = (where, size)
        return where

    def upload(self, name: str, values: FloatArray) -> None:
        """See :class:`DeviceMemory`."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        where = self._buffers[name][0]
        self._do("cudaMemcpyAsync", where, values.ctypes.data, values.nbytes, kind, self._stream)
        self._do("cudaStreamSynchronize", self._stream)  # ``values`` may go away once this returns

    def download(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        """See :class:`DeviceMemory`."""
        values: FloatArray = np.empty(shape, np.float32)
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        where = self._buffers[name][0]
        self._do("cudaMemcpyAsync", values.ctypes.data, where, values.nbytes, kind, self._stream)
        self._do("cudaStreamSynchronize", self._stream)
        return values

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """See :class:`DeviceMemory`."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._do("cudaStreamBeginCapture", self._stream, mode)
        try:
            work()
        finally:
            graph = self._do("cudaStreamEndCapture", self._stream)
        ready = self._do("cudaGraphInstantiate", graph, 0)
        return lambda: self._do("cudaGraphLaunch", ready, self._stream)


def open_device_memory() -> DeviceMemory:
    """The GPU by torch if that is installed and sees one, else by cuda-python.

    Raises:
        UnavailableError: neither finds a GPU; says what each lacks.
    """
    try:
        import torch
    except ImportError:
        torch = None  # type: ignore[assignment]
    if torch is not None and torch.cuda.is_available():
        return TorchMemory(torch)
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        if torch is None:
            raise UnavailableError(
                MissingDependencyError(
                    "TensorRT needs torch with CUDA or cuda-python for the GPU's memory: pip install cuda-python."
                )
            ) from error
        raise UnavailableError(
            ModelError(
                f"TensorRT needs an NVIDIA GPU, and torch {torch.__version__} finds none. Use --backend onnxruntime or "
                "--backend torch with --device cpu."
            )
        ) from error
    status, count = runtime.cudaGetDeviceCount()
    if int(status) != 0 or count == 0:
        raise UnavailableError(
            ModelError(
                f"TensorRT needs an NVIDIA GPU, and CUDA finds none ({status}). Use --backend onnxruntime or --backend "
                "torch with --device cpu."
            )
        )
    return CudaPythonMemory(runtime)


def driver_version() -> str:
    """Version of the NVIDIA driver; ``unknown`` where nothing says."""
    try:
        return DRIVER_FILE.read_text(encoding="ascii").strip()
    except OSError:
        pass
    program = shutil.which("nvidia-smi")
    if program is None:
        return "unknown"
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return said[0].strip() if said else "unknown"
