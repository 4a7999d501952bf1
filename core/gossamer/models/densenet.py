"""DenseNet blocks with the key names of torchvision and timm.

Source: Huang et al., "Densely Connected Convolutional Networks" (2017). GFM builds its DenseNet-121 of these.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["DenseBlock", "Transition"]

GROWTH = 32
"""Channels that each layer adds."""


class _DenseLayer(nn.Module):
    """Normalise, 1x1 to four times the growth, normalise, 3x3 to the growth."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * GROWTH)
        self.conv2 = nn.Conv2d(4 * GROWTH, GROWTH, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        assert isinstance(y, Tensor)
        return y


class DenseBlock(nn.Module):
    """Layers ``denselayer1``, ``denselayer2`` ...; each reads all that came before it. Adds 32 channels a layer."""

    def __init__(self, inputs: int, depth: int) -> None:
        super().__init__()
        for k in range(depth):
            self.add_module(f"denselayer{k + 1}", _DenseLayer(inputs + k * GROWTH))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class Transition(nn.Module):
    """Normalise, 1x1 to half the channels, average 2x2. Wants an even height and width."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, inputs // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)
