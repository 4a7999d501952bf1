"""A compiled TensorRT engine on the GPU it was compiled for. Never run on a GPU yet: tested against fakes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

import numpy as np

from gossamer.errors import MissingDependencyError, ModelError
from gossamer.image.image import FloatArray
from gossamer.inference.backends.base import Building, Cancelled, UnavailableError, check_inputs, failure
from gossamer.inference.backends.device_memory import DeviceMemory, driver_version, open_device_memory
from gossamer.inference.backends.engine_file import (
    BuildEngine,
    EngineKey,
    EngineManifest,
    EngineRequest,
    engines_folder,
    list_engines,
    read_engine_manifest,
)
from gossamer.inference.backends.onnx_runtime import onnx_kind, onnx_precision
from gossamer.models.weights import Manifest

__all__ = ["BUILDERS", "TensorRtBackend", "find_engine"]

logger = logging.getLogger(__name__)

BUILDERS = "gossamer.engine_builders"
"""Entry point group; its member ``tensorrt`` is a :class:`BuildEngine`."""
SMALLEST, USUAL, LARGEST = 64, 512, 1536
"""Sides of the tiles that an engine built on demand takes, in pixels."""


class TensorRtBackend:
    """TensorRT with the network's buffers bound once; engines of one fixed size run as a CUDA graph."""

    def __init__(
        self,
        manifest: Manifest,
        *,
        precision: str,
        building: Building | None = None,
        cancelled: Cancelled | None = None,
        memory: Callable[[], DeviceMemory] = open_device_memory,
    ):
        try:
            import tensorrt
        except ImportError as error:
            raise UnavailableError(
                MissingDependencyError("TensorRT is not installed: pip install tensorrt (and an NVIDIA driver).")
            ) from error
        kind = onnx_kind(manifest, precision)
        self._memory = memory()
        gpu, capability = self._memory.describe()
        key = EngineKey(gpu, capability, str(tensorrt.__version__), driver_version())
        precision = onnx_precision(manifest, kind)
        found = find_engine(manifest, kind, precision, key, building=building, cancelled=cancelled)
        self._manifest = found
        self._fixed = found.smallest == found.largest
        self.largest_side = min(found.largest)
        path = found.file()
        runtime = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.WARNING))
        engine = runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise ModelError(f"TensorRT cannot load {path}. Remove its folder (gossamer engines prune) to rebuild it.")
        self._keep = runtime, engine  # the context needs both to live
        self._context = engine.create_execution_context()
        if self._context is None:
            raise ModelError(f"TensorRT has not enough GPU memory to start {path}. Free the GPU, or use --device cpu.")
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        modes = {name: engine.get_tensor_mode(name) for name in names}
        self._inputs = [name for name in names if modes[name] == tensorrt.TensorIOMode.INPUT]
        check_inputs(manifest, self._inputs, path)
        (self._output,) = (name for name in names if name not in self._inputs)
        for name in names:
            if engine.get_tensor_dtype(name) != tensorrt.float32:
                raise ModelError(f"{path}: {name} is not float32. Build it from an ONNX file with float32 in and out.")
        self._bound: tuple[int, ...] = ()
        self._replay: Callable[[], None] | None = None
        self.weights_sha256 = found.onnx_sha256
        self.effective: Mapping[str, Any] = {
            "backend": f"tensorrt {tensorrt.__version__}",
            "device": "cuda",
            "precision": precision,
            "gpu": gpu,
            "cuda_graph": self._fixed,
        }

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """See :class:`gossamer.inference.backends.Backend`."""
        height, width = plate.shape[2:]
        least, most = self._manifest.smallest, self._manifest.largest
        if height > most[0] or width > most[1]:
            raise ModelError(
                f"The engine takes pictures up to {most[1]}x{most[0]}, not {width}x{height}. Give --tile a smaller "
                "number, take another --backend, or export an engine with a larger --size-range."
            )
        below, right = max(least[0] - height, 0), max(least[1] - width, 0)
        feeds = {"plate": plate, "trimap": trimap}
        answers = []
        try:
            for index in range(plate.shape[0]):
                for name in self._inputs:
                    values = np.asarray(feeds[name])[index : index + 1]
                    if below or right:
                        values = np.pad(values, ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")
                    self._bind(name, values.shape)
                    self._memory.upload(name, np.ascontiguousarray(values, np.float32))
                shape = (1, 1, height + below, width + right)
                self._bind(self._output, shape)
                self._execute(shape)
                answers.append(self._memory.download(self._output, shape)[..., :height, :width])
        except ModelError:
            raise
        except Exception as error:  # TensorRT and CUDA raise what they like
            raise failure("TensorRT", error, plate.shape) from error
        return np.concatenate(answers)

    def _bind(self, name: str, shape: tuple[int, ...]) -> None:
        """Tell the context where the buffer ``name`` lies and what shape it has."""
        address = self._memory.address(name, 4 * int(np.prod(shape)))
        if name in self._inputs and not self._context.set_input_shape(name, shape):
            raise ModelError(f"The engine does not take {name} of shape {shape}. Give --tile a smaller number.")
        self._context.set_tensor_address(name, address)

    def _execute(self, shape: tuple[int, ...]) -> None:
        """One pass in the stream; engines of a fixed size are recorded at their second pass and replayed from then on.

        Their buffers never grow, so the recorded addresses stay right.
        """
        if self._replay is not None:
            self._replay()
            return

        def enqueue() -> None:
            if not self._context.execute_async_v3(self._memory.stream):
                raise ModelError("TensorRT refused to run the engine. Rebuild it: gossamer engines prune.")

        if self._fixed and self._bound == shape:  # the first pass, outside of the graph, has set things up
            self._replay = self._memory.record(enqueue)
            self._replay()
        else:
            enqueue()
        self._bound = shape


def find_engine(
    manifest: Manifest,
    kind: str,
    precision: str,
    key: EngineKey,
    *,
    building: Building | None = None,
    cancelled: Cancelled | None = None,
) -> EngineManifest:
    """The engine for the ONNX file ``kind`` of ``manifest`` on the machine ``key``, built if there is none.

    Raises:
        UnavailableError: there is none, and nothing here can build one.
        CancelledError: ``cancelled`` said so.
        ModelError: the builder failed, or gave something else than was asked for.
    """
    folder, sha256 = engines_folder(), manifest.files[kind].sha256
    same = [found for found in list_engines(folder) if (found.onnx_sha256, found.precision) == (sha256, precision)]
    for found in same:
        if found.key == key:
            return found
    # What there is was compiled for another machine: say for which, then build it again for this one.
    stale = f" ({same[-1].key.differences(key)})" if same else ""
    wanted = f"{manifest.name} in {precision} on {key.gpu} with TensorRT {key.tensorrt} and driver {key.driver}{stale}"
    builder = _builder()
    if builder is None:
        raise UnavailableError(
            MissingDependencyError(
                f"There is no engine for {wanted}, and nothing here can build one: pip install "
                '"gossamer-matting[export]" tensorrt, or use --backend onnxruntime.'
            )
        )
    logger.info("building an engine for %s", wanted)
    side = max(SMALLEST, 2 * manifest.multiple_of)
    request = EngineRequest(
        model=manifest.name,
        onnx=manifest.file(kind),
        onnx_sha256=sha256,
        precision=precision,
        key=key,
        smallest=(side, side),
        usual=(USUAL, USUAL),
        largest=(LARGEST, LARGEST),
        folder=folder,
    )
    built = read_engine_manifest(builder(request, progress=building, cancelled=cancelled))
    if (built.onnx_sha256, built.precision, built.key) != (sha256, precision, key):
        raise ModelError(f"The engine in {built.folder} was built for something else than {wanted}. Remove its folder.")
    return built


def _builder() -> BuildEngine | None:
    """What a room above core offers for building engines."""
    for point in metadata.entry_points(group=BUILDERS, name="tensorrt"):
        try:
            built: BuildEngine = point.load()
        except ImportError as error:
            logger.info("%s cannot be loaded: %s", point.value, error)
            continue
        return built
    return None
