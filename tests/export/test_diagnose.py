"""The first node that differs is named, whatever made it differ."""

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from gossamer.models.weights import Manifest
from gossamer_export.diagnose import diagnose, first_layer_apart, first_node_apart, module_of
from gossamer_export.golden import golden_cases
from gossamer_export.half import to_half
from gossamer_export.onnx import write_onnx
from gossamer_export.self_contained import self_contained
from gossamer_export.source import Source


@pytest.fixture
def source(tiny: nn.Module) -> Source:
    manifest = Manifest("tiny", "tiny", "test", "", 1, True, 32, 2, {})
    return Source(manifest, tiny, {"weights": "tiny", "sha256": "0" * 64})


@pytest.fixture
def graph(tiny: nn.Module, tmp_path: Path) -> Any:
    write_onnx(tiny, tmp_path / "tiny.onnx", multiple_of=32)
    return onnx.load(str(tmp_path / "tiny.onnx"))


def corrupt(model: Any, channels: int) -> None:
    """Adds 1 to the first number of the convolution that reads so many channels."""
    (value,) = (entry for entry in model.graph.initializer if list(entry.dims[1:2]) == [channels])
    numbers = onnx.numpy_helper.to_array(value).copy()
    numbers.flat[0] += 1
    value.CopyFrom(onnx.numpy_helper.from_array(numbers, value.name))


@pytest.mark.parametrize(("channels", "layer"), [(4, "body.0"), (8, "body.3")])
@pytest.mark.parametrize("whole", [False, True])
def test_a_corrupted_weight_is_found(
    source: Source, graph: Any, tmp_path: Path, channels: int, layer: str, whole: bool
) -> None:
    corrupt(graph, channels)
    if whole:
        graph = self_contained(graph, multiple_of=32, needs_trimap=True)
    onnx.save(graph, str(tmp_path / "bad.onnx"))
    said = diagnose(tmp_path / "bad.onnx", source, precision="fp32")
    assert f"/body/{layer}/Conv (Conv, node" in said
    assert f"layer {layer})" in said


def test_in_half_precision_the_weight_is_found_among_rounding(source: Source, graph: Any, tmp_path: Path) -> None:
    half = to_half(graph)
    corrupt(half, 8)
    onnx.save(half, str(tmp_path / "half.onnx"))
    assert "/body/body.3/Conv" in diagnose(tmp_path / "half.onnx", source, precision="fp16")


def test_a_sound_graph_has_no_node_that_stands_out(source: Source, tmp_path: Path, graph: Any) -> None:
    assert "No single node stands out" in diagnose(tmp_path / "tiny.onnx", source, precision="fp32")


def test_an_exporters_fault_is_found_by_the_layers_in_torch(tiny: Any, graph: Any) -> None:
    case = golden_cases(32)[0]
    assert first_layer_apart(tiny, graph, case, needs_trimap=True) is None
    tiny.body[0].weight.data[0, 0] += 1  # now the graph is what is wrong
    found = first_layer_apart(tiny, graph, case, needs_trimap=True)
    assert found is not None
    assert module_of(found.node) == "body.0"
    assert found.operator == "Conv"


def test_what_goes_wrong_between_the_layers_shows_at_the_next_ones_input(tmp_path: Path) -> None:
    class Shifted(nn.Module):
        offset = 0.0

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 1, 3, 1, 1)

        def forward_matte(self, plate: torch.Tensor, trimap: torch.Tensor) -> torch.Tensor:
            alpha: torch.Tensor = self.conv(torch.cat([plate + self.offset, trimap], 1))
            return alpha

    network = Shifted()
    write_onnx(network, tmp_path / "shifted.onnx", multiple_of=32)
    network.offset = 0.5
    found = first_layer_apart(
        network, onnx.load(str(tmp_path / "shifted.onnx")), golden_cases(32)[0], needs_trimap=True
    )
    assert found is not None
    assert module_of(found.node) == "conv"


def test_nodes_of_the_same_graph_agree(graph: Any) -> None:
    case = golden_cases(32)[1]
    feeds = {"plate": case.plate, "trimap": case.trimap}
    assert first_node_apart(graph, graph, feeds, tolerance=0.0) is None


@pytest.mark.parametrize(
    ("node", "layer"),
    [
        ("/network/stem/stem.0/stem.0.0/Conv", "stem.0.0"),
        ("/stages.0/stages.0.0/conv1/Conv", "stages.0.0.conv1"),
        ("/decoder_5/conv/conv.0/Conv", "decoder_5.conv.0"),
        ("/conv/Conv", "conv"),
        ("/Mul_12", ""),
        ("gossamer/clean", ""),
        ("", ""),
    ],
)
def test_a_node_belongs_to_the_layer_it_was_traced_from(node: str, layer: str) -> None:
    assert module_of(node) == layer
