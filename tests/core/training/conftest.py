"""A network and samples small enough to train in a moment."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gossamer.data.synthetic import Sample, SampleGenerator, SyntheticSettings
from gossamer.models import registry
from gossamer.models.registry import ModelEntry
from gossamer.training import loop
from gossamer.training.recipe import Recipe
from gossamer.training.settings import TrainingSettings

SMALL: dict[str, Any] = {"element_size": 128, "window": 4}


class Tiny(nn.Module):
    """A few convolutions with a normalisation, which keeps running statistics, and dropout, which draws numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(4, 12, 3, 1, 1), nn.BatchNorm2d(12), nn.ReLU(), nn.Dropout2d(0.2),
            nn.Conv2d(12, 12, 3, 1, 1), nn.ReLU(), nn.Conv2d(12, 1, 3, 1, 1),
        )  # fmt: skip

    def forward(self, plate: Tensor, trimap: Tensor) -> Tensor:
        alpha: Tensor = self.body(torch.cat([plate, trimap], 1))
        return alpha

    def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
        return torch.where(trimap == 0.5, self.forward(plate, trimap).clamp(0, 1), trimap)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """The network's name, registered for one test."""
    entry = ModelEntry("tiny", family="test", needs_trimap=True, multiple_of=32, margin=3, build=Tiny)
    monkeypatch.setitem(registry._entries, "tiny", entry)
    return "tiny"


@pytest.fixture
def make_recipe(tiny: str) -> Callable[..., Recipe]:
    """A run of 6 steps on procedural samples, with what the test changes."""

    def make(**changes: Any) -> Recipe:
        values: dict[str, Any] = {
            "name": "test", "model": tiny, "seed": 5, "steps": 6, "batch": 2, "size": 64, "learning_rate": 1e-2,
            "precision": "32-true", "data": SMALL,
        }  # fmt: skip
        return Recipe(**{**values, **changes})

    return make


@pytest.fixture
def make_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TrainingSettings]]:
    """One CPU thread, samples made in the process itself, ``tmp_path/run`` unless the test names another folder."""
    # The other tests of this process are to keep their allocator and threads.
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: None)
    threads = torch.get_num_threads()

    def make(folder: str = "run", **changes: Any) -> TrainingSettings:
        return TrainingSettings(output=tmp_path / folder, **{"device": "cpu", "workers": 0, "threads": 1, **changes})

    yield make
    torch.set_num_threads(threads)


class Repeating(SampleGenerator):
    """Two samples, over and over; ``broken`` are the numbers of those whose foreground is NaN."""

    def __init__(self, broken: range = range(0)) -> None:
        super().__init__(SyntheticSettings(size=64, **SMALL), 1)
        self._samples = [super(Repeating, self).sample(index) for index in range(2)]
        self._broken = broken

    def sample(self, index: int) -> Sample:
        sample = self._samples[index % 2]
        if index in self._broken:
            return Sample(
                sample.plate, sample.trimap, sample.alpha * float("nan"), sample.foreground, sample.background
            )
        return sample


@pytest.fixture
def repeat_samples(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Train on two samples over and over, those numbered ``broken`` with NaN for alpha."""

    def patch(broken: range = range(0)) -> None:
        monkeypatch.setattr(loop, "make_pipeline", lambda _recipe, _output: Repeating(broken))

    return patch
