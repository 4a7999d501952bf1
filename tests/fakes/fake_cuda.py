"""Hand-written stand-ins for an NVIDIA GPU and the libraries that use one. They have what the backends call, no more.

The GPU is a dictionary of buffers by address; an engine doubles nothing and adds nothing: its alpha is the mean of the
plate's channels, so that a test sees whether pixels went through the buffers in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from gossamer.image.image import FloatArray


class FakeMemory:
    """A :class:`gossamer.inference.backends.device_memory.DeviceMemory`."""

    stream = 77

    def __init__(self, gpu: str = "Test GPU", capability: str = "8.9") -> None:
        self.facts = gpu, capability
        self.buffers: dict[int, bytearray] = {}
        self.names: dict[str, tuple[int, int]] = {}
        self.recorded = 0
        self.replayed = 0

    def describe(self) -> tuple[str, str]:
        return self.facts

    def address(self, name: str, size: int) -> int:
        where, held = self.names.get(name, (0, 0))
        if held < size:
            where = 1000 + len(self.buffers)
            self.buffers[where] = bytearray(size)
            self.names[name] = where, size
        return where

    def upload(self, name: str, values: FloatArray) -> None:
        self.buffers[self.names[name][0]][: values.nbytes] = values.tobytes()

    def download(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        count = int(np.prod(shape))
        return np.frombuffer(bytes(self.buffers[self.names[name][0]]), np.float32, count).reshape(shape).copy()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        work()  # a capture runs nothing on a real GPU; here it is harmless

        def replay() -> None:
            self.replayed += 1
            work()

        return replay


class FakeContext:
    def __init__(self, memory: FakeMemory, largest: tuple[int, int]) -> None:
        self.memory, self.largest = memory, largest
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.refuses = False

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = shape
        return shape[2] <= self.largest[0] and shape[3] <= self.largest[1]

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == self.memory.stream
        if self.refuses:
            return False
        shape = self.shapes["plate"]
        assert self.shapes["trimap"] == (1, 1, *shape[2:])
        buffer = self.memory.buffers[self.addresses["plate"]]
        plate = np.frombuffer(bytes(buffer), np.float32, int(np.prod(shape))).reshape(shape)
        alpha = np.ascontiguousarray(plate.mean(axis=1, keepdims=True), np.float32)
        self.memory.buffers[self.addresses["alpha"]][: alpha.nbytes] = alpha.tobytes()
        return True


class TensorIOMode(IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class FakeTensorRt(ModuleType):
    """The module ``tensorrt``."""

    __version__ = "10.9.0"
    float32, float16 = "float32", "float16"
    TensorIOMode = TensorIOMode
    names = ("plate", "trimap", "alpha")

    def __init__(self, memory: FakeMemory, largest: tuple[int, int] = (1536, 1536)) -> None:
        super().__init__("tensorrt")
        self.context: FakeContext | None = FakeContext(memory, largest)
        self.dtype = self.float32
        self.loads = True

    class Logger:
        WARNING = 2

        def __init__(self, level: int) -> None: ...

    def Runtime(self, logger: object) -> Any:  # noqa: N802 - the library's own name
        return SimpleNamespace(deserialize_cuda_engine=lambda content: self._engine() if self.loads else None)

    def _engine(self) -> Any:
        return SimpleNamespace(
            create_execution_context=lambda: self.context,
            num_io_tensors=len(self.names),
            get_tensor_name=lambda index: self.names[index],
            get_tensor_mode=lambda name: TensorIOMode.OUTPUT if name == "alpha" else TensorIOMode.INPUT,
            get_tensor_dtype=lambda name: self.dtype,
        )


class FakeCudaRuntime(ModuleType):
    """The module ``cuda.bindings.runtime``: every function answers an error and then what it gives."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)  # noqa: N815 - library's name
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815 - library's name

    def __init__(self, devices: int = 1) -> None:
        super().__init__("cuda.bindings.runtime")
        self.devices = devices
        self.live: dict[int, Any] = {}
        self.calls: list[str] = []
        self.error = 0

    def cudaGetDeviceCount(self) -> tuple[int, int]:  # noqa: N802
        return (0 if self.devices else 100), self.devices

    def cudaGetDevice(self) -> tuple[int, int]:  # noqa: N802
        return 0, 0

    def cudaGetDeviceProperties(self, device: int) -> tuple[int, Any]:  # noqa: N802
        return 0, SimpleNamespace(name=b"Test GPU\0", major=8, minor=9)

    def cudaStreamCreate(self) -> tuple[int, int]:  # noqa: N802
        return 0, 5

    def cudaMalloc(self, size: int) -> tuple[int, int]:  # noqa: N802
        if self.error:
            return self.error, 0
        held = np.zeros(size, np.uint8)
        self.live[held.ctypes.data] = held
        return 0, held.ctypes.data

    def cudaFree(self, where: int) -> tuple[int]:  # noqa: N802
        del self.live[where]
        return (0,)

    def cudaMemcpyAsync(self, to: int, since: int, size: int, kind: int, stream: int) -> tuple[int]:  # noqa: N802
        import ctypes

        ctypes.memmove(to, since, size)
        return (0,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[int]:  # noqa: N802
        self.calls.append("synchronize")
        return (0,)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[int]:  # noqa: N802
        self.calls.append("begin")
        return (0,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[int, str]:  # noqa: N802
        self.calls.append("end")
        return 0, "graph"

    def cudaGraphInstantiate(self, graph: str, flags: int) -> tuple[int, str]:  # noqa: N802
        return 0, f"ready {graph}"

    def cudaGraphLaunch(self, ready: str, stream: int) -> tuple[int]:  # noqa: N802
        self.calls.append(f"launch {ready}")
        return (0,)


class _Nothing:
    """A context in which nothing is different."""

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


class FakeTorch:
    """The part of ``torch`` that holds a GPU's memory, with torch's own tensors on the CPU in its place."""

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self.uint8 = torch.uint8
        self.pinned = 0
        self.calls: list[str] = []
        self.cuda = SimpleNamespace(
            Stream=lambda: SimpleNamespace(cuda_stream=5, synchronize=lambda: self.calls.append("synchronize")),
            CUDAGraph=lambda: SimpleNamespace(replay=lambda: self.calls.append("replay")),
            current_device=lambda: 0,
            get_device_properties=lambda device: SimpleNamespace(name="Test GPU", major=9, minor=0),
            is_available=lambda: True,
            stream=lambda stream: _Nothing(),
            graph=lambda graph, stream: _Nothing(),
        )

    def empty(self, size: int, *, dtype: Any, device: str = "cpu", pin_memory: bool = False) -> Any:
        self.pinned += pin_memory
        return self._torch.empty(size, dtype=dtype)
