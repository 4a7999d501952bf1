"""TorchScript for Nuke's Inference node: one file that takes plate and trimap at any size and answers alpha.

The network is traced, the layer around it is scripted. Tracing alone freezes size, device and half precision into the
graph; scripting the networks would freeze today's torch into the file (``F.interpolate`` compiled by a new torch names
operators that the torch inside Nuke does not have). So the trace is made in half precision, where every cast that
follows the plate can be told from one that asks for float32, and is then rewritten to follow its input's device and
type: the same graph runs on CPU and GPU, in float32 and in half, whatever the host switches on.

Source of the rules: Foundry's guide to the CatFileCreator and Inference nodes (Nuke 13 and later).
"""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.errors import ModelError
from gossamer.image.color import ROLL_OFF_START
from gossamer.image.trimap import KNOWN_TOLERANCE
from gossamer.inference.tiling import BORDER
from gossamer.models.registry import ModelEntry
from gossamer_export.self_contained import padding_before

__all__ = ["InferenceNode", "default_tile", "operators", "trace_polymorphic", "write_torchscript"]

DEFAULT_TILE = 1024
"""Side of the tiles in pixels: bounds the memory of a 4K frame, since Nuke itself hands over the whole picture."""
SEAM_MARGIN = 128
"""Least margin around a tile. More than a model's own (inference/tiling.py grows margins where a tile sees too little,
which a scripted loop of equal windows cannot)."""

_FLOAT, _HALF = 6, 5  # torch's numbers of its types, as graphs hold them


class _Matte(nn.Module):
    """The product's contract as one function of two tensors, ready to be traced."""

    def __init__(self, network: nn.Module, *, needs_trimap: bool) -> None:
        super().__init__()
        self.network = network
        self.needs_trimap = needs_trimap

    def forward(self, plate: Tensor, trimap: Tensor, like: Tensor) -> Tensor:
        inputs = (plate, trimap) if self.needs_trimap else (plate,)
        alpha: Tensor = self.network.forward_matte(*inputs)  # type: ignore[operator]
        return alpha


def trace_polymorphic(network: nn.Module, *, multiple_of: int, needs_trimap: bool) -> torch.jit.ScriptModule:
    """Trace ``network.forward_matte`` so that the graph runs on any device, in float32 and in half.

    Args:
        network: in any mode and type; it is left as it is.
        multiple_of: sides of the example are multiples of this.
        needs_trimap: whether the network is shown the trimap; the traced module takes one in any case.

    Returns:
        A traced module with float32 weights: plate N 3 H W, trimap N 1 H W, and a tensor whose type is that of the
        weights, to alpha N 1 H W.

    Raises:
        ModelError: the trace still holds something of the machine it was made on.
    """
    half = copy.deepcopy(network).eval().half()
    # Unequal sides and a batch of 2, so that nothing of the example passes for a constant of the picture.
    plate = torch.rand(2, 3, 6 * multiple_of, 5 * multiple_of, generator=torch.Generator().manual_seed(0)).half()
    trimap = plate[:, :1].mul(3).floor().div(2)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch announces the retirement of TorchScript; Nuke reads nothing else
        matte = _Matte(half, needs_trimap=needs_trimap)
        traced = torch.jit.trace(matte, (plate, trimap, plate), check_trace=False)  # type: ignore[no-untyped-call]
    _free_the_graph(traced)
    traced.float()
    # The rounded weights of the trace give way to the network's own.
    traced.network.load_state_dict(network.state_dict())
    return traced  # type: ignore[no-any-return]


def _free_the_graph(traced: torch.jit.ScriptModule) -> None:
    """Replace devices and half types that the trace has written down by the plate's device and the weights' type."""
    graph: Any = traced.graph  # torch's stubs of its graphs are incomplete
    torch._C._jit_pass_inline(graph)
    _self, plate, _trimap, like = graph.inputs()
    first = next(iter(graph.nodes()))
    dtype = graph.create("prim::dtype", [like])
    dtype.output().setType(torch._C.IntType.get())
    device = graph.create("prim::device", [plate])
    device.output().setType(torch._C.DeviceObjType.get())
    for node in (dtype, device):
        node.insertBefore(first)
    for node in list(graph.nodes()):
        for position, value in enumerate(list(node.inputs())):
            constant = value.node()
            if constant.kind() != "prim::Constant":
                continue
            if isinstance(value.type(), torch._C.DeviceObjType):
                node.replaceInput(position, device.output())
            elif _is_type_argument(node, position) and value.toIValue() == _HALF:
                node.replaceInput(position, dtype.output())
    _replace_new_operators(graph)
    _part_fusions(graph)
    torch._C._jit_pass_dce(graph)
    torch._C._jit_pass_lint(graph)
    left = [
        str(tuple(constant.shape))
        for node in graph.nodes()
        if node.kind() == "prim::Constant"
        and isinstance(constant := node.output().toIValue(), Tensor)
        and constant.ndim
    ]
    if left:
        raise ModelError(
            f"The trace holds tensors of shape {', '.join(left)} as constants; they would stay on the CPU when the "
            "host moves the network to a GPU. Write them as numbers, or make them buffers of the network."
        )


