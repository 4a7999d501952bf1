"""What the simple losses promise beyond the recorded numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gossamer import losses
from gossamer.errors import SettingError
from gossamer.losses import (
    CompositionLoss,
    GfmLaplacianLoss,
    GradientPenalty,
    KnownL1Loss,
    LaplacianLoss,
    MultiscaleLoss,
    UnknownL1Loss,
    composition_loss,
    gfm_laplacian_loss,
    gradient_penalty,
    known_l1_loss,
    laplacian_loss,
    multiscale_loss,
    unknown_l1_loss,
)

SIDE = 64


def planes(batch: int = 2, side: int = SIDE) -> tuple[Tensor, Tensor, Tensor]:
    """Prediction, target, trimap."""
    generator = torch.Generator().manual_seed(3)
    prediction, target, chance = torch.rand(3, batch, 1, side, side, generator=generator)
    trimap = torch.where(target > 0.7, 1.0, torch.where(target < 0.3, 0.0, 0.5))
    return prediction, torch.where(trimap == 0.5, chance, trimap), trimap


REGIONAL: list[Callable[..., Tensor]] = [unknown_l1_loss, gradient_penalty, multiscale_loss]
PAIRS: list[tuple[nn.Module, Callable[..., Tensor]]] = [
    (UnknownL1Loss(reference_side=512), lambda p, a, t: unknown_l1_loss(p, a, t, reference_side=512)),
    (KnownL1Loss(reference_side=512), lambda p, a, t: known_l1_loss(p, a, t, reference_side=512)),
    (
        GradientPenalty(smoothness=0.1, reference_side=512),
        lambda p, a, t: gradient_penalty(p, a, t, smoothness=0.1, reference_side=512),
    ),
    (LaplacianLoss(3), lambda p, a, t: laplacian_loss(p, a, t, 3)),
    (GfmLaplacianLoss(3), lambda p, a, t: gfm_laplacian_loss(p, a, t, 3)),
    (MultiscaleLoss(scales=2), lambda p, a, t: multiscale_loss(p, a, t, scales=2)),
    (
        CompositionLoss(),
        lambda p, a, t: composition_loss(p, a.expand(-1, 3, -1, -1), t.expand(-1, 3, -1, -1), a.expand(-1, 3, -1, -1)),
    ),
]


@pytest.mark.parametrize(("module", "function"), PAIRS, ids=lambda value: type(value).__name__)
def test_module_and_function_agree(module: nn.Module, function: Callable[..., Tensor]) -> None:
    prediction, target, trimap = planes()
    if isinstance(module, CompositionLoss):
        colors = [value.expand(-1, 3, -1, -1) for value in (target, trimap, target)]
        assert module(prediction, *colors) == function(prediction, target, trimap)
        return
    assert module(prediction, target, trimap) == function(prediction, target, trimap)


@pytest.mark.parametrize("loss", [known_l1_loss, laplacian_loss, gfm_laplacian_loss, *REGIONAL])
def test_a_perfect_matte_costs_next_to_nothing(loss: Callable[..., Tensor]) -> None:
    _, target, trimap = planes()
    assert loss(target, target, trimap) == pytest.approx(0, abs=3e-3 if loss is multiscale_loss else 3e-2)


@pytest.mark.parametrize("loss", [laplacian_loss, *REGIONAL])
def test_a_region_without_pixels_costs_nothing(loss: Callable[..., Tensor]) -> None:
    prediction, target, trimap = planes()
    prediction.requires_grad_()
    value = loss(prediction, target, torch.zeros_like(trimap))
    assert value == 0
    value.backward()  # type: ignore[no-untyped-call]
    assert prediction.grad is not None
    assert torch.isfinite(prediction.grad).all()


@pytest.mark.parametrize("loss", [unknown_l1_loss, multiscale_loss])
def test_known_pixels_do_not_count(loss: Callable[..., Tensor]) -> None:
    prediction, target, trimap = planes()
    wrong = torch.where(trimap == 0.5, prediction, 1 - target)
    scales = {"scales": 1} if loss is multiscale_loss else {}
    assert loss(wrong, target, trimap, **scales) == loss(prediction, target, trimap, **scales)


@pytest.mark.parametrize("loss", [known_l1_loss, laplacian_loss, gfm_laplacian_loss, *REGIONAL])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(loss: Callable[..., Tensor], dtype: torch.dtype) -> None:
    prediction, target, trimap = planes()
    prediction = prediction.to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(prediction, target, trimap)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(prediction.float(), target, trimap))


def test_float64_stays_float64() -> None:
    prediction, target, trimap = (value.double() for value in planes())
    assert laplacian_loss(prediction, target, trimap).dtype == torch.float64


def test_the_mean_over_a_region_does_not_depend_on_its_size() -> None:
    trimap = torch.zeros(1, 1, SIDE, SIDE)
    trimap[..., :8, :8] = 0.5
    small = unknown_l1_loss(torch.full_like(trimap, 0.25), torch.zeros_like(trimap), trimap)
    trimap[:] = 0.5
    assert small == unknown_l1_loss(torch.full_like(trimap, 0.25), torch.zeros_like(trimap), trimap) == 0.25


def test_weights_of_one_leave_the_laplacian_loss_as_it_is() -> None:
    prediction, target, _ = planes()
    torch.testing.assert_close(
        laplacian_loss(prediction, target, torch.ones(2, 1, 1, 1)), laplacian_loss(prediction, target)
    )


def test_odd_sizes_lose_their_last_row() -> None:
    prediction, target, _ = planes(side=SIDE + 1)
    torch.testing.assert_close(
        laplacian_loss(prediction, target), laplacian_loss(prediction[..., :SIDE, :SIDE], target[..., :SIDE, :SIDE])
    )


def test_the_laplacian_loss_weighs_only_where_it_is_told() -> None:
    prediction, target, _ = planes()
    weight = torch.zeros_like(target)
    weight[..., : SIDE // 4] = 1
    changed = prediction.clone()
    changed[..., SIDE - 4 :] = 0
    # One level reaches five pixels, far from the changed ones.
    assert laplacian_loss(changed, target, weight, 1) == laplacian_loss(prediction, target, weight, 1)


@pytest.mark.parametrize("loss", [laplacian_loss, gfm_laplacian_loss])
@pytest.mark.parametrize(("side", "levels"), [(SIDE // 4, 5), (SIDE, 0)])
def test_too_small_a_crop_for_the_pyramid_is_refused(loss: Callable[..., Tensor], side: int, levels: int) -> None:
    prediction, target, _ = planes(side=side - 2)
    with pytest.raises(SettingError, match=f"Laplacian loss of {levels} levels needs.*this crop is {side - 2}x"):
        loss(prediction, target, None, levels)


@pytest.mark.parametrize("scales", [0, 6])
def test_too_small_a_crop_for_the_scales_is_refused(scales: int) -> None:
    with pytest.raises(SettingError, match=f"loss of {scales} scales needs.*this crop is 16x16"):
        multiscale_loss(*planes(side=16), scales=scales)


def test_overshooting_a_solid_pixel_is_no_error() -> None:
    target = torch.ones(1, 1, 16, 16)
    trimap = torch.full_like(target, 0.5)
    exact, beyond = (multiscale_loss(torch.full_like(target, value), target, trimap) for value in (1.0, 1.5))
    assert exact == beyond


def test_the_composition_loss_adds_the_channels() -> None:
    ones, zeros = torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    half = torch.full((1, 1, 4, 4), 0.5)
    assert composition_loss(half, ones, zeros, zeros) == pytest.approx(1.5)


def test_the_composition_loss_counts_where_it_is_told() -> None:
    ones, zeros = torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    alpha, weight = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    alpha[..., :2], weight[..., 3:] = 1, 1
    assert composition_loss(alpha, ones, zeros, zeros, weight) == pytest.approx(0, abs=1e-6)
    assert composition_loss(alpha, ones, zeros, zeros, torch.zeros_like(weight)) == 0


def test_every_public_name_is_there() -> None:
    assert sorted(losses.__all__) == losses.__all__
    assert all(hasattr(losses, name) for name in losses.__all__)
