"""ViTMatte's total."""

from __future__ import annotations

import torch
from torch import Tensor

from gossamer.losses import (
    ViTMatteLoss,
    gradient_penalty,
    known_l1_loss,
    laplacian_loss,
    unknown_l1_loss,
    vitmatte_loss,
)


def planes() -> tuple[Tensor, Tensor, Tensor]:
    prediction, target, chance = torch.rand(3, 2, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    return prediction, target, torch.where(chance > 0.7, 1.0, torch.where(chance < 0.3, 0.0, 0.5))


def test_the_total_adds_the_four_terms() -> None:
    prediction, target, trimap = planes()
    terms = vitmatte_loss(prediction, target, trimap)
    expected = (
        unknown_l1_loss(prediction, target, trimap)
        + known_l1_loss(prediction, target, trimap)
        + laplacian_loss(prediction, target)
        + gradient_penalty(prediction, target, trimap)
    )
    torch.testing.assert_close(terms.total, expected)


def test_module_and_function_agree() -> None:
    assert ViTMatteLoss(reference_side=512)(*planes()) == vitmatte_loss(*planes(), reference_side=512)
