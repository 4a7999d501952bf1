"""The file for Nuke answers as the network does, at any size, in both precisions, on any device."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gossamer.errors import ModelError
from gossamer.image.color import LINEAR, to_display
from gossamer.models.registry import model_entry
from gossamer_export.torchscript import operators, write_torchscript

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


def _plate(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def _trimap(height: int, width: int) -> Tensor:
    return (torch.arange(width) * 3 // width / 2).expand(1, 1, height, width).clone()


def _written(network: nn.Module, folder: Path, *, name: str = "tiny", half: bool = False) -> Any:
    path = folder / "file.pt"
    write_torchscript(network, path, model_entry(name), half=half)
    module = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    module.scene_linear = 0
    return module


def _padded(network: nn.Module, plate: Tensor, trimap: Tensor) -> Tensor:
    """The network's answer with 32 reflected pixels around the picture, whose sides are multiples of 32."""
    border = (32, 32, 32, 32)
    taken = (nn.functional.pad(value, border, mode="reflect") for value in (plate, trimap))
    return network.forward_matte(*taken)[..., 32:-32, 32:-32]  # type: ignore[no-any-return, operator]


@torch.no_grad()
def test_the_file_answers_as_the_network_does(registered: None, tiny: nn.Module, tmp_path: Path) -> None:
    plate, trimap = _plate(64, 96), _trimap(64, 96)
    found = _written(tiny, tmp_path)(torch.cat([plate, trimap], 1))
    assert torch.allclose(found, _padded(tiny, plate, trimap), atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 65), (70, 31)])
def test_any_size_is_taken(registered: None, tiny: nn.Module, tmp_path: Path, height: int, width: int) -> None:
    found = _written(tiny, tmp_path)(torch.cat([_plate(height, width), torch.full((1, 1, height, width), 0.5)], 1))
    assert found.shape == (1, 1, height, width)
    assert found.isfinite().all()


@torch.no_grad()
def test_tiles_give_what_one_pass_gives(registered: None, tiny: nn.Module, tmp_path: Path) -> None:
    module = _written(tiny, tmp_path)
    taken = torch.cat([_plate(200, 150), torch.full((1, 1, 200, 150), 0.5)], 1)
    module.tile = 0
    whole = module(taken)
    module.tile = 64
    assert torch.allclose(module(taken), whole, atol=1e-6)


@torch.no_grad()
def test_half_weights_and_a_host_in_half_precision_give_the_same_matte(
    registered: None, tiny: nn.Module, tmp_path: Path
) -> None:
    plate, trimap = _plate(64, 96), _trimap(64, 96)
    expected = _padded(tiny, plate, trimap)
    taken = torch.cat([plate, trimap], 1)
    assert torch.allclose(_written(tiny, tmp_path, half=True)(taken), expected, atol=5e-3)
    module = _written(tiny, tmp_path).half()
    found = module(taken.half())
    assert found.dtype == torch.float16
    assert torch.allclose(found.float(), expected, atol=5e-3)


@torch.no_grad()
def test_scene_linear_plates_are_seen_as_the_product_sees_them(
    registered: None, tiny: nn.Module, tmp_path: Path
) -> None:
    linear = _plate(64, 96) * 6 - 0.5
    linear[0, 0, 10, 40], linear[0, 1, 10, 41] = torch.nan, torch.inf
    shown = torch.from_numpy(to_display(linear[0].permute(1, 2, 0).numpy(), LINEAR)).permute(2, 0, 1)[None]
    module = _written(tiny, tmp_path)
    trimap = _trimap(64, 96)
    expected = module(torch.cat([shown, trimap], 1))
    module.scene_linear = 1
    assert torch.allclose(module(torch.cat([linear, trimap], 1)), expected, atol=1e-3)


