"""Everything that a user of an ONNX file would have to know, inside the file: any size, padding, known pixels.

Around the network's graph stand two small ones. Before it: values that are no picture (NaN, out of 0..1) are put right,
the trimap is read as ``gossamer.image.trimap`` reads one, both are padded by reflection as ``gossamer.inference.tiling``
pads a whole picture. After it: the padding is cut off and the trimap's known pixels are enforced. The text below is
ONNX's own notation.
"""

from __future__ import annotations

from typing import Any

from gossamer.image.trimap import KNOWN_TOLERANCE
from gossamer.inference.tiling import BORDER
from gossamer_export.onnx import OPSET, import_onnx

__all__ = ["padding_before", "self_contained"]

_HEADER = '<ir_version: 8, opset_import: ["": {opset}]>\n'
_PLATE = """
agraph (float[n, 3, h, w] plate) => (float[n, 3, p, q] inner_plate)
<int64 one = {{1}}, int64 two = {{2}}, int64 before = {{{before}}}, int64 border = {{{border}}}, int64 step = {{{step}}},
 float black = {{0}}, float white = {{1}}>
{{
    broken = IsNaN(plate)
    whole = Where(broken, black, plate)
    clean = Clip(whole, black, white)
    height1 = Shape<start = 2, end = 3>(plate)
    width1 = Shape<start = 3, end = 4>(plate)
    {rows}
    {columns}
    tall_plate = Gather<axis = 2>(clean, rows)
    inner_plate = Gather<axis = 3>(tall_plate, columns)
}}
"""
_INDICES = """
    {size} = Squeeze({size}1)
    {name}_least = Add({size}, border)
    {name}_up = Add({name}_least, step)
    {name}_up1 = Sub({name}_up, one)
    {name}_steps = Div({name}_up1, step)
    {name}_end = Mul({name}_steps, step)
    {name}_start = Neg(before)
    {name}_places = Range({name}_start, {name}_end, one)
    {name}_last = Sub({size}, one)
    {name}_double = Mul({name}_last, two)
    {name}_period = Max({name}_double, one)
    {name}_folded = Mod({name}_places, {name}_period)
    {name}_back = Sub({name}_period, {name}_folded)
    {name} = Min({name}_folded, {name}_back)
"""
_TRIMAP = """
agraph (float[n, 1, h, w] trimap, int64[p] rows, int64[q] columns) => (float[n, 1, p, q] inner_trimap)
<float low = {{{low}}}, float high = {{{high}}}, float half = {{0.5}}, float black = {{0}}, float white = {{1}}>
{{
    is_background = LessOrEqual(trimap, low)
    is_foreground = GreaterOrEqual(trimap, high)
    dark = Where(is_background, black, half)
    levels = Where(is_foreground, white, dark)
    tall_trimap = Gather<axis = 2>(levels, rows)
    inner_trimap = Gather<axis = 3>(tall_trimap, columns)
}}
"""
_ALPHA = """
agraph (float[n, 1, p, q] inner_alpha, int64[1] height1, int64[1] width1{known_inputs}) => (float[n, 1, h, w] alpha)
<int64[2] start = {{{before}, {before}}}, int64[2] axes = {{2, 3}}, float black = {{0}}, float white = {{1}}>
{{
    size = Concat<axis = 0>(height1, width1)
    stop = Add(start, size)
    cut = Slice(inner_alpha, start, stop, axes)
    {enforce}
}}
"""
_ENFORCE = """
    inside = Clip(cut, black, white)
    upper = Where(is_foreground, white, inside)
    alpha = Where(is_background, black, upper)
"""
_PREFIX = "gossamer/"


def padding_before(multiple_of: int) -> int:
    """Rows above and columns left of the picture that are added inside: BORDER in whole steps."""
    return -(-BORDER // multiple_of) * multiple_of


def self_contained(model: Any, *, multiple_of: int, needs_trimap: bool) -> Any:
    """A copy of the ModelProto ``model`` that takes pictures of any size.

    The new graph takes ``plate`` (N 3 H W float32, sRGB-encoded, clamped to 0..1; NaN counts as 0) and, if
    ``needs_trimap``, ``trimap`` (N 1 H W float32: at most 0.05 background, at least 0.95 foreground, all else and NaN
    unknown) of any H and W, and gives ``alpha`` (N 1 H W, exactly 0 and 1 where the trimap is known).
    """
    onnx = import_onnx()
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    values = {
        "before": padding_before(multiple_of),
        "border": BORDER,
        "step": multiple_of,
        "low": KNOWN_TOLERANCE,
        "high": 1 - KNOWN_TOLERANCE,
        "rows": _INDICES.format(name="rows", size="height"),
        "columns": _INDICES.format(name="columns", size="width"),
        "known_inputs": ", bool[n, 1, h, w] is_foreground, bool[n, 1, h, w] is_background" if needs_trimap else "",
        "enforce": _ENFORCE if needs_trimap else "alpha = Clip(cut, black, white)",
    }
    texts = [_PLATE, _TRIMAP, _ALPHA] if needs_trimap else [_PLATE, _ALPHA]
    parts = []
    for text in texts:
        part = onnx.parser.parse_model(_HEADER.format(opset=OPSET) + text.format(**values)).graph
        # Its weights are nodes or initializers by the parser's taste; every name but those of the product is prefixed.
        parts.append(_renamed(part, lambda name: name if name in ("plate", "trimap", "alpha") else _PREFIX + name))
    _renamed(graph, lambda name: f"{_PREFIX}inner_{name}" if name in ("plate", "trimap", "alpha") else name)
    inner = list(graph.node)
    del graph.node[:]
    seen = {value.name for value in graph.initializer}
    for part in parts[:-1]:
        graph.node.extend(part.node)
    graph.node.extend(inner)
    graph.node.extend(parts[-1].node)
    for part in parts:
        graph.initializer.extend(value for value in part.initializer if value.name not in seen)
        seen.update(value.name for value in part.initializer)
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.extend(value for part in parts for value in part.input if value.name in ("plate", "trimap"))
    graph.output.extend(parts[-1].output)
    return result


def _renamed(graph: Any, rename: Any) -> Any:
    """``graph`` with every value's name changed in place; nodes without a name get that of their result."""
    for node in graph.node:
        node.input[:] = [rename(name) if name else name for name in node.input]
        node.output[:] = [rename(name) if name else name for name in node.output]
        node.name = node.name or node.output[0]
    for values in (graph.input, graph.output, graph.value_info, graph.initializer):
        for value in values:
            value.name = rename(value.name)
    return graph
