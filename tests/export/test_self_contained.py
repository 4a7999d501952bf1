"""A self-contained graph pads, crops and obeys the trimap as the product does."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from torch import nn

from gossamer.models.registry import create_model
from gossamer_export.golden import any_size_cases
from gossamer_export.onnx import check_graph, write_onnx
from gossamer_export.self_contained import padding_before, self_contained
from gossamer_export.verify import read_trimap, reference_any_size


@pytest.fixture
def session(tiny: nn.Module, tmp_path: Path) -> Any:
    write_onnx(tiny, tmp_path / "tiny.onnx", multiple_of=32)
    model = self_contained(onnx.load(str(tmp_path / "tiny.onnx")), multiple_of=32, needs_trimap=True)
    onnx.save(model, str(tmp_path / "whole.onnx"))
    check_graph(tmp_path / "whole.onnx")
    return onnxruntime.InferenceSession(str(tmp_path / "whole.onnx"), providers=["CPUExecutionProvider"])


def test_odd_sizes_and_wild_values_answer_as_the_padded_network(session: Any, tiny: nn.Module) -> None:
    for case in any_size_cases():
        (found,) = session.run(["alpha"], {"plate": case.plate, "trimap": case.trimap})
        expected = reference_any_size(tiny, case.plate, case.trimap, multiple_of=32)
        assert found.shape == case.trimap.shape
        assert np.abs(found - expected).max() < 1e-5, case.label


def test_known_pixels_are_exact(session: Any) -> None:
    trimap = np.linspace(0, 1, 21, dtype=np.float32).reshape(1, 1, 3, 7)
    (alpha,) = session.run(["alpha"], {"plate": np.full((1, 3, 3, 7), 0.4, np.float32), "trimap": trimap})
    levels = read_trimap(trimap)
    assert (alpha[levels == 0] == 0).all()
    assert (alpha[levels == 1] == 1).all()
    assert ((alpha[levels == 0.5] > 0) & (alpha[levels == 0.5] < 1)).all()


def test_inputs_have_free_sizes_and_the_products_names(session: Any) -> None:
    described = [(value.name, value.shape) for value in session.get_inputs()]
    assert described == [("plate", ["n", 3, "h", "w"]), ("trimap", ["n", 1, "h", "w"])]
    assert [(value.name, value.shape) for value in session.get_outputs()] == [("alpha", ["n", 1, "h", "w"])]


def test_a_trimap_free_network_needs_no_trimap(registered: None, tmp_path: Path) -> None:
    network = create_model("tiny-free")
    write_onnx(network, tmp_path / "free.onnx", multiple_of=32, needs_trimap=False)
    model = self_contained(onnx.load(str(tmp_path / "free.onnx")), multiple_of=32, needs_trimap=False)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    plate = np.random.default_rng(0).random((1, 3, 33, 50), np.float32)
    (found,) = session.run(["alpha"], {"plate": plate})
    assert np.abs(found - reference_any_size(network, plate, None, multiple_of=32)).max() < 1e-5


@pytest.mark.parametrize(("multiple_of", "before"), [(1, 16), (8, 16), (32, 32)])
def test_the_border_is_whole_steps(multiple_of: int, before: int) -> None:
    assert padding_before(multiple_of) == before
