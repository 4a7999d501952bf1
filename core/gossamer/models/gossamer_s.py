"""``gossamer-s``: the shipped default. LSA's topology on a light encoder, behind the smoothness prior.

What it keeps of LSA's network: plate + trimap in, a U of five halvings, every decoder stage a convolution with a
channel gate, nearest upsampling inside and bilinear at the end, a last head at full resolution, a linear output.

What is different, and why (core/decisions/0002-default-network.md has the measurements):

* The colour prior's maps enter beside plate and trimap, and the network's output is added to the prior's alpha: it
  starts from the classical solvers' quality and learns where they are wrong.
* A gate reads the mean of a window, not of the whole picture, so that a tile gives what the whole picture gives.
* Everything but the prior and the head runs at half resolution or below, for the CPU's sake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.models.prior import ColorPrior, color_prior
from gossamer.models.registry import register_model

__all__ = ["GossamerS", "GossamerSConfig", "gossamer_s"]

_OLD_INPUTS, _EVIDENCE = 29, 5


@dataclass(frozen=True)
class GossamerSConfig:
    """Widths and depths, from half resolution (stage 1) down to a thirty-second (stage 5)."""

    widths: tuple[int, int, int, int, int] = (24, 48, 80, 128, 192)
    """Channels of the encoder's stages 1 to 5."""
    depths: tuple[int, int, int, int] = (2, 2, 2, 2)
    """Residual blocks of stages 2 to 5."""
    decoder: tuple[int, int, int, int, int] = (16, 40, 64, 96, 128)
    """Channels of the decoder's stages 1 to 5."""
    head: int = 12
    """Channels of the full-resolution head."""


class Encoded(NamedTuple):
    """Features at H/2 .. H/32, and the maps that the head mixes, at full resolution."""

    stages: tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
    full: Tensor
    """N 7 H W: centred plate, known foreground, known background, guided alpha, projected alpha."""


