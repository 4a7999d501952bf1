"""OpenVINO on the CPU: fp32, and bf16 where the processor has it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from gossamer.errors import MissingDependencyError, ModelError
from gossamer.image.image import FloatArray
from gossamer.inference.backends.base import UnavailableError, check_inputs, failure
from gossamer.inference.backends.onnx_runtime import onnx_kind, onnx_precision
from gossamer.inference.backends.threads import thread_count
from gossamer.models.weights import Manifest

__all__ = ["OpenVinoBackend", "split_before_weights"]

TRAINED = frozenset({"Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul"})
"""Operations that carry a network's weights."""


class OpenVinoBackend:
    """Two compiled graphs: what comes before the first trained layer, and the rest.

    The part before (the colour prior of ``gossamer-s``) always runs in fp32: its distances and powers do not survive
    bf16. It is a graph of its own in fp32 as well, because OpenVINO runs the halves several times as fast as the whole
    (``core/decisions/0011-backends.md``).
    """

    def __init__(self, manifest: Manifest, *, precision: str, threads: int):
        openvino = _import_openvino()
        kind = onnx_kind(manifest, "fp32")
        path = manifest.file(kind)
        core = openvino.Core()
        hint = "bf16" if precision == "bf16" else "f32"
        if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise UnavailableError(
                ModelError("This processor has no bf16 instructions. Use --precision fp32 (or auto), or --device cuda.")
            )
        self._threads = thread_count(threads)
        settings = {"INFERENCE_NUM_THREADS": self._threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        try:
            model = core.read_model(str(path))
            self._inputs = [value.any_name for value in model.inputs]
            check_inputs(manifest, self._inputs, path)
            first, second = split_before_weights(openvino, model)
            lowered = {**settings, "INFERENCE_PRECISION_HINT": hint}
            exact = {**settings, "INFERENCE_PRECISION_HINT": "f32"}
            self._first = None if first is None else core.compile_model(first, "CPU", exact).create_infer_request()
            compiled = core.compile_model(second, "CPU", lowered)
        except ModelError:
            raise
        except Exception as error:  # RuntimeError and its own; the text is what there is to say
            raise ModelError(f"OpenVINO cannot load {path}: {str(error).strip()}") from error
        self._second = compiled.create_infer_request()
        self._tensor = openvino.Tensor
        self.weights_sha256 = manifest.files[kind].sha256
        stated = onnx_precision(manifest, kind)
        self.effective: Mapping[str, Any] = {
            "backend": f"openvino {openvino.__version__.split('-')[0]}",
            "device": "cpu",
            # What the library took, not what it was asked.
            "precision": "bf16" if "bf" in str(compiled.get_property("INFERENCE_PRECISION_HINT")).lower() else stated,
            "threads": self._threads,
        }

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """See :class:`gossamer.inference.backends.Backend`."""
        feeds = {"plate": plate, "trimap": trimap}
        if trimap is not None and trimap.shape[2:] != plate.shape[2:]:  # the library does not check, and reads beyond
            raise failure("OpenVINO", ValueError(f"the trimap is {trimap.shape[3]}x{trimap.shape[2]}"), plate.shape)
        try:
            given = [self._tensor(np.ascontiguousarray(feeds[name])) for name in self._inputs]
            if self._first is not None:
                self._first.infer(given)
                given += [self._first.get_output_tensor(k) for k in range(len(self._first.model_outputs))]
            for index, tensor in enumerate(given):
                self._second.set_input_tensor(index, tensor)
            self._second.infer()
            alpha: FloatArray = np.array(self._second.get_output_tensor(0).data, np.float32)
        except Exception as error:  # RuntimeError and its own; the text is what there is to say
            raise failure("OpenVINO", error, plate.shape) from error
        return alpha


def _import_openvino() -> Any:
    """The library, without its tools for converting models: those bring code that reports usage over the network.

    Raises:
        UnavailableError: it is not installed.
    """
    tools = "openvino.tools.ovc"
    hidden = tools not in sys.modules
    if hidden:
        sys.modules[tools] = None  # type: ignore[assignment]  # "do not import this"; the library does without
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise UnavailableError(
            MissingDependencyError('OpenVINO is not installed: pip install "gossamer-matting[openvino]".')
        ) from error
    finally:
        if hidden:
            sys.modules.pop(tools, None)


def split_before_weights(openvino: Any, model: Any) -> tuple[Any | None, Any]:
    """Cut ``model`` where its trained layers begin.

    Returns:
        A model from the inputs to every value that crosses the cut (None if nothing is computed before the trained
        layers), and one that takes the inputs and then those values, in order, and gives what ``model`` gave. ``model``
        itself is used up.
    """
    after: set[str] = set()
    constant: set[str] = set()
    crossing: dict[tuple[str, int], tuple[Any, list[Any]]] = {}
    for operation in model.get_ordered_ops():
        name, kind = operation.get_friendly_name(), operation.get_type_name()
        sources = [(value, value.get_source_output()) for value in operation.inputs()]
        givers = [source.get_node() for _, source in sources]
        if kind == "Constant" or (givers and all(giver.get_friendly_name() in constant for giver in givers)):
            constant.add(name)
        elif kind in TRAINED or any(giver.get_friendly_name() in after for giver in givers):
            after.add(name)
            for (value, source), giver in zip(sources, givers, strict=True):
                origin = giver.get_friendly_name()
                if origin not in after and origin not in constant and giver.get_type_name() != "Parameter":
                    crossing.setdefault((origin, source.get_index()), (source, []))[1].append(value)
    if not crossing:
        return None, model
    opset = openvino.opset8
    given = list(model.get_parameters())
    first = openvino.Model([opset.result(source) for source, _ in crossing.values()], given, "before the weights")
    first = first.clone()  # apart from the nodes that are rewired now
    taken = []
    for source, values in crossing.values():
        parameter = opset.parameter(source.get_partial_shape(), source.get_element_type())
        taken.append(parameter)
        for value in values:
            value.replace_source_output(parameter.output(0))
    return first, openvino.Model(model.get_results(), [*given, *taken], "weights")
