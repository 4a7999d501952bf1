"""The ONNX file answers as the network does, or is refused."""

import sys
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from gossamer.errors import MissingDependencyError, ModelError
from gossamer_export.onnx import check_onnx, write_onnx


def test_a_written_file_answers_as_the_network(tiny: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    write_onnx(tiny, path, multiple_of=32)
    assert check_onnx(path, tiny, multiple_of=32) < 1e-5
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.onnx"]


def test_names_and_free_sizes_are_the_products(tiny: nn.Module, tmp_path: Path) -> None:
    write_onnx(tiny, tmp_path / "tiny.onnx", multiple_of=32)
    session = onnxruntime.InferenceSession(str(tmp_path / "tiny.onnx"), providers=["CPUExecutionProvider"])
    assert [(entry.name, entry.shape) for entry in session.get_inputs()] == [
        ("plate", ["n", 3, "h", "w"]),
        ("trimap", ["n", 1, "h", "w"]),
    ]
    assert [entry.name for entry in session.get_outputs()] == ["alpha"]


@pytest.mark.parametrize("value", [0.9, float("nan")])
def test_a_file_of_other_weights_is_refused_and_removed(tiny: nn.Module, tmp_path: Path, value: float) -> None:
    path = tmp_path / "tiny.onnx"
    write_onnx(tiny, path, multiple_of=32)
    nn.init.constant_(tiny.body[3].bias, value)  # type: ignore[index,union-attr]
    with pytest.raises(ModelError, match=r"answers differently from the network: largest distance .*allowed 1e-04"):
        check_onnx(path, tiny, multiple_of=32)
    assert not path.exists()


class UsesBoth(nn.Module):
    """Keeps the plate among the graph's inputs when ``network`` does not."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
        alpha: Tensor = self.network.forward_matte(plate, trimap)  # type: ignore[operator]
        return alpha + 0 * plate[:, :1]


def test_a_network_that_depends_on_the_traced_size_is_refused(tmp_path: Path) -> None:
    class Frozen(nn.Module):
        def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
            scale: float = plate.detach().numpy().shape[2] / 256
            return trimap * scale

    class Fixed(nn.Module):
        def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
            return trimap + torch.from_numpy(plate[:, :1].detach().numpy())

    for network, message in ((Frozen(), "answers differently"), (Fixed(), "cannot be run as the network can")):
        path = tmp_path / "frozen.onnx"
        whole = UsesBoth(network)
        write_onnx(whole, path, multiple_of=32)
        with pytest.raises(ModelError, match=message):
            check_onnx(path, whole, multiple_of=32)
        assert not path.exists()


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


def test_without_onnxruntime_the_extra_is_named(
    tiny: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"gossamer-matting\[cpu\]"):
        check_onnx(tmp_path / "tiny.onnx", tiny, multiple_of=32)
