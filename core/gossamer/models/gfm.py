"""GFM: glance and focus matting, trimap-free, in the paper's four backbones and a light one, and four ways of dividing
the work.

Source: Li et al., "Bridging Composite and Real: Towards End-to-end Deep Image Matting" (2022), sections 3 and 4, and
the networks published with it. A shared encoder; a glance decoder that sorts pixels into classes, fed by a pyramid of
pooled context; a focus decoder that draws details, fed by a dilated bridge and the encoder's features; a fixed fusion
of both ("collaborative matting"). What the classes are is the RoSTa, the representation of semantics and transition:

* ``tt``: background, transition, foreground; details are alpha inside the transition.
* ``ft``: sure foreground against the rest; details are what to add to it.
* ``bt``: foreground with transition against background; details are what to take away from it.
* ``rim``: all three, with heads of their own, integrated by a small network.

Tensor names are those of the official checkpoints, less what those hold twice or never use (see ``convert.py``).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.models.convention import obey_trimap, pad_bottom_right
from gossamer.models.densenet import DenseBlock, Transition
from gossamer.models.registry import register_model
from gossamer.models.resnet import BasicBlock, Bottleneck, resnet_stage

__all__ = [
    "BACKBONES",
    "CLASSES",
    "Gfm",
    "GfmConfig",
    "GfmOutput",
    "GfmRim",
    "GfmRimOutput",
    "collaborative_matting",
    "glance_from_trimap",
]

CLASSES = {"tt": 3, "ft": 2, "bt": 2}
"""Glance classes of each RoSTa. ``tt``: background, transition, foreground. ``ft``, ``bt``: rest, class."""


@dataclass(frozen=True)
class Backbone:
    """Channels of an encoder and of the decoders that go with it."""

    encoder: tuple[int, ...]
    """Channels of encoder0, encoder1 ... to the deepest one, which stands at a thirty-second of the input."""
    decoder: tuple[tuple[int, int, int], ...]
    """Channels of the three convolutions of each decoder stage, from the deepest to stage 1."""
    full_resolution: bool = False
    """encoder0 and encoder1 work at the input's size; decoder stages 1 and 0 then do not enlarge."""


BACKBONES = {
    "r34": Backbone((64, 64, 128, 256, 512), ((512, 512, 256), (256, 256, 128), (128, 128, 64), (64, 64, 64))),
    "r34-2b": Backbone(
        (64, 64, 128, 256, 512, 512, 512),
        ((512, 512, 512), (512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 128, 64), (64, 64, 64)),
        full_resolution=True,
    ),
    "d121": Backbone((64, 128, 256, 512, 512), ((512, 512, 256), (256, 256, 128), (128, 128, 64), (64, 64, 64))),
    "r101": Backbone(
        (64, 256, 512, 1024, 2048),
        ((2048, 1024, 1024), (1024, 512, 512), (512, 256, 256), (256, 128, 64)),
    ),
    # Not of the paper: ResNet-10 with narrow stages, for machines without a GPU (core/decisions/0014).
    "light": Backbone((16, 24, 32, 64, 96), ((96, 64, 64), (64, 48, 32), (32, 32, 24), (24, 24, 16))),
}


@dataclass(frozen=True)
class GfmConfig:
    """Which GFM."""

    backbone: str
    """A key of ``BACKBONES``."""
    rosta: str
    """``tt``, ``ft``, ``bt`` or ``rim``."""

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise ValueError(f"GFM has no backbone {self.backbone!r}; there are {', '.join(BACKBONES)}.")
        if self.rosta not in (*CLASSES, "rim"):
            raise ValueError(f"GFM has no RoSTa {self.rosta!r}; there are {', '.join(CLASSES)}, rim.")


class GfmOutput(NamedTuple):
    """What one RoSTa answers, N C H W."""

    glance_logits: Tensor
    """C classes, before the sigmoid: for a cross entropy on logits."""
    glance: Tensor
    """After the sigmoid, 0..1. Sigmoid, not softmax: the channels do not sum to 1."""
    focus: Tensor
    """1 channel, 0..1."""
    fusion: Tensor
    """1 channel: alpha. Carries no gradient to the glance decoder, because of the argmax."""


