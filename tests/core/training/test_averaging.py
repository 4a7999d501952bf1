"""The moving average of the weights."""

import torch
from torch import nn

from gossamer.training.averaging import WeightAverage


def constant(value: float) -> nn.BatchNorm2d:
    model = nn.BatchNorm2d(2)
    nn.init.constant_(model.weight, value)
    return model


def test_the_random_start_is_forgotten_at_once() -> None:
    average = WeightAverage(constant(100.0), 0.999)
    for _ in range(30):
        average.update(constant(1.0))
    assert average.state_dict()["weight"].max() < 1.01


def test_later_the_decay_is_the_one_asked_for() -> None:
    model = constant(0.0)
    average = WeightAverage(model, 0.5)
    for _ in range(50):
        average.update(model)
    average.update(constant(1.0))
    torch.testing.assert_close(average.state_dict()["weight"], torch.full((2,), 0.5))


def test_counters_are_copied_not_averaged() -> None:
    model = constant(1.0)
    average = WeightAverage(model, 0.9)
    model(torch.rand(2, 2, 4, 4))
    average.update(model)
    assert average.state_dict()["num_batches_tracked"] == 1


def test_the_average_is_a_copy() -> None:
    model = constant(1.0)
    average = WeightAverage(model, 0.9)
    nn.init.constant_(model.weight, 7.0)
    assert average.state_dict()["weight"].max() == 1


def test_a_restored_average_goes_on_exactly() -> None:
    first = WeightAverage(constant(3.0), 0.99)
    for value in (1.0, 2.0):
        first.update(constant(value))
    second = WeightAverage(constant(0.0), 0.99)
    second.restore(first.checkpoint())
    for average in (first, second):
        average.update(constant(5.0))
    assert torch.equal(first.state_dict()["weight"], second.state_dict()["weight"])
