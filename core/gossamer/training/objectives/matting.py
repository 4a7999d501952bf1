"""``matting``: what the default recipe minimises."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from gossamer.losses import composition_loss, gradient_penalty, laplacian_loss, multiscale_loss
from gossamer.losses.known import is_unknown
from gossamer.training.loss_settings import LossWeights
from gossamer.training.samples import Batch

__all__ = ["matting_losses", "matting_terms"]


def matting_losses(alpha: Tensor, batch: Batch, weights: LossWeights) -> dict[str, Tensor]:
    """The weighted terms and their ``total``.

    Args:
        alpha: N 1 H W, the network's raw output: neither clamped nor overwritten by the trimap.
        batch: Plate, trimap and the true layers.
        weights: Factor of each term; a term with factor 0 is not computed.

    The trimap's known pixels are enforced in every product, so nothing is learned there: the other terms see the true
    alpha in the known region and, as LSA's loss has it, where the prediction overshoots an opaque or empty pixel.
    """
    alpha = alpha.float()
    unknown = is_unknown(batch.trimap).to(alpha.dtype)
    enforced = torch.where(is_unknown(batch.trimap), alpha, batch.alpha)
    over = ((batch.alpha > 0.999) & (enforced > 1)) | ((batch.alpha < 0.001) & (enforced < 0))
    enforced = torch.where(over, batch.alpha, enforced)
    terms: dict[str, Tensor] = {}
    if weights.alpha:
        terms["alpha"] = weights.alpha * multiscale_loss(alpha, batch.alpha, batch.trimap)
    if weights.laplacian:
        terms["laplacian"] = weights.laplacian * laplacian_loss(enforced, batch.alpha, unknown)
    if weights.gradient:
        terms["gradient"] = weights.gradient * gradient_penalty(enforced, batch.alpha, batch.trimap)
    if weights.composition:
        # Against the composite of the true layers, not the plate: the plate carries the camera's noise.
        target = batch.alpha * batch.foreground + (1 - batch.alpha) * batch.background
        loss = composition_loss(enforced, batch.foreground, batch.background, target, unknown)
        terms["composition"] = weights.composition * loss
    if weights.squared:
        # Known pixels are enforced, so they add nothing to the sum.
        squares = (enforced - batch.alpha).square().sum()
        terms["squared"] = weights.squared * squares / unknown.sum().clamp_min(1)
    terms["total"] = torch.stack(list(terms.values())).sum()
    return terms


def matting_terms(weights: LossWeights) -> tuple[str, ...]:
    """Names of the terms that are computed."""
    return tuple(name for name, weight in dataclasses.asdict(weights).items() if weight)
