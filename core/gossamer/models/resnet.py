"""ResNet blocks with the key names of torchvision, timm and mmclassification.

Source: He et al., "Deep Residual Learning for Image Recognition" (2016); the stride of a bottleneck stands in its 3x3
convolution ("v1b"), and the averaging shortcut is that of He et al., "Bag of Tricks" (2019) ("v1d").
GFM builds its ResNet-34 and ResNet-101 of these, LSA its ResNetV1d-50.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BasicBlock", "Bottleneck", "resnet_stage"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, shortcut: nn.Sequential | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1 to four times the width, and a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, shortcut: nn.Sequential | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int, average: bool) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    norm = nn.BatchNorm2d(outputs)
    if average and stride > 1:
        return nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(inputs, outputs, 1, bias=False), norm)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm)


def resnet_stage(
    block: type[BasicBlock] | type[Bottleneck],
    inputs: int,
    width: int,
    depth: int,
    *,
    stride: int = 1,
    average_shortcut: bool = False,
) -> list[nn.Module]:
    """The blocks of one stage; the first has the stride.

    Args:
        block: kind of block; its output has ``width * block.expansion`` channels.
        inputs: channels that come in.
        width: channels of the 3x3 convolutions.
        depth: number of blocks.
        stride: 1 or 2. A stride of 2 wants an even height and width.
        average_shortcut: ResNetV1d's shortcut of a strided stage: average pooling, then a 1x1 convolution.
    """
    outputs = width * block.expansion
    first = block(inputs, width, stride, _shortcut(inputs, outputs, stride, average_shortcut))
    return [first, *(block(outputs, width, 1, None) for _ in range(depth - 1))]
