"""Half precision for the learned part of an ONNX graph, float32 for everything around it.

Which nodes: those between the first learned layer and the last. What comes before (the prior of ``gossamer-s``, which
half precision breaks, or the normalisation of the plate) and after (adding to the prior's alpha, clamping, obeying the
trimap) stays float32, inputs and output included. So do shapes, and sums over many values inside.
Why not a ready-made converter: ``core/decisions/0031-half-precision.md``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gossamer.errors import ModelError
from gossamer_export.onnx import import_onnx

__all__ = ["half_nodes", "to_half"]

LEARNED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Layers with weights; where the second factor of a product is no constant, nothing in it was learned."""
STAYS_FLOAT = frozenset({
    "CumSum", "GlobalAveragePool", "InstanceNormalization", "LayerNormalization", "Range", "ReduceL2", "ReduceMean",
    "ReduceSum", "ReduceSumSquare", "Softmax",
})  # fmt: skip
"""Sums over many values lose too much in half precision, and overflow it."""
FLOAT_INPUTS = {"Resize": (1, 2)}
"""Inputs that ONNX wants as float32 whatever the others are."""
_FLOAT, _HALF = 1, 10  # onnx.TensorProto.FLOAT, FLOAT16
_LARGEST = 65504.0


def _constants(graph: Any) -> set[str]:
    """Names of values that do not depend on the inputs."""
    names = {value.name for value in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" or (node.input and all(name in names for name in node.input if name)):
            names.update(node.output)
    return names


def half_nodes(model: Any) -> list[bool]:
    """For every node of ``model`` (an ONNX ModelProto, in topological order) whether it is to run in half precision."""
    graph = model.graph
    constants = _constants(graph)
    learned = [node.op_type in LEARNED and any(name in constants for name in node.input[1:2]) for node in graph.node]
    after: set[str] = set()
    follows = []
    for node, is_learned in zip(graph.node, learned, strict=True):
        # What is computed from a shape is no value of the network.
        below = is_learned or (node.op_type not in ("Shape", "Size") and any(name in after for name in node.input))
        follows.append(below)
        if below:
            after.update(node.output)
    before: set[str] = set()
    chosen = [False] * len(follows)
    for index in range(len(follows) - 1, -1, -1):
        node = graph.node[index]
        if learned[index] or any(name in before for name in node.output):
            before.update(node.input)
            chosen[index] = follows[index] and node.op_type not in STAYS_FLOAT
    return chosen


def to_half(model: Any) -> Any:
    """A copy of the ModelProto ``model`` whose learned part computes in half precision; inputs and output stay float32.

    Raises:
        ModelError: the learned part holds branches or loops, or the graph has no learned layer at all.
    """
    onnx = import_onnx()
    result = onnx.ModelProto()
    result.CopyFrom(onnx.shape_inference.infer_shapes(model))
    chosen = half_nodes(result)
    if not any(chosen):
        raise ModelError("The graph holds no layer with weights, so there is nothing to run in half precision.")
    writer = _HalfWriter(onnx, result.graph)
    for node, half in zip(list(result.graph.node), chosen, strict=True):
        writer.add(node, half=half)
    writer.finish()
    return result


def _read_by(graph: Any) -> set[str]:
    """Names that the nodes of a branch read, those inside its own branches included."""
    names: set[str] = set()
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                names |= _read_by(attribute.g)
    return names


class _HalfWriter:
    """Writes a graph anew, with casts where float32 and half precision meet."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self._onnx, self._graph = onnx, graph
        known = [*graph.value_info, *graph.input, *graph.output]
        self._types = {value.name: value.type.tensor_type.elem_type for value in known}
        self._types.update({value.name: value.data_type for value in graph.initializer})
        self._weights = {value.name: value for value in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._types[node.output[0]] = node.attribute[0].t.data_type
                self._weights[node.output[0]] = node.attribute[0].t
        self._outputs = {value.name for value in graph.output}
        self._nodes: list[Any] = []
        self._copies: dict[tuple[str, int], str] = {}
        self._new_weights: list[Any] = []

    def add(self, node: Any, *, half: bool) -> None:
        """Append ``node``; its floating inputs arrive in the precision it computes in."""
        inner = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
        if inner:
            if half or any(self._types.get(name) == _HALF for graph in inner for name in _read_by(graph)):
                raise ModelError(
                    f"{node.name or 'A node'} ({node.op_type}) branches inside the learned part; such a graph stays fp32."
                )
            self._nodes.append(node)
            return
        for position, name in enumerate(node.input):
            wants_half = half and position not in FLOAT_INPUTS.get(node.op_type, ())
            node.input[position] = self._in_precision(name, _HALF if wants_half else _FLOAT)
        self._nodes.append(node)
        if not half:
            return
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == _FLOAT:
                attribute.i = _HALF
            elif attribute.HasField("t") and attribute.t.data_type == _FLOAT:
                attribute.t.CopyFrom(self._half_tensor(attribute.t, attribute.t.name))
        for position, name in enumerate(node.output):
            if self._types.get(name) != _FLOAT:
                continue
            if name in self._outputs:  # keeps its name and type for the world outside
                inner = f"{name}/half"
                node.output[position] = inner
                self._nodes.append(self._cast(inner, name, _FLOAT))
            else:
                self._types[name] = _HALF

    def _in_precision(self, name: str, wanted: int) -> str:
        """``name``, or the name of a copy of that value in the wanted type, if it is a floating value of the other."""
        found = self._types.get(name)
        if found not in (_FLOAT, _HALF) or found == wanted:
            return name
        if (name, wanted) not in self._copies:
            copy = f"{name}/{'half' if wanted == _HALF else 'float'}"
            if wanted == _HALF and name in self._weights:
                self._new_weights.append(self._half_tensor(self._weights[name], copy))
            else:
                self._nodes.append(self._cast(name, copy, wanted))
            self._copies[name, wanted] = copy
        return self._copies[name, wanted]

    def _cast(self, source: str, target: str, to: int) -> Any:
        return self._onnx.helper.make_node("Cast", [source], [target], name=f"Cast/{target}", to=to)

    def _half_tensor(self, tensor: Any, name: str) -> Any:
        values = self._onnx.numpy_helper.to_array(tensor)
        return self._onnx.numpy_helper.from_array(np.clip(values, -_LARGEST, _LARGEST).astype(np.float16), name)

    def finish(self) -> None:
        """Put nodes and weights into the graph; weights that nobody reads any more are left out."""
        used = {name for node in self._nodes for name in node.input} | self._outputs
        nodes = [node for node in self._nodes if node.op_type != "Constant" or node.output[0] in used]
        weights = [value for value in [*self._graph.initializer, *self._new_weights] if value.name in used]
        for field, values in (("node", nodes), ("initializer", weights), ("value_info", [])):
            copies = [type(value)() for value in values]
            for copy, value in zip(copies, values, strict=True):
                copy.CopyFrom(value)
            del getattr(self._graph, field)[:]
            getattr(self._graph, field).extend(copies)
