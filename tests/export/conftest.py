"""A network small enough to export in a moment, a run of it, its weights; and the default network's artifacts."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gossamer.models import registry
from gossamer.models.registry import ModelEntry
from gossamer.models.weights import Manifest, save_weights
from gossamer.training.averaging import WeightAverage
from gossamer.training.checkpoint import save_checkpoint
from gossamer.training.recipe import Recipe
from gossamer_export.export import export
from gossamer_export.onnx import write_onnx
from gossamer_export.settings import ExportSettings


class Tiny(nn.Module):
    """Two convolutions; the product's contract in ``forward_matte``."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 3, 1, 1))

    def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
        alpha = self.body(torch.cat([plate, trimap], 1)).clamp(0, 1)
        return torch.where(trimap > 0.75, 1.0, torch.where(trimap < 0.25, 0.0, alpha))


@pytest.fixture
def tiny() -> Tiny:
    """The network, with weights that give alpha in the middle of its range."""
    torch.manual_seed(3)
    network = Tiny().eval()
    nn.init.constant_(network.body[3].bias, 0.5)  # type: ignore[arg-type]
    return network


class TinyFree(nn.Module):
    """Trimap-free."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 1, 3, 1, 1))

    def forward_matte(self, plate: Tensor, trimap: Tensor | None = None) -> Tensor:
        alpha: Tensor = self.body(plate).sigmoid()
        return alpha


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """``tiny`` and ``tiny-free`` are networks like any other."""
    for name, needs_trimap, build in (("tiny", True, Tiny), ("tiny-free", False, TinyFree)):
        entry = ModelEntry(name, family="test", needs_trimap=needs_trimap, multiple_of=32, margin=2, build=build)
        monkeypatch.setitem(registry._entries, name, entry)


@pytest.fixture
def make_weights(registered: None, tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of weights; ``graph_of``: they also hold an ONNX file, that of this network."""

    def make(network: nn.Module, name: str = "tiny", *, graph_of: nn.Module | None = None) -> Path:
        folder = tmp_path / "weights"
        folder.mkdir()
        extra = {}
        if graph_of is not None:
            extra["onnx"] = folder / "mine.onnx"
            write_onnx(graph_of, extra["onnx"], multiple_of=32)
        entry = registry.model_entry(name)
        manifest = Manifest("mine", name, "test", "CC0-1.0", 1, entry.needs_trimap, 32, 2, {}, training={"seed": 5})
        save_weights(network, folder, manifest, extra_files=extra)
        return folder

    return make


@pytest.fixture(scope="session")
def default_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped default exported in fp32, self-contained, and in fp16: once for all tests."""
    folder = tmp_path_factory.mktemp("artifacts")
    export(ExportSettings("gossamer-s", self_contained=True), folder)
    export(ExportSettings("gossamer-s", precision="fp16"), folder)
    return folder


@pytest.fixture
def make_run(tmp_path: Path, tiny: Tiny, registered: None) -> Callable[..., Path]:
    """Writes the folder of a run of ``tiny``; changes go into the recipe."""

    def make(**changes: Any) -> Path:
        values: dict[str, Any] = {
            "name": "test", "model": "tiny", "seed": 5, "steps": 4, "batch": 2, "size": 64, "learning_rate": 1e-2,
        }  # fmt: skip
        recipe = Recipe(**{**values, **changes})
        folder = tmp_path / "run"
        average = WeightAverage(tiny, 0.9).checkpoint()
        state: dict[str, Any] = {"recipe": dataclasses.asdict(recipe), "step": 4, "samples": 8}
        save_checkpoint(folder, {**state, "model": tiny.state_dict(), "optimizer": {}, "average": average})
        return folder

    return make