def _is_type_argument(node: Any, position: int) -> bool:
    """Whether an operator's argument says in which type it answers."""
    schema = node.schema()
    if schema == "(no schema)":
        return False
    arguments = torch._C.parse_schema(schema).arguments
    return position < len(arguments) and arguments[position].name == "dtype"


def _replace_new_operators(graph: Any) -> None:
    """``aten::pad`` came late to torch; the operators that it stands for have always been there."""
    for node in list(graph.nodes()):
        if node.kind() != "aten::pad":
            continue
        source, amounts, mode, _value = node.inputs()
        kind = {"constant": "constant_pad_nd", "replicate": "replication_pad2d", "reflect": "reflection_pad2d"}
        name = f"aten::{kind[mode.toIValue()]}"
        inputs = [source, amounts]
        if mode.toIValue() == "constant":
            zero = graph.insertConstant(0.0)
            zero.node().moveBefore(node)
            inputs.append(zero)
        new = graph.create(name, inputs)
        new.output().setType(node.output().type())
        new.insertBefore(node)
        node.output().replaceAllUsesWith(new.output())


def _part_fusions(graph: Any) -> None:
    """Put a ``detach`` behind every operator: it costs about nothing, and no fuser goes through it.

    From the second frame on, torch's fuser compiles chains of elementwise operators into kernels. The prior's thousands
    of small operators make hundreds of them: torch 1.13 (that of Nuke 14 is 1.12) compiled for minutes, in which the
    host would stand still.
    """
    for node in list(graph.nodes()):
        if not node.kind().startswith("aten::") or node.outputsSize() != 1:
            continue
        if not isinstance(node.output().type(), torch._C.TensorType):
            continue
        part = graph.create("aten::detach", [node.output()])
        part.output().setType(node.output().type())
        part.insertAfter(node)
        node.output().replaceAllUsesAfterNodeWith(part, part.output())


