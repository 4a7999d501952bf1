"""Networks that answer together, and the runs that learn from them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gossamer.data.sample_settings import SyntheticSamples
from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
from gossamer.errors import ModelError
from gossamer.models.gossamer_s import GossamerS
from gossamer.models.registry import create_model
from gossamer.models.weights import Manifest, save_weights
from gossamer.training.checkpoint import load_checkpoint
from gossamer.training.kept_samples import KeptSamples
from gossamer.training.loop import train
from gossamer.training.preparation import make_pipeline
from gossamer.training.recipe import Recipe
from gossamer.training.settings import TrainingSettings
from gossamer.training.teachers import Teachers


def write_teacher(folder: Path, difference: float) -> str:
    """A network that adds ``difference`` to the prior's alpha everywhere."""
    network = create_model("gossamer-s")
    assert isinstance(network, GossamerS)
    bias = network.head[-1].bias
    assert isinstance(bias, torch.Tensor)
    torch.nn.init.constant_(bias, difference)
    manifest = Manifest(
        name=folder.name, architecture="gossamer-s", family="gossamer", license="test", parameters=0, needs_trimap=True,
        multiple_of=32, margin=48, files={},
    )  # fmt: skip
    save_weights(network, folder, manifest)
    return str(folder)


@pytest.fixture
def opposed(tmp_path: Path) -> tuple[str, str]:
    """One teacher that says 1 nearly everywhere, one that says 0."""
    return write_teacher(tmp_path / "more", 2.0), write_teacher(tmp_path / "less", -2.0)


@pytest.mark.parametrize(("counts", "expected"), [((1, 1), 0.5), ((3, 1), 0.75), ((0, 1), 0.0)])
def test_what_is_learned_is_their_mean_where_the_trimap_does_not_know(
    opposed: tuple[str, str], tmp_path: Path, counts: tuple[int, int], expected: float
) -> None:
    generator = SampleGenerator(SyntheticSettings(size=96, element_size=128, window=2), 3)
    teachers = Teachers([name for name, count in zip(opposed, counts, strict=True) for _ in range(count)])
    taught = KeptSamples(generator, tmp_path / "taught", count=2, size=96, seed=3, teachers=teachers).sample(0)
    true = KeptSamples(generator, tmp_path / "true", count=2, size=96, seed=3).sample(0)
    unknown = taught.trimap == 0.5
    assert unknown.any()
    assert np.abs(taught.alpha[unknown] - expected).max() < 0.003, "each is clamped before the mean is taken"
    assert np.abs(true.alpha[unknown] - expected).max() > 0.2
    assert np.array_equal(taught.alpha[~unknown], true.alpha[~unknown])
    assert np.array_equal(taught.plate, true.plate)


def test_a_run_becomes_like_its_teachers(
    opposed: tuple[str, str], make_recipe: Callable[..., Recipe], make_settings: Callable[..., TrainingSettings]
) -> None:
    def bias(teacher: str) -> float:
        samples = SyntheticSamples(kept=2, canvas=64, teachers=(teacher,))
        recipe = make_recipe(model="gossamer-s", steps=4, ema=0.0, samples=samples)
        state = load_checkpoint(train(recipe, make_settings(Path(teacher).name, checkpoint_minutes=60)))["model"]
        return float(state["head.4.bias"])

    more, less = (bias(teacher) for teacher in opposed)
    assert more > 0.005
    assert less < -0.005


def test_a_teacher_that_is_not_there_stops_the_run_before_it_begins(
    make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    samples = SyntheticSamples(kept=2, canvas=64, teachers=(str(tmp_path / "gone"),))
    with pytest.raises(ModelError, match="gone"):
        make_pipeline(make_recipe(model="gossamer-s", samples=samples), tmp_path)