class GfmRimOutput(NamedTuple):
    """What the three RoSTa and their integration answer."""

    tt: GfmOutput
    ft: GfmOutput
    bt: GfmOutput
    fusion: Tensor
    """N 1 H W: the integrated alpha, not clamped."""


# --- layers -----------------------------------------------------------------------------------------------------------


def _conv3(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 1, dilation, dilation)


def _encoder_stages(backbone: str) -> list[nn.Sequential]:
    """encoder0, encoder1 ...; each halves the size, but encoder0 and encoder1 of ``r34-2b`` keep it."""
    width = BACKBONES[backbone].encoder[0]
    stem = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    if backbone == "light":
        widths = BACKBONES[backbone].encoder
        deeper = itertools.pairwise(widths[1:])
        return [
            nn.Sequential(*stem),
            nn.Sequential(nn.MaxPool2d(3, 2, 1), *resnet_stage(BasicBlock, width, widths[1], 1)),
            *(nn.Sequential(*resnet_stage(BasicBlock, a, b, 1, stride=2)) for a, b in deeper),
        ]
    if backbone == "d121":  # DenseNet-121 without its stem pooling
        return [
            nn.Sequential(*stem),
            nn.Sequential(DenseBlock(64, 6), Transition(256)),
            nn.Sequential(DenseBlock(128, 12), Transition(512)),
            nn.Sequential(DenseBlock(256, 24), Transition(1024)),
            nn.Sequential(
                DenseBlock(512, 16), _conv3(1024, 512), nn.BatchNorm2d(512), nn.ReLU(inplace=True), nn.MaxPool2d(2)
            ),
        ]
    if backbone == "r101":
        return [
            nn.Sequential(*stem),
            nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Sequential(*resnet_stage(Bottleneck, 64, 64, 3))),
            nn.Sequential(*resnet_stage(Bottleneck, 256, 128, 4, stride=2)),
            nn.Sequential(*resnet_stage(Bottleneck, 512, 256, 23, stride=2)),
            nn.Sequential(*resnet_stage(Bottleneck, 1024, 512, 3, stride=2)),
        ]
    first = resnet_stage(BasicBlock, 64, 64, 3)
    middle = [
        nn.Sequential(*resnet_stage(BasicBlock, 64, 128, 4, stride=2)),
        nn.Sequential(*resnet_stage(BasicBlock, 128, 256, 6, stride=2)),
        nn.Sequential(*resnet_stage(BasicBlock, 256, 512, 3, stride=2)),
    ]
    if backbone == "r34":
        return [nn.Sequential(*stem), nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Sequential(*first)), *middle]
    return [  # r34-2b: a stem that keeps the size, and two more stages
        nn.Sequential(_conv3(3, 64), nn.BatchNorm2d(64), nn.ReLU(inplace=True)),
        nn.Sequential(*first),
        *middle,
        nn.Sequential(nn.MaxPool2d(2), *resnet_stage(BasicBlock, 512, 512, 3)),
        nn.Sequential(nn.MaxPool2d(2), *resnet_stage(BasicBlock, 512, 512, 3)),
    ]