def _conv_norm(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _ResidualBlock(nn.Module):
    """ResNet-D basic block: the strided shortcut averages before its 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool = [nn.AvgPool2d(2)] if stride == 2 else []
            self.shortcut = nn.Sequential(*pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def _window_mean(x: Tensor, *, training: bool) -> Tensor:
    """Mean of the 7x7 window around every pixel, of what lies inside the picture."""
    if not training:
        return F.avg_pool2d(x, 7, 1, 3, count_include_pad=False)
    # The same as a convolution: on the CPU the gradient of the pooling takes twenty times as long.
    window = torch.ones(x.shape[1], 1, 7, 7, dtype=x.dtype, device=x.device)
    total = F.conv2d(x, window, padding=3, groups=x.shape[1])
    return total / F.conv2d(torch.ones_like(x[:1, :1]), window[:1], padding=3)


def _unshuffle(x: Tensor) -> Tensor:
    """``F.pixel_unshuffle(x, 2)`` as slices, which ONNX Runtime does ten times as fast."""
    corners = [x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return torch.stack(corners, dim=2).flatten(1, 2)


class _GatedConv(nn.Module):
    """Convolution, normalisation, and a channel gate that reads the mean of a 7x7 window."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = _conv_norm(inputs, outputs)
        self.gate = nn.Conv2d(outputs, outputs, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y * (F.hardsigmoid(self.gate(_window_mean(y, training=self.training))) * 2)


class GossamerS(nn.Module):
    """The network. ``forward`` gives the raw alpha of training; ``forward_matte`` the matte of a product."""

    decoder_stages = (5, 4, 3, 2)
    """Stages that backpropagating refinement may modulate (algorithms.md B.5)."""

    def __init__(self, config: GossamerSConfig | None = None) -> None:
        super().__init__()
        config = config or GossamerSConfig()
        self.config = config
        w1, w2, w3, w4, w5 = config.widths
        d1, d2, d3, d4, d5 = config.decoder
        # Plate and trimap of a 2x2 block (5 x 4), prior: two colours, projected alpha, trust, guided alpha
        # (9), evidence (5).
        self.stem = nn.Sequential(_conv_norm(_OLD_INPUTS + _EVIDENCE, w1), _conv_norm(w1, w1))
        stages = []
        for inputs, outputs, depth in zip(config.widths[:-1], config.widths[1:], config.depths, strict=True):
            blocks = [_ResidualBlock(inputs if k == 0 else outputs, outputs, 2 if k == 0 else 1) for k in range(depth)]
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.decoder_5 = _GatedConv(w5, d5)
        self.decoder_4 = _GatedConv(w4 + d5, d4)
        self.decoder_3 = _GatedConv(w3 + d4, d3)
        self.decoder_2 = _GatedConv(w2 + d3, d2)
        self.decoder_1 = _GatedConv(w1 + d2, d1)
        self.head = nn.Sequential(
            nn.Conv2d(7 + d1, config.head, 3, 1, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(config.head, config.head, 3, 1, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(config.head, 1, 3, 1, 1),
        )
        last = self.head[-1]
        assert isinstance(last, nn.Conv2d)
        # Start as the prior: what is learned is the difference.
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def adapt_state(self, state: dict[str, Tensor]) -> None:
        """Let weights from before the prior gave its evidence fit, in place: they do not look at it."""
        weight = state.get("stem.0.0.weight")
        if weight is not None and weight.ndim == 4 and weight.shape[1] == _OLD_INPUTS:
            state["stem.0.0.weight"] = F.pad(weight, (0, 0, 0, 0, 0, _EVIDENCE))

    def encode(self, plate: Tensor, trimap: Tensor, prior: ColorPrior | None = None) -> Encoded:
        """Prior and encoder.

        Args:
            plate: N 3 H W, sRGB-encoded, 0..1; H and W multiples of 32.
            trimap: N 1 H W in {0, 0.5, 1}.
            prior: of a larger picture that this one is cut out of; by default that of this one.
        """
        with torch.no_grad(), torch.autocast(plate.device.type, enabled=False):
            if prior is None:
                prior = color_prior(plate.float(), trimap.float())
            centred = plate.float() - 0.5
            is_foreground, is_background = (trimap > 0.75).float(), (trimap < 0.25).float()
            projected = F.interpolate(prior.projected, scale_factor=2.0, mode="bilinear", align_corners=False)
            full = torch.cat([centred, is_foreground, is_background, prior.alpha, projected], dim=1)
            half = torch.cat(
                [
                    _unshuffle(full[:, :5]),
                    prior.foreground - 0.5,
                    prior.background - 0.5,
                    prior.projected,
                    prior.trust,
                    F.avg_pool2d(prior.alpha, 2),
                    prior.evidence,
                ],
                dim=1,
            )
        full, half = full.to(plate.dtype), half.to(plate.dtype)
        x = self.stem(half)
        features = [x]
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        s1, s2, s3, s4, s5 = features
        return Encoded((s1, s2, s3, s4, s5), full)

    def decode(self, encoded: Encoded, modulation: dict[int, tuple[Tensor, Tensor]] | None = None) -> Tensor:
        """Decoder and head: raw alpha N 1 H W, not clamped, known pixels not enforced.

        ``modulation`` maps a stage to (A, B): its gated output t becomes ``t * exp(up(A)) + up(B)``, ``up`` being a
        bicubic resize to the stage (LSA, backpropagating refinement).
        """

        def modulate(x: Tensor, stage: int) -> Tensor:
            if modulation is None or stage not in modulation:
                return x
            scale, shift = (
                F.interpolate(v, size=x.shape[-2:], mode="bicubic", align_corners=False) for v in modulation[stage]
            )
            return x * scale.exp() + shift

        def double(x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=2.0, mode="nearest")

        s1, s2, s3, s4, s5 = encoded.stages
        x = modulate(self.decoder_5(s5), 5)
        x = modulate(self.decoder_4(torch.cat([s4, double(x)], dim=1)), 4)
        x = modulate(self.decoder_3(torch.cat([s3, double(x)], dim=1)), 3)
        x = modulate(self.decoder_2(torch.cat([s2, double(x)], dim=1)), 2)
        x = self.decoder_1(torch.cat([s1, double(x)], dim=1))
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        difference: Tensor = self.head(torch.cat([encoded.full, x], dim=1))
        return encoded.full[:, 5:6].float() + difference.float()

    def modulation_shapes(self) -> dict[int, tuple[int, int, int]]:
        """C, h, w of the A and B of each stage: 8x8 for stage 5, twice as much for each stage up."""
        return {
            stage: (self.config.decoder[stage - 1], 1 << (8 - stage), 1 << (8 - stage)) for stage in self.decoder_stages
        }

    def forward(self, plate: Tensor, trimap: Tensor, prior: ColorPrior | None = None) -> Tensor:
        """Raw alpha, N 1 H W float32; see :meth:`encode` for the inputs."""
        return self.decode(self.encode(plate, trimap, prior))

    def forward_matte(self, plate: Tensor, trimap: Tensor) -> Tensor:
        """The product's contract: alpha N 1 H W in 0..1, exactly 0 and 1 where the trimap says so."""
        alpha = self.forward(plate, trimap).clamp(0, 1)
        return torch.where(trimap > 0.75, 1.0, torch.where(trimap < 0.25, 0.0, alpha))


@register_model("gossamer-s", family="gossamer", needs_trimap=True, multiple_of=32, margin=48)
def gossamer_s() -> GossamerS:
    """The shipped default network."""
    return GossamerS()
