"""``gfm`` and ``gfm-rim``: GFM's losses for one division of labour, or for all and their integration (Li et al. 2022;
algorithms.md A.3)."""

from __future__ import annotations

from torch import Tensor

from gossamer.losses import GfmTerms, GfmTruth, HeadOutput, IntegratedOutput, Rosta, gfm_loss, rim_loss
from gossamer.training.loss_settings import GfmLosses
from gossamer.training.samples import GfmBatch

__all__ = ["GFM_TERMS", "gfm_losses", "gfm_rim_losses"]

GFM_TERMS = ("glance", "focus", "fusion", "composition")


def _truth(batch: GfmBatch) -> GfmTruth:
    return GfmTruth(**batch._asdict())


def _named(terms: GfmTerms) -> dict[str, Tensor]:
    return {**{name: getattr(terms, name) for name in GFM_TERMS}, "total": terms.total}


def gfm_losses(output: HeadOutput, batch: GfmBatch, settings: GfmLosses, *, rosta: Rosta) -> dict[str, Tensor]:
    """The four terms, unweighted, and the ``total``: a quarter of each."""
    return _named(gfm_loss(output, _truth(batch), rosta=rosta, kind=settings.cross_entropy))


def gfm_rim_losses(output: IntegratedOutput, batch: GfmBatch, settings: GfmLosses) -> dict[str, Tensor]:
    """The four terms, each summed over the heads and the integrated matte, and the ``total``: their sum."""
    return _named(rim_loss(output, _truth(batch), kind=settings.cross_entropy))
