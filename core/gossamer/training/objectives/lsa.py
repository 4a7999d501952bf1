"""``lsa``: LSA-Matting's loss (Wang et al. 2021; algorithms.md B.4)."""

from __future__ import annotations

from torch import Tensor

from gossamer.losses import multiscale_loss
from gossamer.training.loss_settings import LsaLosses
from gossamer.training.samples import Batch

__all__ = ["LSA_TERMS", "lsa_losses"]

LSA_TERMS: tuple[str, ...] = ()
"""There is one term, the total."""


def lsa_losses(alpha: Tensor, batch: Batch, settings: LsaLosses) -> dict[str, Tensor]:
    """``total`` alone.

    Args:
        alpha: N 1 H W, the network's raw output, not clamped.
        batch: trimap and true alpha.
        settings: number of scales.
    """
    return {"total": multiscale_loss(alpha, batch.alpha, batch.trimap, scales=settings.scales)}
