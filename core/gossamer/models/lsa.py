"""LSA-Matting: trimap, ResNetV1d-50 encoder, decoder with channel gates.

Source: Wang et al., "Improving Deep Image Matting via Local Smoothness Assumption" (2021), section 3.
The skip module is the identity, as in the published model. Tensor names are those of the official checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.models.convention import normalize_imagenet, obey_trimap, pad_bottom_right, require_trimap
from gossamer.models.registry import register_model
from gossamer.models.resnet import Bottleneck, resnet_stage

__all__ = ["Lsa", "LsaFeatures", "lsa_r50d"]

UNKNOWN = 128 / 255
"""What the network was trained to read as unknown: file value 128."""


class LsaFeatures(NamedTuple):
    """The input and the encoder's stages, at H, H/2 ... H/32, with 4, 64, 256, 512, 1024, 2048 channels."""

    stage0: Tensor
    stage1: Tensor
    stage2: Tensor
    stage3: Tensor
    stage4: Tensor
    stage5: Tensor


class _StemLayer(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Backbone(nn.Module):
    """ResNetV1d-50 with four input channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_StemLayer(4, 32, 2), _StemLayer(32, 32, 1), _StemLayer(32, 64, 1))
        self.layer1 = nn.Sequential(*resnet_stage(Bottleneck, 64, 64, 3))
        self.layer2 = nn.Sequential(*resnet_stage(Bottleneck, 256, 128, 4, stride=2, average_shortcut=True))
        self.layer3 = nn.Sequential(*resnet_stage(Bottleneck, 512, 256, 6, stride=2, average_shortcut=True))
        self.layer4 = nn.Sequential(*resnet_stage(Bottleneck, 1024, 512, 3, stride=2, average_shortcut=True))

    def forward(self, x: Tensor) -> LsaFeatures:
        stage1 = self.stem(x)
        stage2 = self.layer1(F.max_pool2d(stage1, 3, 2, 1))
        stage3 = self.layer2(stage2)
        stage4 = self.layer3(stage3)
        return LsaFeatures(x, stage1, stage2, stage3, stage4, self.layer4(stage4))


class _Gate(nn.Module):
    """Convolution, normalisation, and a gate that scales each channel by what the means of all channels say."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.fc = nn.Conv2d(outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return y * F.hardsigmoid(self.fc(y.mean(dim=(2, 3), keepdim=True)))


class _Head(nn.Module):
    """Three convolutions at full size; the last one is linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(68, 32, 3, 1, 1)
        self.conv2 = nn.Conv2d(32, 32, 3, 1, 1)
        self.conv3 = nn.Conv2d(32, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv1(x))
        y = self.conv3(F.relu(self.conv2(y)))
        assert isinstance(y, Tensor)
        return y


class _Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.decoder_5 = _Gate(2048, 512)
        self.decoder_4 = _Gate(1024 + 512, 256)
        self.decoder_3 = _Gate(512 + 256, 128)
        self.decoder_2 = _Gate(256 + 128, 64)
        self.decoder_1 = _Gate(64 + 64, 64)
        self.final_final = _Head()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, features: LsaFeatures, modulation: Mapping[int, tuple[Tensor, Tensor]]) -> Tensor:
        def modulate(x: Tensor, stage: int) -> Tensor:
            if stage not in modulation:
                return x
            scale, shift = (
                F.interpolate(value, size=x.shape[-2:], mode="bicubic", align_corners=False)
                for value in modulation[stage]
            )
            return x * scale.exp() + shift

        def double(x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=2.0, mode="nearest")

        x = modulate(self.decoder_5(features.stage5), 5)
        x = modulate(self.decoder_4(torch.cat([features.stage4, double(x)], dim=1)), 4)
        x = modulate(self.decoder_3(torch.cat([features.stage3, double(x)], dim=1)), 3)
        x = modulate(self.decoder_2(torch.cat([features.stage2, double(x)], dim=1)), 2)
        x = self.decoder_1(torch.cat([features.stage1, double(x)], dim=1))
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        alpha = self.final_final(torch.cat([features.stage0, x], dim=1))
        assert isinstance(alpha, Tensor)
        return alpha


class Lsa(nn.Module):
    """The network. ``encode`` and ``decode`` are apart for backpropagating refinement."""

    decoder_stages: Mapping[int, int] = {5: 512, 4: 256, 3: 128, 2: 64}
    """Stages that refinement may modulate, and their channels."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _Backbone()
        self.decoder = _Decoder()

    def input_tensor(self, plate: Tensor, trimap: Tensor) -> Tensor:
        """The network's own input, N 4 H W: RGB by ImageNet statistics, and the trimap with unknown at 128/255."""
        levels = torch.where((trimap > 0.25) & (trimap < 0.75), torch.full_like(trimap, UNKNOWN), trimap)
        x = torch.cat([normalize_imagenet(plate), levels.to(plate.dtype)], dim=1)
        return x.to(self.decoder.final_final.conv1.weight.dtype)

    def encode(self, plate: Tensor, trimap: Tensor) -> LsaFeatures:
        """Encoder features.

        Args:
            plate: N 3 H W, sRGB-encoded, 0..1; H and W multiples of 32.
            trimap: N 1 H W in {0, 0.5, 1}.
        """
        features = self.backbone(self.input_tensor(plate, trimap))
        assert isinstance(features, LsaFeatures)
        return features

    def decode(self, features: LsaFeatures, modulation: Mapping[int, tuple[Tensor, Tensor]] | None = None) -> Tensor:
        """Raw alpha N 1 H W, neither clamped nor held to the trimap.

        ``modulation`` maps a stage to (A, B): its gated output t becomes ``t * exp(up(A)) + up(B)``, ``up`` being a
        bicubic resize to the stage's size.
        """
        alpha = self.decoder(features, modulation or {})
        assert isinstance(alpha, Tensor)
        return alpha

    def modulation_shapes(self) -> Mapping[int, tuple[int, int, int]]:
        """C, h, w of the A and B of each stage: 8x8 for stage 5, twice as much for each stage up."""
        return {stage: (width, 1 << (8 - stage), 1 << (8 - stage)) for stage, width in self.decoder_stages.items()}

    def forward(self, plate: Tensor, trimap: Tensor | None = None) -> Tensor:
        """Raw alpha N 1 H W in the dtype of ``plate``, linear: below 0 and above 1 where the network overshoots.

        Args:
            plate: N 3 H W, sRGB-encoded, 0..1, any size: padded to multiples of 32 by repeating its last row and
                column, and the padding cropped off again.
            trimap: N 1 H W in {0, 0.5, 1}.

        Raises:
            ModelError: there is no trimap.
        """
        trimap = require_trimap(trimap, "LSA")
        height, width = plate.shape[-2:]
        plate_padded = pad_bottom_right(plate, 32, mode="replicate")
        trimap_padded = pad_bottom_right(trimap, 32, mode="replicate")
        alpha = self.decode(self.encode(plate_padded, trimap_padded))
        return alpha[..., :height, :width].to(plate.dtype)

    def forward_matte(self, plate: Tensor, trimap: Tensor | None = None, *, compat_padding: bool = False) -> Tensor:
        """Alpha N 1 H W in 0..1, exactly 0 and 1 where the trimap is known.

        ``compat_padding`` pads as the published script does (see :func:`compat_pad`), for identical pixels.
        """
        trimap = require_trimap(trimap, "LSA")
        if compat_padding:
            height, width = plate.shape[-2:]
            raw = self.forward(compat_pad(plate), compat_pad(trimap))
            alpha = raw[..., BORDER : BORDER + height, BORDER : BORDER + width]
        else:
            alpha = self.forward(plate, trimap)
        return obey_trimap(alpha.clamp(0, 1), trimap)


BORDER = 32
"""Rows and columns that :func:`compat_pad` puts before the picture: 16 zeros and 16 reflected ones."""


def compat_pad(x: Tensor) -> Tensor:
    """The published script's padding: by reflection to multiples of 64 at the bottom and right, then 16 reflected and
    16 zero rows and columns on every side (black, and known background). Needs more than 16 rows and columns, and more
    than are missing to the multiple of 64.
    """
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % 64, 0, -height % 64), mode="reflect")
    return F.pad(F.pad(x, (16, 16, 16, 16), mode="reflect"), (16, 16, 16, 16))


# The gates read means of the whole picture, so no margin makes tiles agree exactly; 256 keeps seams small.
@register_model("lsa-r50d", family="lsa", needs_trimap=True, multiple_of=32, margin=256)
def lsa_r50d() -> Lsa:
    """The published network."""
    return Lsa()
