"""``ddc``: training from trimaps alone (Liu et al. 2024; algorithms.md C.3). Nothing here is given a true alpha."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gossamer.losses import ddc_loss, glance_loss, known_l1_loss
from gossamer.models.gfm import GfmOutput, GfmRimOutput
from gossamer.training.loss_settings import DdcLosses
from gossamer.training.samples import TrimapBatch

__all__ = ["ddc_losses", "ddc_terms"]


def ddc_terms(settings: DdcLosses, *, has_glance: bool) -> tuple[str, ...]:
    """Names of the terms that are computed."""
    weights = {"known": settings.known, "ddc": settings.ddc, "glance": settings.glance if has_glance else 0}
    return tuple(name for name, weight in weights.items() if weight)


def ddc_losses(output: Any, batch: TrimapBatch, settings: DdcLosses, *, rosta: str = "") -> dict[str, Tensor]:
    """The weighted terms and their ``total``.

    A network with one output is trained as the paper does it. GFM's glance learns its classes from the trimap, by cross
    entropy, and the matte that the two terms see is what its focus makes of the trimap's own classes: the focus itself
    (tt), what it adds to the sure foreground (ft), what it takes from all but the sure background (bt). So every pixel
    reaches the focus, and none needs an alpha.

    Args:
        output: of the network: alpha N 1 H W, or what GFM gives.
        batch: plate and trimap.
        settings: weights, window and padding.
        rosta: GFM's division of labour, ``rim`` for all and their integration.
    """
    mattes = _mattes(output, batch.trimap, rosta)
    terms: dict[str, Tensor] = {}
    if settings.known:
        terms["known"] = (
            settings.known * torch.stack([known_l1_loss(matte, batch.trimap, batch.trimap) for matte in mattes]).mean()
        )
    if settings.ddc:
        terms["ddc"] = settings.ddc * torch.stack([
            ddc_loss(
                matte, batch.plate, window=settings.window, neighbours=settings.neighbours, padding=settings.padding,
                scale_by_contrast=settings.scale_by_contrast,
            )
            for matte in mattes
        ]).mean()  # fmt: skip
    glances = _glances(output, batch.trimap, rosta)
    if settings.glance and glances:
        terms["glance"] = settings.glance * torch.stack([glance_loss(*glance) for glance in glances]).mean()
    terms["total"] = torch.stack(list(terms.values())).sum()
    return terms


def _heads(output: Any, rosta: str) -> list[tuple[str, GfmOutput]]:
    if isinstance(output, GfmRimOutput):
        return [("tt", output.tt), ("ft", output.ft), ("bt", output.bt)]
    return [(rosta, output)] if isinstance(output, GfmOutput) else []


def _mattes(output: Any, trimap: Tensor, rosta: str) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output.float()]
    sure, possible = (trimap > 0.75).float(), (trimap > 0.25).float()
    mattes = []
    for kind, head in _heads(output, rosta):
        focus = head.focus.float()
        # Not clamped, as the fusion is: a clamp would let no gradient through where it is needed.
        mattes.append(focus if kind == "tt" else sure + focus if kind == "ft" else possible - focus)
    if isinstance(output, GfmRimOutput):
        mattes.append(output.fusion.float())
    return mattes


def _glances(output: Any, trimap: Tensor, rosta: str) -> list[tuple[Tensor, Tensor]]:
    """Scores and labels of each head's glance."""
    plane = trimap[:, 0]
    labels = {
        "tt": torch.where(plane > 0.75, 2, torch.where(plane < 0.25, 0, 1)),
        "ft": (plane > 0.75).long(),
        "bt": (plane > 0.25).long(),
    }
    return [(head.glance_logits, labels[kind]) for kind, head in _heads(output, rosta)]
