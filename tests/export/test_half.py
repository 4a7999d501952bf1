"""Half precision where layers were learned, float32 everywhere else."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.errors import ModelError
from gossamer_export.half import half_nodes, to_half
from gossamer_export.onnx import check_graph, write_onnx


class Prior(nn.Module):
    """Something exact before the layers and after them, a resize and a mean between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(4, 8, 3, 1, 1), nn.Conv2d(8, 1, 3, 1, 1)

    def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
        exact = (plate[:, :1] * 4096 + 1) - plate[:, :1] * 4096  # half precision gives 0 or 2 here
        x = F.relu(self.first(torch.cat([plate * exact, trimap], 1)))
        x = x * x.mean(dim=(2, 3), keepdim=True)
        x = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
        alpha: Tensor = 0.1 * self.last(x) * exact
        return alpha


@pytest.fixture
def graph(tmp_path: Path) -> Any:
    torch.manual_seed(0)
    write_onnx(Prior(), tmp_path / "prior.onnx", multiple_of=32)
    return onnx.load(str(tmp_path / "prior.onnx"))


def run(model: Any, plate: Any, trimap: Any) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["alpha"], {"plate": plate, "trimap": trimap})[0]


def test_only_what_lies_between_learned_layers_is_halved(graph: Any) -> None:
    chosen = half_nodes(graph)
    kinds = [node.op_type for node, half in zip(graph.graph.node, chosen, strict=True) if half]
    assert kinds.count("Conv") == 2
    assert "ReduceMean" not in kinds  # a sum over the picture
    assert {"Slice", "Sub"}.isdisjoint(kinds)  # before the first layer
    assert kinds[0] == kinds[-1] == "Conv"


def test_inputs_and_output_stay_float32_and_the_answer_stays_near(graph: Any, tmp_path: Path) -> None:
    half = to_half(graph)
    onnx.save(half, str(tmp_path / "half.onnx"))
    check_graph(tmp_path / "half.onnx")
    random = np.random.default_rng(0)
    plate, trimap = random.random((2, 3, 64, 96), np.float32), random.random((2, 1, 64, 96), np.float32)
    expected, found = run(graph, plate, trimap), run(half, plate, trimap)
    assert found.dtype == np.float32
    assert 0 < np.abs(expected - found).max() < 2e-3


def test_weights_take_half_the_space_and_are_not_kept_twice(graph: Any) -> None:
    weights = [value for value in to_half(graph).graph.initializer if len(value.dims) == 4]
    assert [value.data_type for value in weights] == [onnx.TensorProto.FLOAT16] * 2


def test_the_graph_that_was_given_is_left_alone(graph: Any) -> None:
    before = graph.SerializeToString()
    to_half(graph)
    assert graph.SerializeToString() == before


def test_values_beyond_half_precision_are_held_at_its_largest(graph: Any) -> None:
    for value in graph.graph.initializer:
        if list(value.dims) == [1]:  # the last layer's bias
            value.CopyFrom(onnx.numpy_helper.from_array(np.array([1e6], np.float32), value.name))
    biases = [value for value in to_half(graph).graph.initializer if list(value.dims) == [1]]
    assert 65504.0 in [float(onnx.numpy_helper.to_array(value)[0]) for value in biases]


def test_a_learned_layer_at_the_very_end_still_answers_in_float32() -> None:
    text = """
    <ir_version: 8, opset_import: ["": 18]>
    g (float[n, 1, h, w] plate) => (float[n, 1, h, w] alpha) <float[1, 1, 1, 1] weight = {0.5}>
    { alpha = Conv(plate, weight) }
    """
    half = to_half(onnx.parser.parse_model(text))
    session = onnxruntime.InferenceSession(half.SerializeToString(), providers=["CPUExecutionProvider"])
    (alpha,) = session.run(["alpha"], {"plate": np.ones((1, 1, 2, 2), np.float32)})
    assert alpha.dtype == np.float32
    assert alpha.max() == 0.5


def test_a_graph_without_layers_is_refused() -> None:
    text = """
    <ir_version: 8, opset_import: ["": 18]>
    g (float[n, 1, h, w] plate) => (float[n, 1, h, w] alpha) { alpha = Relu(plate) }
    """
    with pytest.raises(ModelError, match="no layer with weights"):
        to_half(onnx.parser.parse_model(text))


def test_a_branch_among_the_layers_is_refused() -> None:
    text = """
    <ir_version: 8, opset_import: ["": 18]>
    g (float[n, 1, h, w] plate, bool choice) => (float[n, 1, h, w] alpha) <float[1, 1, 1, 1] weight = {0.5}>
    {
        x = Conv(plate, weight)
        y = If (choice) <then_branch = a () => (float[n, 1, h, w] z) { z = Relu(x) },
                         else_branch = b () => (float[n, 1, h, w] z) { z = Neg(x) }>
        both = Add(x, y)
        alpha = Conv(both, weight)
    }
    """
    model = onnx.parser.parse_model(text)
    with pytest.raises(ModelError, match=r"\(If\) branches inside the learned part"):
        to_half(model)