class InferenceNode(nn.Module):
    """What Nuke's Inference node runs: 1 x 4 x H x W (or 1 x 3 without a trimap) to alpha 1 x 1 x H x W.

    Input: red, green and blue of the plate, unclamped, then the trimap (at most 0.05 background, at least 0.95
    foreground, anything between unknown). Attributes that Nuke shows as knobs:

    * ``scene_linear``: 1 if the plate is scene-linear Rec.709 (rolled off above 0.8 and sRGB-encoded for the network as
      in ``gossamer.image.color.to_display``), 0 if it is sRGB-encoded already.
    * ``tile``: side of the tiles in pixels; 0 solves the picture in one pass.
    """

    def __init__(
        self,
        matte: torch.jit.ScriptModule,
        *,
        needs_trimap: bool,
        float_plate: bool,
        multiple_of: int,
        margin: int,
        tile: int,
    ) -> None:
        super().__init__()
        self.matte = matte
        self.scene_linear = 1
        self.tile = tile
        self.needs_trimap = needs_trimap
        self.float_plate = float_plate
        self.multiple_of = multiple_of
        self.margin = -(-max(margin, SEAM_MARGIN) // multiple_of) * multiple_of
        # The network's own zero padding stays away from the picture, as in gossamer.inference.tiling.
        self.border, self.before = BORDER, padding_before(multiple_of)
        self.roll_off_start = float(ROLL_OFF_START)
        self.tolerance = float(KNOWN_TOLERANCE)
        # Its type is that of the weights, whatever the host has made of them.
        self.register_buffer("like", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        plate = self.to_display(x[:, 0:3].float())
        if self.needs_trimap:
            guide = torch.nan_to_num(x[:, 3:4].float(), 0.5)
            known_f = (guide >= 1.0 - self.tolerance).float()
            known_b = (guide <= self.tolerance).float()
            trimap = (1.0 + known_f - known_b) / 2.0
        else:
            trimap = torch.ones_like(plate[:, 0:1]) / 2.0
        height, width = x.size(2), x.size(3)
        step = self.multiple_of
        if self.tile <= 0 or (height <= self.tile and width <= self.tile):
            before = self.before
            rows = self.reflect(-before, (height + self.border + step - 1) // step * step, height, x)
            columns = self.reflect(-before, (width + self.border + step - 1) // step * step, width, x)
            alpha = self.solve(plate, trimap, rows, columns)
            alpha = alpha[:, :, before : before + height, before : before + width]
        else:
            alpha = self.solve_tiles(plate, trimap)
        if self.needs_trimap:
            unknown = ((trimap > 0.25) & (trimap < 0.75)).float()
            alpha = alpha * unknown + trimap * (1.0 - unknown)
        return alpha.to(x.dtype)

    def solve_tiles(self, plate: Tensor, trimap: Tensor) -> Tensor:
        """Windows of one size with a margin around each tile; tiles without unknown pixels cost nothing."""
        height, width = plate.size(2), plate.size(3)
        step, margin = self.multiple_of, self.margin
        side = (self.tile + step - 1) // step * step
        side_y = min(side, (height + step - 1) // step * step)
        side_x = min(side, (width + step - 1) // step * step)
        alpha = trimap.clone()
        y = 0
        while y < height:
            x = 0
            while x < width:
                bottom, right = min(y + side_y, height), min(x + side_x, width)
                inner = trimap[:, :, y:bottom, x:right]
                if bool(((inner > 0.25) & (inner < 0.75)).any()):
                    rows = self.reflect(y - margin, y + side_y + margin, height, plate)
                    columns = self.reflect(x - margin, x + side_x + margin, width, plate)
                    answer = self.solve(plate, trimap, rows, columns)
                    alpha[:, :, y:bottom, x:right] = answer[
                        :, :, margin : margin + bottom - y, margin : margin + right - x
                    ]
                x += side_x
            y += side_y
        return alpha

    def solve(self, plate: Tensor, trimap: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The network on the chosen rows and columns, in the type of its weights; float32 out."""
        seen = plate.index_select(2, rows).index_select(3, columns)
        guide = trimap.index_select(2, rows).index_select(3, columns)
        if not self.float_plate:
            seen, guide = seen.to(self.like.dtype), guide.to(self.like.dtype)  # type: ignore[arg-type]
        alpha = self.matte(seen, guide, self.like)
        return torch.clamp(torch.nan_to_num(alpha.float()), 0.0, 1.0)

    def reflect(self, start: int, stop: int, size: int, like: Tensor) -> Tensor:
        """Indices ``start`` to ``stop``, mirrored about the first and the last pixel as often as it takes."""
        index = torch.arange(start, stop, device=like.device)
        if size == 1:
            return index * 0
        period = 2 * (size - 1)
        folded = torch.remainder(index, period)
        return torch.minimum(folded, period - folded)

    def to_display(self, plate: Tensor) -> Tensor:
        """sRGB-encoded 0..1, finite; see ``gossamer.image.color.to_display`` and ``roll_off``."""
        plate = torch.nan_to_num(plate, 0.0, 65504.0, -65504.0)
        if self.scene_linear != 0:
            room = 1.0 - self.roll_off_start
            above = torch.clamp(plate - self.roll_off_start, min=0.0)
            plate = torch.clamp(plate, max=self.roll_off_start) + room * above / (room + above)
            plate = torch.clamp(plate, min=0.0)
            is_low = (plate <= 0.0031308).float()
            high = 1.055 * torch.pow(torch.clamp(plate, min=0.0031308), 1.0 / 2.4) - 0.055
            plate = is_low * plate * 12.92 + (1.0 - is_low) * high
        return torch.clamp(plate, 0.0, 1.0)


def default_tile(entry: ModelEntry) -> int:
    """Side of the tiles that a file starts with; 0 (one pass) for networks that have to see whole subjects."""
    return DEFAULT_TILE if entry.needs_trimap else 0


def write_torchscript(network: nn.Module, path: Path, entry: ModelEntry, *, half: bool = False) -> None:
    """Write ``network`` as a TorchScript file for Nuke's CatFileCreator, with weights in float32 or in half.

    Args:
        network: built by ``entry``, with the weights to be written.
        path: of the file; written beside it and renamed.
        entry: what the registry says of the network.
        half: weights in half precision: half the size, faster on GPUs.

    Raises:
        ModelError: the network cannot be traced so that its file runs on any device.
    """
    node = InferenceNode(
        trace_polymorphic(network, multiple_of=entry.multiple_of, needs_trimap=entry.needs_trimap),
        needs_trimap=entry.needs_trimap,
        # The prior in front of the default network compares colours by differences that half precision rounds away
        # (mean error 2e-3 against 6e-5), and casts behind itself.
        float_plate=entry.family == "gossamer",
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        tile=default_tile(entry),
    ).eval()
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scripted = torch.jit.script(node)
            if half:
                scripted.half()
            scripted.save(str(temporary))  # type: ignore[no-untyped-call]
        temporary.replace(path)
    except RuntimeError as error:
        raise ModelError(f"The network cannot be written as TorchScript: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def operators(path: Path) -> list[str]:
    """Schemas of every operator in the file, sorted: what the torch that loads it has to have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    found: set[str] = set()
    for name in ("forward", "solve", "solve_tiles", "reflect", "to_display"):
        graph = module.matte.graph if name == "forward" else getattr(module, name).graph
        _collect(graph, found)
    _collect(module.graph, found)
    return sorted(found)


def _collect(block: Any, found: set[str]) -> None:
    for node in block.nodes():
        schema = node.schema()
        if node.kind().startswith("aten::") and schema != "(no schema)":
            found.add(schema)
        for inner in node.blocks():
            _collect(inner, found)
