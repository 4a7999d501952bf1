"""LSA-Matting: trimap, ResNetV1d-50 encoder, decoder with channel gates.

Source: Wang et al., "Improving Deep Image Matting via Local Smoothness Assumption" (2021), section 3.
The skip module is the identity, as in the published model. Tensor names are those of the official checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.models.convention import normalize_imagenet, obey_trimap, pad_bottom_right, require_trimap
from gossamer.models.registry import register_model
from gossamer.models.resnet import Bottleneck, resnet_stage

__all__ = ["Lsa", "LsaConfig", "LsaFeatures", "lsa_light", "lsa_r50d"]

UNKNOWN = 128 / 255
"""What the network was trained to read as unknown: file value 128."""


@dataclass(frozen=True)
class LsaConfig:
    """Widths and depths; the defaults are the published network's."""

    stem: tuple[int, int, int] = (32, 32, 64)
    """Channels of the three convolutions of the deep stem."""
    width: int = 64
    """Of the bottlenecks of layer1; each further layer has twice as much, and all put out four times their width."""
    depths: tuple[int, int, int, int] = (3, 4, 6, 3)
    """Bottlenecks of layer1 to layer4."""
    gates: tuple[int, int, int, int, int] = (512, 256, 128, 64, 64)
    """Channels of the decoder's stages 5 to 1."""
    head: int = 32
    """Channels of the head at full size."""


class LsaFeatures(NamedTuple):
    """The input and the encoder's stages, at H, H/2 ... H/32; published with 4, 64, 256, 512, 1024, 2048 channels."""

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
    """ResNetV1d, published with 50 layers, with four input channels."""

    def __init__(self, config: LsaConfig) -> None:
        super().__init__()
        a, b, c = config.stem
        self.stem = nn.Sequential(_StemLayer(4, a, 2), _StemLayer(a, b, 1), _StemLayer(b, c, 1))
        w = config.width
        d1, d2, d3, d4 = config.depths
        self.layer1 = nn.Sequential(*resnet_stage(Bottleneck, c, w, d1))
        self.layer2 = nn.Sequential(*resnet_stage(Bottleneck, 4 * w, 2 * w, d2, stride=2, average_shortcut=True))
        self.layer3 = nn.Sequential(*resnet_stage(Bottleneck, 8 * w, 4 * w, d3, stride=2, average_shortcut=True))
        self.layer4 = nn.Sequential(*resnet_stage(Bottleneck, 16 * w, 8 * w, d4, stride=2, average_shortcut=True))

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

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, 1, 1)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)
        self.conv3 = nn.Conv2d(width, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv1(x))
        y = self.conv3(F.relu(self.conv2(y)))
        assert isinstance(y, Tensor)
        return y


class _Decoder(nn.Module):
    def __init__(self, config: LsaConfig) -> None:
        super().__init__()
        w = config.width
        g5, g4, g3, g2, g1 = config.gates
        self.decoder_5 = _Gate(32 * w, g5)
        self.decoder_4 = _Gate(16 * w + g5, g4)
        self.decoder_3 = _Gate(8 * w + g4, g3)
        self.decoder_2 = _Gate(4 * w + g3, g2)
        self.decoder_1 = _Gate(config.stem[2] + g2, g1)
        self.final_final = _Head(4 + g1, config.head)
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

    decoder_stages: Mapping[int, int]
    """Stages that refinement may modulate, and their channels."""

    def __init__(self, config: LsaConfig | None = None) -> None:
        super().__init__()
        config = config or LsaConfig()
        self.decoder_stages = dict(zip((5, 4, 3, 2), config.gates[:4], strict=True))
        self.backbone = _Backbone(config)
        self.decoder = _Decoder(config)

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


@register_model("lsa-light", family="lsa", needs_trimap=True, multiple_of=32, margin=256)
def lsa_light() -> Lsa:
    """The same network, narrow and shallow, for machines without a GPU (core/decisions/0014)."""
    return Lsa(LsaConfig(stem=(16, 16, 24), width=12, depths=(1, 2, 2, 1), gates=(96, 64, 48, 32, 16), head=12))
