"""Which node of an ONNX file is the first to answer differently.

Two comparisons on one golden input. First node by node against the same graph traced anew from the network: that finds
changed weights and what half precision cannot hold. If no node differs, the exporter itself is at fault, and the
network's layers in torch are compared with the nodes that they became.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gossamer.errors import MissingDependencyError
from gossamer.image.image import FloatArray
from gossamer_export.golden import GoldenCase, any_size_cases, golden_cases
from gossamer_export.half import to_half
from gossamer_export.onnx import import_onnx, write_onnx
from gossamer_export.self_contained import self_contained
from gossamer_export.source import Source

__all__ = ["Divergence", "diagnose", "first_layer_apart", "first_node_apart", "module_of"]

TOLERANCE: Mapping[str, float] = {"fp32": 1e-4, "fp16": 0.03}
"""Largest distance of a node's answers, as part of their largest value, that counts as none."""
CHUNK = 400
"""Nodes that are looked at in one run: bounds the memory."""
_FLOATING = (1, 10)


@dataclass(frozen=True)
class Divergence:
    """Where two computations part."""

    node: str
    operator: str
    distance: float
    """Largest distance of its answers as part of their largest value."""
    position: int
    nodes: int

    @property
    def text(self) -> str:
        """For the user: node, operator, layer."""
        layer = module_of(self.node)
        where = f"layer {layer}" if layer else "outside of any layer: prior, normalisation or resizing"
        return (
            f"{self.node or 'a node without a name'} ({self.operator}, node {self.position + 1} of {self.nodes}; {where}), "
            f"off by {self.distance:.1e} of its largest value"
        )


def module_of(node: str) -> str:
    """``/network/stem/stem.0/stem.0.0/Conv`` to ``stem.0.0``: the layer in the network that a node was traced from."""
    parts: list[str] = []
    base = ""
    for part in [piece for piece in node.split("/") if piece][1:-1]:
        head = part.partition(".")[0]
        if head == base:
            parts[-1] = part
        else:
            parts.append(part)
        base = head
    return ".".join(parts)


def diagnose(path: Path, source: Source, *, precision: str, label: str = "") -> str:
    """One or two sentences that name the first node of the ONNX file ``path`` that differs from the network.

    ``label`` is that of the golden input to look at; empty: the first one.
    """
    onnx = import_onnx()
    manifest = source.manifest
    cases = [*golden_cases(manifest.multiple_of), *any_size_cases()]
    case = next((entry for entry in cases if entry.label == label), cases[0])
    artifact = onnx.load(str(path))
    with tempfile.TemporaryDirectory(prefix="gossamer-diagnose.") as made:
        traced = Path(made) / "traced.onnx"
        write_onnx(source.network, traced, multiple_of=manifest.multiple_of, needs_trimap=manifest.needs_trimap)
        plain = onnx.load(str(traced))
    fresh = plain
    if any(node.name.startswith("gossamer/") for node in artifact.graph.node):
        fresh = self_contained(plain, multiple_of=manifest.multiple_of, needs_trimap=manifest.needs_trimap)
    found = first_node_apart(fresh, artifact, _feeds(case, artifact), tolerance=TOLERANCE[precision])
    if found is not None:
        return f"The first node that differs from a graph traced anew: {found.text}."
    if precision == "fp16":
        found = first_node_apart(to_half(fresh), artifact, _feeds(case, artifact), tolerance=TOLERANCE["fp32"])
        if found is not None:
            return f"The first node that differs from a half-precision graph made anew: {found.text}."
    inner = case if case in golden_cases(manifest.multiple_of) else golden_cases(manifest.multiple_of)[0]
    found = first_layer_apart(source.network, plain, inner, needs_trimap=manifest.needs_trimap)
    if found is not None:
        return f"The graph is what the exporter makes of the network; its first node that differs from torch: {found.text}."
    return (
        "No single node stands out: every one is within "
        f"{TOLERANCE[precision]:g} of its largest value of what a graph traced anew answers, and the errors add up."
    )


def _feeds(case: GoldenCase, model: Any) -> dict[str, FloatArray]:
    every = {"plate": case.plate, "trimap": case.trimap}
    return {value.name: every[value.name] for value in model.graph.input}


def first_node_apart(
    expected: Any, found: Any, feeds: Mapping[str, FloatArray], *, tolerance: float
) -> Divergence | None:
    """The first node of ``found`` (in its order) whose answer is farther than ``tolerance`` from that of the same name
    in ``expected``. Both are ModelProtos; a node that ``expected`` has not is passed over."""
    names = [name for name in _floating(expected) if name in set(_floating(found))]
    nodes = list(found.graph.node)
    makers = {name: index for index, node in enumerate(nodes) for name in node.output}
    names.sort(key=lambda name: makers[name])
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        pairs = zip(chunk, _run(expected, feeds, chunk), _run(found, feeds, chunk), strict=True)
        for name, left, right in pairs:
            distance = _distance(left, right)
            if not distance <= tolerance:
                node = nodes[makers[name]]
                return Divergence(node.name, node.op_type, distance, makers[name], len(nodes))
    return None


