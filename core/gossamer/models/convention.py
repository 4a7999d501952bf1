"""What every network agrees on: the product's inputs and output, and the few steps from there to a network's own input.

The convention: ``plate`` is N 3 H W, sRGB-encoded Rec.709 in 0..1; ``trimap`` is N 1 H W, 0 background, 1 foreground,
0.5 unknown, or None; the answer is N 1 H W. H and W are free: a network pads what it must and crops it off again.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from gossamer.errors import ModelError

__all__ = ["MattingNetwork", "normalize_imagenet", "obey_trimap", "pad_bottom_right", "require_trimap"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class MattingNetwork(Protocol):
    """What inference, refinement and export may ask of a registered network.

    Beside it each network has a ``forward(plate, trimap)`` in the same convention, which answers what its training
    needs: raw alpha, or a tuple with the outputs of several heads.
    """

    def forward_matte(self, plate: Tensor, trimap: Tensor | None = None) -> Tensor:
        """Alpha N 1 H W in 0..1 and in the dtype of ``plate``; exactly 0 and 1 where the trimap is known."""
        ...


def normalize_imagenet(plate: Tensor) -> Tensor:
    """N 3 H W in 0..1 minus the mean and divided by the deviation of ImageNet, channel by channel."""
    # Channel by channel with plain numbers: a tensor of constants would be tied to the device that a trace was made on.
    channels = zip(torch.split(plate, 1, dim=1), IMAGENET_MEAN, IMAGENET_STD, strict=True)
    return torch.cat([(channel - mean) / deviation for channel, mean, deviation in channels], dim=1)


def pad_bottom_right(x: Tensor, multiple: int, *, mode: str) -> Tensor:
    """Pad H and W to the next multiple; ``x[..., :H, :W]`` of the result is ``x``.

    ``mode`` is ``constant`` (zeros) or ``replicate``. Reflection is not offered: it fails on pictures that are smaller
    than the padding.
    """
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode=mode)


def obey_trimap(alpha: Tensor, trimap: Tensor) -> Tensor:
    """``alpha`` with exactly 1 where the trimap says foreground (above 0.75), 0 where background (below 0.25)."""
    one, zero = torch.ones_like(alpha), torch.zeros_like(alpha)
    return torch.where(trimap > 0.75, one, torch.where(trimap < 0.25, zero, alpha))


def require_trimap(trimap: Tensor | None, network: str) -> Tensor:
    """``trimap``, or a ModelError that says that ``network`` cannot do without."""
    if trimap is None:
        raise ModelError(f"{network} needs a trimap; give one, or use a network that needs none (GFM, vitmatte-s-rgb).")
    return trimap
