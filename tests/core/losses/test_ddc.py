"""Training without alpha labels: the consistency loss against recorded values and against a plain computation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gossamer.errors import SettingError
from gossamer.losses import ddc
from gossamer.losses.ddc import DdcLoss, Padding, ddc_loss

UPSTREAM_FACTOR = 10
"""The published code's weight of the loss is part of the recorded value."""


def pictures(batch: int = 2, height: int = 20, width: int = 24) -> tuple[Tensor, Tensor]:
    """A prediction and an image without ties."""
    generator = torch.Generator().manual_seed(11)
    prediction = torch.rand(batch, 1, height, width, generator=generator)
    return prediction, torch.rand(batch, 3, height, width, generator=generator)


def plain(prediction: Tensor, image: Tensor, window: int, neighbours: int, padding: Padding) -> Tensor:
    """The loss by unfolding everything and leaving the gradient to autograd."""
    half = window // 2
    batch, _, height, width = image.shape

    def unfold(x: Tensor, fill: float) -> Tensor:
        x = F.pad(x, (half,) * 4, value=fill)
        return F.unfold(x, window).view(batch, -1, window * window, height, width)

    outside = float("inf") if padding == "exclude" else 0.0
    distance = (unfold(image, outside) - image[:, :, None]).square().sum(dim=1).sqrt()
    nearest = distance.topk(neighbours, dim=1, largest=False)
    partner = unfold(prediction, 0.0)[:, 0].gather(1, nearest.indices)
    pairs = (prediction - partner - nearest.values).abs()
    return pairs[nearest.values.isfinite()].mean()


def gradient_of(loss: Callable[[Tensor], Tensor], prediction: Tensor) -> tuple[Tensor, Tensor]:
    prediction = prediction.clone().requires_grad_()
    value = loss(prediction)
    value.backward()  # type: ignore[no-untyped-call]
    assert prediction.grad is not None
    return value.detach(), prediction.grad


def test_with_upstream_padding_value_and_gradient_are_the_recorded_ones(recorded: Callable[[str], Any]) -> None:
    case = recorded("ops_ddc")
    image = case.inputs["image"][None]
    case.check(
        lambda p: UPSTREAM_FACTOR * ddc_loss(p, image, padding="zeros"),
        case.plane("alpha"),
        "consistency_loss",
        "grad_consistency",
    )


@pytest.mark.parametrize("padding", ["exclude", "zeros"])
@pytest.mark.parametrize(("window", "neighbours"), [(11, 11), (5, 7), (3, 9)])
def test_chunks_agree_with_the_plain_computation(
    monkeypatch: pytest.MonkeyPatch, padding: Padding, window: int, neighbours: int
) -> None:
    prediction, image = pictures()
    # Three rows at a time, the last chunk smaller.
    monkeypatch.setitem(ddc.CHUNK_ELEMENTS, "cpu", window**2 * image.shape[-1] * 3)
    ours = gradient_of(lambda p: ddc_loss(p, image, window=window, neighbours=neighbours, padding=padding), prediction)
    theirs = gradient_of(lambda p: plain(p, image, window, neighbours, padding), prediction)
    torch.testing.assert_close(ours, theirs)


def test_neighbours_outside_the_picture_are_left_out() -> None:
    # A dark subject that touches the border: upstream's black surroundings of alpha 0 are its nearest colours.
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 0.01
    solid = torch.ones(1, 1, 16, 16)
    _, excluded = gradient_of(lambda p: ddc_loss(p, image), solid)
    _, padded = gradient_of(lambda p: ddc_loss(p, image, padding="zeros"), solid)
    assert padded[..., 0].abs().sum() > excluded[..., 0].abs().sum()
    assert ddc_loss(solid, image) < ddc_loss(solid, image, padding="zeros")


def test_a_mutual_pair_is_flat_while_alpha_changes_less_than_colour() -> None:
    image = torch.zeros(1, 3, 1, 2)
    image[..., 1] = 0.5
    for difference, expected in ((0.1, 0.0), (0.95, 1.0)):
        prediction = torch.tensor([[[[0.0, difference]]]])
        _, gradient = gradient_of(lambda p: ddc_loss(p, image, window=3, neighbours=2), prediction)
        assert bool(gradient.abs().sum() > 0) == bool(expected)


def test_a_low_contrast_window_scales_the_difference_of_alphas() -> None:
    # Colours 0.2 apart in each channel, alphas 0 and 1: with |F - B| = 0.2 sqrt(3) the pair is consistent.
    image = torch.zeros(1, 3, 8, 8)
    image[..., 4:] = 0.2
    prediction = (image[:, :1] > 0).float()
    scaled = ddc_loss(prediction, image, window=3, neighbours=9, scale_by_contrast=True)
    assert scaled < 0.5 * ddc_loss(prediction, image, window=3, neighbours=9)


def test_the_contrast_of_a_border_window_ignores_what_is_outside() -> None:
    prediction, image = pictures()
    value, gradient = gradient_of(
        lambda p: ddc_loss(p, image, window=3, neighbours=9, scale_by_contrast=True), prediction
    )
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


def test_the_contrast_variant_has_the_gradient_of_its_value() -> None:
    prediction, image = (value.double() for value in pictures(1, 7, 6))
    prediction.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p: ddc_loss(p, image, window=3, neighbours=4, scale_by_contrast=True), (prediction,)
    )


def test_half_precision_is_computed_in_float32() -> None:
    prediction, image = pictures()
    half = prediction.half()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradient = gradient_of(lambda p: ddc_loss(p, image), half)
    assert (value.dtype, gradient.dtype) == (torch.float32, torch.float16)
    torch.testing.assert_close(value, ddc_loss(half.float(), image))


def test_module_and_function_agree() -> None:
    prediction, image = pictures()
    module = DdcLoss(window=5, neighbours=4, padding="zeros", scale_by_contrast=True)
    assert module(prediction, image) == ddc_loss(
        prediction, image, window=5, neighbours=4, padding="zeros", scale_by_contrast=True
    )


@pytest.mark.parametrize("window", [1, 4])
def test_an_even_window_is_refused(window: int) -> None:
    with pytest.raises(SettingError, match=f"odd number of at least 3 pixels, not {window}"):
        ddc_loss(*pictures(), window=window)


@pytest.mark.parametrize("neighbours", [1, 10])
def test_more_neighbours_than_the_window_holds_are_refused(neighbours: int) -> None:
    with pytest.raises(SettingError, match=f"2 to 9 pixels of a window of 3, not with {neighbours}"):
        ddc_loss(*pictures(), window=3, neighbours=neighbours)


def test_an_image_of_another_size_is_refused() -> None:
    prediction, image = pictures()
    with pytest.raises(SettingError, match="an image for each matte"):
        ddc_loss(prediction, image[..., 1:])
