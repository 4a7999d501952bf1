"""``vitmatte``: ViTMatte's supervised loss (Yao et al. 2024; algorithms.md C.2)."""

from __future__ import annotations

from torch import Tensor

from gossamer.losses import vitmatte_loss
from gossamer.training.loss_settings import ViTMatteLosses
from gossamer.training.samples import Batch

__all__ = ["VITMATTE_TERMS", "vitmatte_losses"]

VITMATTE_TERMS = ("unknown", "known", "laplacian", "gradient")


def vitmatte_losses(alpha: Tensor, batch: Batch, settings: ViTMatteLosses) -> dict[str, Tensor]:
    """The four terms and their ``total``.

    Args:
        alpha: N 1 H W, the network's output.
        batch: trimap and true alpha.
        settings: scale of the regional terms.
    """
    terms = vitmatte_loss(alpha, batch.alpha, batch.trimap, reference_side=settings.reference_side or None)
    return {**{name: getattr(terms, name) for name in VITMATTE_TERMS}, "total": terms.total}
