"""ViTMatte's supervised total."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from gossamer.losses.gradient import gradient_penalty
from gossamer.losses.known import known_l1_loss, unknown_l1_loss
from gossamer.losses.laplacian import laplacian_loss

__all__ = ["ViTMatteLoss", "ViTMatteTerms", "vitmatte_loss"]


class ViTMatteTerms(NamedTuple):
    """The loss and its parts; only ``total`` is to be minimised."""

    total: Tensor
    unknown: Tensor
    known: Tensor
    laplacian: Tensor
    gradient: Tensor


def vitmatte_loss(
    prediction: Tensor, target: Tensor, trimap: Tensor, *, reference_side: int | None = None
) -> ViTMatteTerms:
    """Unknown L1, known L1, Laplacian and gradient penalty with weight 1 each (ViTMatte, Yao et al. 2023).

    Args:
        prediction: N 1 H W alpha, after the sigmoid.
        target: N 1 H W, 0..1.
        trimap: N 1 H W of 0, 0.5 and 1.
        reference_side: 512 for the published scale at crops of another size; see
            :func:`gossamer.losses.known.regional_l1_loss`.

    Raises:
        SettingError: a crop too small for the Laplacian pyramid.
    """
    terms = (
        unknown_l1_loss(prediction, target, trimap, reference_side=reference_side),
        known_l1_loss(prediction, target, trimap, reference_side=reference_side),
        laplacian_loss(prediction, target),
        gradient_penalty(prediction, target, trimap, reference_side=reference_side),
    )
    return ViTMatteTerms(sum(terms[1:], terms[0]), *terms)


class ViTMatteLoss(nn.Module):
    """:func:`vitmatte_loss` with its settings."""

    def __init__(self, *, reference_side: int | None = None) -> None:
        super().__init__()
        self.reference_side = reference_side

    def forward(self, prediction: Tensor, target: Tensor, trimap: Tensor) -> ViTMatteTerms:
        return vitmatte_loss(prediction, target, trimap, reference_side=self.reference_side)
