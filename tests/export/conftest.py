"""A network small enough to export in a moment, and a run of it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gossamer.models import registry
from gossamer.models.registry import ModelEntry
from gossamer.training.averaging import WeightAverage
from gossamer.training.checkpoint import save_checkpoint
from gossamer.training.recipe import Recipe


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


@pytest.fixture
def make_run(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes the folder of a run of ``tiny``; changes go into the recipe."""
    entry = ModelEntry("tiny", family="test", needs_trimap=True, multiple_of=32, margin=2, build=Tiny)
    monkeypatch.setitem(registry._entries, "tiny", entry)

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
