"""GFM's semantic branch: which pixels are background, transition, foreground."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.losses.precision import in_full_precision

__all__ = ["CrossEntropy", "GlanceLoss", "glance_labels", "glance_loss"]

CrossEntropy = Literal["logits", "compat"]


def glance_labels(classes_map: Tensor, classes: int) -> Tensor:
    """N H W int64 labels of an N 1 H W map in 0..1, by thresholds, so that resized maps keep their classes.

    With three classes below 0.25 is background (0), above 0.75 foreground (2), between them transition (1). With two,
    from 0.5 on it is class 1.
    """
    plane = classes_map[:, 0]
    if classes == 2:
        return (plane >= 0.5).long()
    return torch.where(plane > 0.75, 2, torch.where(plane < 0.25, 0, 1))


@in_full_precision
def glance_loss(scores: Tensor, labels: Tensor, kind: CrossEntropy = "logits") -> Tensor:
    """Cross entropy of the glance branch (GFM, Li et al. 2022).

    Args:
        scores: N C H W, what the last convolution gives, before the sigmoid.
        labels: N H W int64, see :func:`glance_labels`.
        kind: ``logits`` takes the scores as they are. ``compat`` takes their sigmoids for logits, as the published code
            does: no class can win by more than e to 1, and the gradient is weak. The largest class, and so the matte,
            means the same in both.
    """
    return F.cross_entropy(scores.sigmoid() if kind == "compat" else scores, labels)


class GlanceLoss(nn.Module):
    """:func:`glance_loss` with its settings."""

    def __init__(self, kind: CrossEntropy = "logits") -> None:
        super().__init__()
        self.kind: CrossEntropy = kind

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        return glance_loss(scores, labels, self.kind)