class _AveragePool(nn.Module):
    """Adaptive average pooling to ``bins`` x ``bins``, as two matrix products: these export with free sizes."""

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins

    def _matrix(self, size: int, like: Tensor) -> Tensor:
        """bins x size: row i averages from floor(i size / bins) up to ceil((i + 1) size / bins)."""
        bins = torch.arange(self.bins, device=like.device)[:, None]
        start = bins * size // self.bins
        stop = ((bins + 1) * size + self.bins - 1) // self.bins
        position = torch.arange(size, device=like.device)[None]
        inside = ((position >= start) & (position < stop)).to(like.dtype)
        return inside / inside.sum(dim=1, keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self._matrix(x.shape[-2], x), self._matrix(x.shape[-1], x)
        pooled: Tensor = rows @ x @ columns.T
        return pooled


class _PyramidPooling(nn.Module):
    """Context at three scales beside the features themselves."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(_AveragePool(bins), nn.Conv2d(channels, channels, 1, bias=False)) for bins in (1, 3, 5)
        )
        self.bottleneck = nn.Conv2d(4 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        context = [F.interpolate(stage(x), size=size, mode="bilinear", align_corners=True) for stage in self.stages]
        return F.relu(self.bottleneck(torch.cat([*context, x], dim=1)))


def _context(inputs: int, outputs: int, scale: int) -> nn.Sequential:
    """The pyramid's context on its way to a shallower decoder stage."""
    return nn.Sequential(
        _conv3(inputs, outputs),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Upsample(scale_factor=scale, mode="bilinear", align_corners=False),
    )


def _bridge(channels: int) -> nn.Sequential:
    """Three dilated convolutions between encoder and focus decoder."""
    layers: list[nn.Module] = []
    for _ in range(3):
        layers += [_conv3(channels, channels, dilation=2), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _decoder(inputs: int, widths: tuple[int, int, int], *, head: bool = False, enlarge: bool = True) -> nn.Sequential:
    """Three convolutions and bilinear doubling; a ``head`` ends without normalisation and ReLU."""
    a, b, outputs = widths
    layers: list[nn.Module] = [_conv3(inputs, a), nn.BatchNorm2d(a), nn.ReLU(inplace=True)]
    layers += [_conv3(a, b), nn.BatchNorm2d(b), nn.ReLU(inplace=True), _conv3(b, outputs)]
    if not head:
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    if enlarge:
        layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
    return nn.Sequential(*layers)


class _SqueezeExcitation(nn.Module):
    """Scales each channel by what the means of all channels say."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = self.fc(x.mean(dim=(2, 3)))
        return x * scale[:, :, None, None]


# --- collaborative matting --------------------------------------------------------------------------------------------


def glance_from_trimap(glance: Tensor, trimap: Tensor, rosta: str) -> Tensor:
    """The glance result overruled by a trimap.

    ``tt`` has the trimap's own three classes: the trimap replaces the glance. ``ft`` and ``bt`` have no class for
    "unknown", and their details are relative to what *this* network holds for sure foreground or background: there the
    trimap decides where it is known, and the glance stays where it is not.

    Args:
        glance: N 1 H W, class numbers.
        trimap: N 1 H W, 0, 0.5, 1.
        rosta: ``tt``, ``ft`` or ``bt``.

    Returns:
        N 1 H W class numbers, int64.
    """
    is_foreground, is_background = (trimap > 0.75).long(), (trimap < 0.25).long()
    if rosta == "tt":
        return 1 + is_foreground - is_background
    return torch.where(is_background == 1, torch.zeros_like(glance), torch.maximum(glance, is_foreground))


def collaborative_matting(glance: Tensor, focus: Tensor, rosta: str, trimap: Tensor | None = None) -> Tensor:
    """Alpha from glance and focus, without leaving the device.

    Args:
        glance: N C H W, one channel a class; the largest decides, so logits will do as well.
        focus: N 1 H W, 0..1.
        rosta: ``tt``, ``ft`` or ``bt``.
        trimap: N 1 H W, 0, 0.5, 1: overrules the glance, and its known pixels are obeyed.

    Returns:
        N 1 H W in 0..1, in the dtype of ``focus``. Gradients reach ``focus`` only.
    """
    classes = glance.argmax(dim=1, keepdim=True)
    if trimap is not None:
        classes = glance_from_trimap(classes, trimap, rosta)
    if rosta == "tt":
        alpha = torch.where(classes == 1, focus, (classes == 2).to(focus.dtype))
    elif rosta == "ft":
        alpha = (classes.to(focus.dtype) + focus).clamp(max=1)
    else:
        alpha = (classes.to(focus.dtype) - focus).clamp(min=0)
    return alpha if trimap is None else obey_trimap(alpha, trimap)


# --- the networks -----------------------------------------------------------------------------------------------------


class _GfmTrunk(nn.Module):
    """Encoder and decoders up to stage 1, which every RoSTa shares."""

    def __init__(self, config: GfmConfig) -> None:
        super().__init__()
        self.config = config
        plan = BACKBONES[config.backbone]
        self.depth = len(plan.encoder) - 1
        for k, stage in enumerate(_encoder_stages(config.backbone)):
            self.add_module(f"encoder{k}", stage)
        deepest = plan.encoder[-1]
        self.psp_module = _PyramidPooling(deepest)
        self.bridge_block = _bridge(deepest)
        glance_inputs = focus_inputs = 2 * deepest
        for step, widths in enumerate(plan.decoder):
            k = self.depth - step
            outputs = widths[-1]
            enlarge = k > 1 or not plan.full_resolution
            self.add_module(f"decoder{k}_g", _decoder(glance_inputs, widths, enlarge=enlarge))
            self.add_module(f"decoder{k}_f", _decoder(focus_inputs, widths, enlarge=enlarge))
            if enlarge:
                self.add_module(f"psp{k}", _context(deepest, outputs, 2 ** (step + 1)))
            glance_inputs, focus_inputs = 2 * outputs, outputs + plan.encoder[k - 1]

    def _head(self, outputs: int) -> nn.Sequential:
        """decoder0: the last stage, from half size, or from full size where the backbone keeps it."""
        plan = BACKBONES[self.config.backbone]
        width = plan.decoder[-1][-1]
        if plan.full_resolution:
            return nn.Sequential(_conv3(width, outputs))
        return _decoder(2 * width, (width, width, outputs), head=True)

    def _trunk(self, plate: Tensor) -> tuple[Tensor, Tensor]:
        """What the glance heads and the focus heads read. ``plate`` is 0..1, its sides multiples of 32."""
        stage = self.get_submodule
        # The network's own input is 0..255 without any normalisation.
        x = (plate * 255).to(self.bridge_block[0].weight.dtype)  # type: ignore[arg-type]
        features = []
        for k in range(self.depth + 1):
            x = stage(f"encoder{k}")(x)
            features.append(x)
        context = self.psp_module(x)
        glance, focus = torch.cat([context, x], dim=1), torch.cat([self.bridge_block(x), x], dim=1)
        full_resolution = BACKBONES[self.config.backbone].full_resolution
        for k in range(self.depth, 0, -1):
            glance, focus = stage(f"decoder{k}_g")(glance), stage(f"decoder{k}_f")(focus)
            if full_resolution and k == 1:
                break
            glance = torch.cat([stage(f"psp{k}")(context), glance], dim=1)
            focus = torch.cat([focus, features[k - 1]], dim=1)
        return glance, focus


def _is_tied(output: GfmOutput, margin: float) -> Tensor:
    best = output.glance.topk(2, dim=1).values
    return best[:, :1] - best[:, 1:] <= margin


def _answer(glance_logits: Tensor, focus_logits: Tensor, rosta: str, trimap: Tensor | None) -> GfmOutput:
    glance, focus = glance_logits.sigmoid(), focus_logits.sigmoid()
    return GfmOutput(glance_logits, glance, focus, collaborative_matting(glance, focus, rosta, trimap))


class Gfm(_GfmTrunk):
    """GFM with one RoSTa: ``tt``, ``ft`` or ``bt``."""

    def __init__(self, config: GfmConfig) -> None:
        super().__init__(config)
        self.decoder0_g = self._head(CLASSES[config.rosta])
        self.decoder0_f = self._head(1)

    def forward(self, plate: Tensor, trimap: Tensor | None = None) -> GfmOutput:
        """Both heads and their fusion.

        Args:
            plate: N 3 H W, sRGB-encoded, 0..1, any size: padded to multiples of 32 by repeating its last row and
                column, and the padding cropped off the results.
            trimap: N 1 H W, 0, 0.5, 1, or None; overrules the glance in ``fusion``. ``glance`` stays the network's.
        """
        height, width = plate.shape[-2:]
        glance, focus = self._trunk(pad_bottom_right(plate, 32, mode="replicate"))
        glance_logits = self.decoder0_g(glance)[..., :height, :width].to(plate.dtype)
        focus_logits = self.decoder0_f(focus)[..., :height, :width].to(plate.dtype)
        return _answer(glance_logits, focus_logits, self.config.rosta, trimap)

    def forward_matte(self, plate: Tensor, trimap: Tensor | None = None) -> Tensor:
        """Alpha N 1 H W in 0..1 in one pass at the plate's own size; known pixels of a trimap are obeyed.

        GFM has learned to see whole subjects: for large pictures use the strategies of ``inference/whole_pictures.py``.
        """
        return self.forward(plate, trimap).fusion

    def undecided(self, plate: Tensor, margin: float) -> Tensor:
        """Where the two likeliest glance classes are at most ``margin`` (0..1) apart, N 1 H W, bool: rounding decides
        there which of them alpha is made of. ``plate`` as in :meth:`forward`."""
        return _is_tied(self.forward(plate), margin)


class GfmRim(_GfmTrunk):
    """GFM with the three RoSTa and their integration."""

    def __init__(self, config: GfmConfig) -> None:
        super().__init__(config)
        for rosta, classes in CLASSES.items():
            self.add_module(f"decoder0_g_{rosta}", self._head(classes))
            self.add_module(f"decoder0_f_{rosta}", self._head(1))
        self.rim = nn.Sequential(nn.Conv2d(3, 16, 1), _SqueezeExcitation(16, 4), nn.Conv2d(16, 1, 1))

    def forward(self, plate: Tensor, trimap: Tensor | None = None) -> GfmRimOutput:
        """The three RoSTa and the integrated alpha; arguments as in :meth:`Gfm.forward`."""
        height, width = plate.shape[-2:]
        glance, focus = self._trunk(pad_bottom_right(plate, 32, mode="replicate"))
        outputs = []
        for rosta in CLASSES:
            glance_logits = self.get_submodule(f"decoder0_g_{rosta}")(glance)[..., :height, :width].to(plate.dtype)
            focus_logits = self.get_submodule(f"decoder0_f_{rosta}")(focus)[..., :height, :width].to(plate.dtype)
            outputs.append(_answer(glance_logits, focus_logits, rosta, trimap))
        fusions = torch.cat([output.fusion for output in outputs], dim=1)
        tt, ft, bt = outputs
        return GfmRimOutput(tt, ft, bt, self.integrate(fusions))

    def integrate(self, fusions: Tensor) -> Tensor:
        """N 3 H W, the fusions of ``tt``, ``ft``, ``bt``, to one alpha N 1 H W, not clamped.

        The squeeze reads the mean of the whole picture: padding has to be cropped off before.
        """
        alpha = self.rim(fusions.to(self.bridge_block[0].weight.dtype)).to(fusions.dtype)  # type: ignore[arg-type]
        assert isinstance(alpha, Tensor)
        return alpha

    def forward_matte(self, plate: Tensor, trimap: Tensor | None = None) -> Tensor:
        """Alpha N 1 H W in 0..1; see :meth:`Gfm.forward_matte`."""
        alpha = self.forward(plate, trimap).fusion.clamp(0, 1)
        return alpha if trimap is None else obey_trimap(alpha, trimap)

    def undecided(self, plate: Tensor, margin: float) -> Tensor:
        """Of any of the three; see :meth:`Gfm.undecided`."""
        answer = self.forward(plate)
        tied = [_is_tied(output, margin) for output in (answer.tt, answer.ft, answer.bt)]
        return torch.cat(tied, dim=1).any(dim=1, keepdim=True)


def _register(config: GfmConfig) -> None:
    name = f"gfm-{config.backbone}-{config.rosta}"
    network = GfmRim if config.rosta == "rim" else Gfm

    # The pyramid sees the whole picture, so no margin makes tiles agree exactly; 256 keeps seams small.
    @register_model(name, family="gfm", needs_trimap=False, multiple_of=32, margin=256)
    def build() -> nn.Module:
        return network(config)


for _backbone in BACKBONES:
    for _rosta in (*CLASSES, "rim"):
        _register(GfmConfig(_backbone, _rosta))