def first_layer_apart(
    network: nn.Module, model: Any, case: GoldenCase, *, needs_trimap: bool, tolerance: float = 1e-3
) -> Divergence | None:
    """The first node of a traced graph whose answer, or whose input, differs from the layer's in torch."""
    layers = list(_layers(network, case, needs_trimap=needs_trimap))
    nodes = list(model.graph.node)
    last = {module_of(node.name): index for index, node in enumerate(nodes)}
    wanted: list[tuple[int, str, NDArray[Any]]] = []
    for number, (name, _, given, answer) in enumerate(layers):
        if name not in last:
            continue
        node = nodes[last[name]]
        after = layers[number + 1] if number + 1 < len(layers) else None
        if after is not None and isinstance(after[1], nn.modules.batchnorm._BatchNorm) and after[0] not in last:
            answer = after[3]  # the exporter folds the normalisation into the convolution before it
        first = next(index for index, entry in enumerate(nodes) if module_of(entry.name) == name)
        wanted.append((first, nodes[first].input[0], given))
        wanted.append((last[name], node.output[0], answer))
    floating = set(_floating(model))
    wanted = [entry for entry in wanted if entry[1] in floating]
    answers = _run(model, _feeds(case, model), [value for _, value, _ in wanted])
    for (index, _, expected), found in zip(wanted, answers, strict=True):
        if expected.shape == found.shape and not _distance(expected, found) <= tolerance:
            return Divergence(nodes[index].name, nodes[index].op_type, _distance(expected, found), index, len(nodes))
    return None


def _layers(
    network: nn.Module, case: GoldenCase, *, needs_trimap: bool
) -> Iterator[tuple[str, nn.Module, NDArray[Any], NDArray[Any]]]:
    """Every layer without layers inside that runs exactly once: name, layer, first input, answer; in order."""
    seen: list[tuple[str, nn.Module, NDArray[Any], NDArray[Any]]] = []

    def watch(name: str, layer: nn.Module) -> Any:
        before: list[NDArray[Any]] = []

        def enter(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
            # A copy: layers that work in place would overwrite it.
            before.append(inputs[0].detach().clone().numpy())

        def leave(_module: nn.Module, _inputs: tuple[Any, ...], answer: Any) -> None:
            if isinstance(answer, Tensor):
                seen.append((name, layer, before.pop(), answer.detach().clone().numpy()))

        return layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave)

    handles = [
        handle for name, layer in network.named_modules() if not list(layer.children()) for handle in watch(name, layer)
    ]
    try:
        with torch.no_grad():
            inputs = [case.plate, case.trimap] if needs_trimap else [case.plate]
            network.forward_matte(*map(torch.from_numpy, inputs))  # type: ignore[operator]
    finally:
        for handle in handles:
            handle.remove()
    counts: dict[str, int] = {}
    for entry in seen:
        counts[entry[0]] = counts.get(entry[0], 0) + 1
    return (entry for entry in seen if counts[entry[0]] == 1)


def _floating(model: Any) -> list[str]:
    """Names of the values with a fraction that the nodes of ``model`` compute, in order."""
    onnx = import_onnx()
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    return [
        name
        for node in graph.node
        if node.op_type != "Constant"
        for name in node.output
        if types.get(name) in _FLOATING
    ]


def _run(model: Any, feeds: Mapping[str, FloatArray], names: list[str]) -> list[NDArray[Any]]:
    """The values ``names`` inside ``model``, nothing optimised away."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError('Running ONNX needs onnxruntime: pip install "gossamer-matting[cpu]".') from error
    if not names:
        return []
    onnx = import_onnx()
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    have = {value.name for value in opened.graph.output}
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in have)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_mem_reuse = False
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(opened.SerializeToString(), options, providers=["CPUExecutionProvider"])
    answers: list[NDArray[Any]] = session.run(names, dict(feeds))
    return answers


def _distance(expected: NDArray[Any], found: NDArray[Any]) -> float:
    """Largest distance as part of the largest value; infinite where only one side is finite, or shapes differ."""
    if expected.shape != found.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    left, right = expected.astype(np.float64), found.astype(np.float64)
    if not np.array_equal(np.isfinite(left), np.isfinite(right)):
        return float("inf")
    usable = np.isfinite(left)
    if not usable.any():
        return 0.0
    scale = max(float(np.abs(left[usable]).max()), 1e-6)
    return float(np.abs(left - right)[usable].max()) / scale