@torch.no_grad()
def test_known_pixels_are_obeyed_and_a_broken_trimap_is_unknown(
    registered: None, tiny: nn.Module, tmp_path: Path
) -> None:
    trimap = torch.tensor([0.0, 0.04, 0.5, torch.nan, 0.96, 1.0]).repeat(11)[:64].expand(1, 1, 64, 64)
    found = _written(tiny, tmp_path)(torch.cat([_plate(64, 64), trimap], 1))
    assert (found[..., trimap[0, 0, 0] <= 0.05] == 0).all()
    assert (found[..., trimap[0, 0, 0] >= 0.95] == 1).all()
    assert (found[..., trimap[0, 0, 0].isnan()] > 0).all()


@torch.no_grad()
def test_a_network_without_trimap_takes_three_channels(registered: None, tmp_path: Path) -> None:
    network = model_entry("tiny-free").build().eval()
    plate = _plate(64, 64)
    found = _written(network, tmp_path, name="tiny-free")(plate)
    border = nn.functional.pad(plate, (32, 32, 32, 32), mode="reflect")
    expected = network.forward_matte(border)[..., 32:-32, 32:-32]  # type: ignore[operator]
    assert torch.allclose(found, expected, atol=1e-6)


class _OnItsDevice(nn.Module):
    """Makes tensors where the plate is, and pads: a trace writes the device of its example down."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
        steps = torch.arange(plate.shape[-1], device=plate.device, dtype=plate.dtype)
        padded = nn.functional.pad(plate[:, :1], (1, 1, 0, 0))[..., 1:-1]
        return self.scale * padded * steps / steps.amax() + 0 * trimap


def _constants(block: Any) -> list[Any]:
    found = []
    for node in block.nodes():
        if node.kind() == "prim::Constant":
            found.append((str(node.output().type()), node.output().toIValue()))
        for inner in node.blocks():
            found += _constants(inner)
    return found


def test_nothing_in_the_graph_names_a_device_or_half_precision(registered: None, tmp_path: Path) -> None:
    module = _written(_OnItsDevice(), tmp_path)
    constants = _constants(module.matte.graph)
    assert constants
    assert not [value for kind, value in constants if kind == "Device"]
    assert not [value for _kind, value in constants if isinstance(value, Tensor) and value.ndim]


def test_operators_that_old_torch_lacks_are_replaced(registered: None, tmp_path: Path) -> None:
    _written(_OnItsDevice(), tmp_path)
    names = {schema.split("(")[0] for schema in operators(tmp_path / "file.pt")}
    assert "aten::constant_pad_nd" in names
    assert "aten::pad" not in names


def test_every_operator_is_kept_apart_from_the_next_so_that_no_fuser_compiles_them(
    registered: None, tiny: nn.Module, tmp_path: Path
) -> None:
    graph = _written(tiny, tmp_path).matte.graph
    for node in graph.nodes():
        if node.kind().startswith("aten::") and node.kind() != "aten::detach" and str(node.output().type()) == "Tensor":
            assert {use.user.kind() for use in node.output().uses()} == {"aten::detach"}


class _WithConstant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
        colors = torch.tensor([0.2, 0.7, 0.1]).to(plate).view(1, 3, 1, 1)
        return (plate * colors).sum(1, keepdim=True) * self.scale + 0 * trimap


def test_a_network_with_constant_tensors_is_refused(registered: None, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="make them buffers of the network"):
        _written(_WithConstant(), tmp_path)
    assert not list(tmp_path.iterdir())


@torch.no_grad()
def test_the_default_network_in_half_precision_keeps_its_prior_exact(tmp_path: Path) -> None:
    torch.manual_seed(0)
    entry = model_entry("gossamer-s")
    network = entry.build().eval()
    plate, trimap = nn.functional.avg_pool2d(_plate(96, 128), 9, 1, 4), _trimap(96, 128)
    expected = _padded(network, plate, trimap)
    path = tmp_path / "file.pt"
    write_torchscript(network, path, entry, half=True)
    module = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    module.scene_linear = 0
    error = np.abs(module(torch.cat([plate, trimap], 1)).numpy() - expected.numpy())
    assert error.max() < 1e-3
