"""A network becomes a sound ONNX graph, or the reason why not is given."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from gossamer.errors import MissingDependencyError, ModelError
from gossamer.models.registry import create_model
from gossamer_export.onnx import check_graph, write_onnx


def test_a_written_file_is_sound_and_alone(tiny: nn.Module, tmp_path: Path) -> None:
    write_onnx(tiny, tmp_path / "tiny.onnx", multiple_of=32)
    check_graph(tmp_path / "tiny.onnx")
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.onnx"]


def test_names_and_free_sizes_are_the_products(tiny: nn.Module, tmp_path: Path) -> None:
    write_onnx(tiny, tmp_path / "tiny.onnx", multiple_of=32)
    session = onnxruntime.InferenceSession(str(tmp_path / "tiny.onnx"), providers=["CPUExecutionProvider"])
    assert [(entry.name, entry.shape) for entry in session.get_inputs()] == [
        ("plate", ["n", 3, "h", "w"]),
        ("trimap", ["n", 1, "h", "w"]),
    ]
    assert [entry.name for entry in session.get_outputs()] == ["alpha"]


def test_a_trimap_free_network_takes_the_plate_alone(registered: None, tmp_path: Path) -> None:
    write_onnx(create_model("tiny-free"), tmp_path / "free.onnx", multiple_of=32, needs_trimap=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "free.onnx"), providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == ["plate"]
    (alpha,) = session.run(["alpha"], {"plate": np.zeros((2, 3, 64, 32), np.float32)})
    assert alpha.shape == (2, 1, 64, 32)


def test_a_graph_that_breaks_the_rules_is_refused(tiny: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    write_onnx(tiny, path, multiple_of=32)
    model = onnx.load(str(path))
    model.graph.node[0].input[0] = "nowhere"
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match=r"tiny\.onnx is not a sound ONNX graph: .*nowhere"):
        check_graph(path)


def test_a_network_that_cannot_be_expressed_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    class Strange(nn.Module):
        def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
            values: Tensor = torch.linalg.eigvals(plate[..., :32, :32])
            return values.real + trimap.mean()

    with pytest.raises(ModelError, match="The network cannot be written as ONNX"):
        write_onnx(Strange(), tmp_path / "strange.onnx", multiple_of=32)
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_extra_is_named(tiny: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"gossamer-matting\[export\]"):
        write_onnx(tiny, tmp_path / "tiny.onnx", multiple_of=32)
