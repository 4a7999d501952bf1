"""Promises that every registered network keeps. A new one gets these tests by being registered.

The largest networks run with ``-m slow``; random weights throughout, since the promises do not depend on training.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gossamer.models.registry import ModelEntry, create_model, list_models, model_entry

SLOW = ("gfm-r101", "gfm-r34-2b", "vitmatte-b", "gfm-r34-rim", "gfm-d121-ft", "gfm-d121-bt")
"""Beginnings of names. The first three have 97 to 497 million parameters: building one takes longer than its tests. Of
the others every part is tested in another combination."""

NEVER_REACHED: dict[str, tuple[str, ...]] = {}
"""By network: parameters that take no part in any output. Networks here leave out what upstream stores and never reads
(ImageNet classifiers, the 7x7 stem and psp1 of GFM r34-2b, DenseNet's last norm), so there are none."""

NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name.startswith(SLOW) else [], id=name) for name in list_models()
]


@pytest.fixture(scope="module", params=NAMES)
def built(request: pytest.FixtureRequest) -> tuple[ModelEntry, Any]:
    """A network in eval mode, none of its parameters all zero (several start as the identity that way)."""
    name: str = request.param
    torch.manual_seed(0)
    network: nn.Module = create_model(name)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1 or not parameter.any():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model_entry(name), network.eval()


def _pictures(entry: ModelEntry, batch: int, height: int, width: int) -> tuple[Tensor, ...]:
    """A smooth random plate, and the trimap that the network needs: a third each of 0, 0.5 and 1."""
    random = torch.Generator().manual_seed(1)
    coarse = torch.rand(batch, 3, 6, 6, generator=random)
    plate = nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    if not entry.needs_trimap:
        return (plate,)
    return plate, _trimap(batch, height, width)


def _trimap(batch: int, height: int, width: int) -> Tensor:
    columns = torch.arange(width) * 3 // width / 2
    return columns.expand(batch, 1, height, width).clone()


def _mostly_equal(a: Tensor, b: Tensor) -> bool:
    """Within 1e-4 at 99 of 100 pixels: GFM takes an argmax, where rounding may decide."""
    return bool((torch.abs(a - b) < 1e-4).float().mean() > 0.99)


@torch.no_grad()
def test_a_batch_gives_a_matte_for_each_plate_between_zero_and_one(built: tuple[ModelEntry, Any]) -> None:
    entry, network = built
    alpha = network.forward_matte(*_pictures(entry, 2, 64, 96))
    assert alpha.shape == (2, 1, 64, 96)
    assert alpha.dtype == torch.float32
    assert alpha.isfinite().all()
    assert alpha.min() >= 0
    assert alpha.max() <= 1


@torch.no_grad()
def test_each_of_a_batch_is_what_it_is_alone(built: tuple[ModelEntry, Any]) -> None:
    entry, network = built
    inputs = _pictures(entry, 2, 64, 64)
    together = network.forward_matte(*inputs)
    alone = network.forward_matte(*(value[1:] for value in inputs))
    assert _mostly_equal(together[1:], alone)


@torch.no_grad()
def test_every_size_that_the_registry_allows_is_taken(built: tuple[ModelEntry, Any]) -> None:
    entry, network = built
    step = entry.multiple_of
    for rows, columns in ((1, 1), (1, 3), (3, 2)):
        alpha = network.forward_matte(*_pictures(entry, 1, rows * step, columns * step))
        assert alpha.shape == (1, 1, rows * step, columns * step)
        assert alpha.isfinite().all()


@torch.no_grad()
def test_known_pixels_are_obeyed(built: tuple[ModelEntry, Any]) -> None:
    entry, network = built
    plate = _pictures(entry, 1, 64, 96)[0]
    trimap = _trimap(1, 64, 96)
    alpha = network.forward_matte(plate, trimap)
    assert (alpha[trimap == 1] == 1).all()
    assert (alpha[trimap == 0] == 0).all()


@torch.no_grad()
def test_the_same_input_gives_the_same_matte(built: tuple[ModelEntry, Any]) -> None:
    entry, network = built
    inputs = _pictures(entry, 1, 64, 64)
    assert torch.equal(network.forward_matte(*inputs), network.forward_matte(*inputs))


@torch.no_grad()
def test_bfloat16_weights_give_a_matte(built: tuple[ModelEntry, Any]) -> None:
    entry, network = built
    inputs = [value.to(torch.bfloat16) for value in _pictures(entry, 1, 64, 64)]
    alpha = copy.deepcopy(network).to(torch.bfloat16).forward_matte(*inputs)
    assert alpha.shape == (1, 1, 64, 64)
    assert alpha.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_a_matte(built: tuple[ModelEntry, Any], dtype: torch.dtype) -> None:
    entry, network = built
    with torch.autocast("cpu", dtype):
        alpha = network.forward_matte(*_pictures(entry, 1, 64, 64))
    assert alpha.isfinite().all()


def _tensors(answer: Any) -> Iterator[Tensor]:
    if isinstance(answer, Tensor):
        yield answer
    else:
        for part in answer:
            yield from _tensors(part)


def test_gradients_reach_every_parameter(built: tuple[ModelEntry, Any]) -> None:
    entry, network = built
    random = torch.Generator().manual_seed(2)
    total = torch.zeros(())
    for output in _tensors(network(*_pictures(entry, 2, 64, 64))):
        total = total + (output * torch.rand(output.shape, generator=random)).sum()
    total.backward()  # type: ignore[no-untyped-call]
    unreached = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    network.zero_grad(set_to_none=True)
    assert unreached == list(NEVER_REACHED.get(entry.name, ()))
