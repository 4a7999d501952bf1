"""Backpropagating refinement: steer a network's decoder, picture by picture, until the matte meets its trimap.

Wang et al., "Improving Deep Image Matting via Local Smoothness Assumption" (LSA-Matting), section on test time. Alpha
should be continuous across the trimap's border, so unknown pixels beside known ones say what is wrong with a matte.
Scales A and shifts B of the decoder's features, zero at first, descend the gradient of that; the weights stay as they
are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.errors import CancelledError, ModelError, SettingError
from gossamer.inference.solution import Cancelled

__all__ = ["Modulation", "RefinableNetwork", "RefineSettings", "Refinement", "check_refinable", "refine"]

Modulation = Mapping[int, tuple[Tensor, Tensor]]
"""For each decoder stage (A, B), N C h w each: its features t become ``t * exp(up(A)) + up(B)``, up bicubic."""


PROGRESS = 1e-3
"""Part of the loss that a step has to take away to count as progress."""


@runtime_checkable
class RefinableNetwork(Protocol):
    """A network whose decoder can be steered."""

    def encode(self, plate: Tensor, trimap: Tensor) -> Any:
        """Whatever ``decode`` needs, from N 3 H W (sRGB-encoded, 0..1) and N 1 H W of 0, 0.5, 1."""
        ...

    def decode(self, features: Any, modulation: Modulation | None = None) -> Tensor:
        """Raw alpha N 1 H W: not clamped, not held to the trimap. ``modulation`` may leave stages out."""
        ...

    def modulation_shapes(self) -> Mapping[int, tuple[int, int, int]]:
        """C, h, w of the A and B of each stage that may be steered; the same for pictures of every size."""
        ...


@dataclass(frozen=True)
class RefineSettings:
    """How far and how fast."""

    steps: int = 100
    """Updates of the variables; 0 leaves the network's own matte."""
    rate: float = 20.0
    """Length of a step: of plain gradient descent, no momentum."""
    keep_weight: float = 0.1
    """Weight of staying near the network's own matte."""
    clamp_reference: bool = True
    """Measure that against the clamped matte; the published code takes the raw one and counts its overshoot."""

    patience: int = 0
    """Stop a batch after this many steps that brought none of its pictures closer by PROGRESS; 0 takes every step.
    Steps that the guard takes back do not count."""

    def __post_init__(self) -> None:
        if self.patience < 0:
            raise SettingError(f"The refinement's patience has to be 0 or more steps, not {self.patience}.")
        if self.steps < 0:
            raise SettingError(f"Refinement takes 0 or more steps, not {self.steps}.")
        if not self.rate > 0:
            raise SettingError(f"The refinement rate has to be above 0, not {self.rate}.")
        if self.keep_weight < 0:
            raise SettingError(f"The refinement's keep weight has to be 0 or more, not {self.keep_weight}.")


@dataclass(frozen=True, eq=False)
class Refinement:
    """A batch of refined mattes."""

    alpha: Tensor
    """N 1 H W float32, 0..1, exactly the trimap where it is known. No gradient."""
    modulation: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """What steered the decoder to it: a warm start for the next frame. Empty if nothing was refined."""
    losses: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 3))
    """passes x N x (total, edge, keep), the first pass before any update."""
    halvings: Tensor = field(default_factory=lambda: torch.zeros(0))
    """N: how often the guard rejected a step that made the matte worse than the first and halved the rate."""
    first_loss: Tensor = field(default_factory=lambda: torch.zeros(0))
    """N: the loss of the network's own matte, which a warm start does not begin with."""

    @property
    def is_unchanged(self) -> bool:
        """Whether no picture of the batch came to a lower loss than the network's own matte has."""
        if not self.losses.numel():
            return True
        totals = self.losses[..., 0].nan_to_num(nan=torch.inf)
        return bool((totals.amin(dim=0) >= self.first_loss).all())


@dataclass(frozen=True, eq=False)
class _Regions:
    """Masks N 1 H W, as floats."""

    unknown: Tensor
    beside_foreground: Tensor
    beside_background: Tensor

    @classmethod
    def of(cls, trimap: Tensor) -> _Regions:
        foreground, background = (trimap > 0.75).float(), (trimap < 0.25).float()
        unknown = 1 - foreground - background
        # A pixel's eight neighbours: the pixel itself is unknown and adds nothing.
        return cls(
            unknown, *(F.max_pool2d(region, 3, stride=1, padding=1) * unknown for region in (foreground, background))
        )


def _losses(raw: Tensor, reference: Tensor, regions: _Regions, keep_weight: float) -> Tensor:
    """N x (total, edge, keep)."""
    alpha = raw.clamp(0, 1)
    edge = (1 - alpha).square() * regions.beside_foreground + alpha.square() * regions.beside_background
    count = (regions.beside_foreground + regions.beside_background).sum(dim=(1, 2, 3))
    edge = edge.sum(dim=(1, 2, 3)) / (count + 0.2)
    keep = ((alpha - reference).abs() * regions.unknown).sum(dim=(1, 2, 3))
    keep = keep / regions.unknown.sum(dim=(1, 2, 3)).clamp(min=1)
    return torch.stack([edge + keep_weight * keep.square(), edge, keep], dim=1)


def _choose(which: Tensor, yes: list[Tensor], no: list[Tensor]) -> list[Tensor]:
    """Per picture of the batch: ``yes`` where ``which``, else ``no``."""
    return [torch.where(which[:, None, None, None], a, b) for a, b in zip(yes, no, strict=True)]


def refine(
    network: nn.Module,
    plate: Tensor,
    trimap: Tensor,
    settings: RefineSettings | None = None,
    *,
    start: Modulation | None = None,
    cancelled: Cancelled | None = None,
) -> Refinement:
    """Refine the mattes of a batch; each picture has variables of its own and does not see the others.

    A step after which a picture's loss is above its first one, or not a number, is taken back, and that picture goes on
    at half the rate. What is returned is the matte of the lowest loss, by that loss never worse than the network's own.

    Args:
        network: a :class:`RefinableNetwork` in eval mode. Its weights are not changed and receive no gradient.
        plate: N 3 H W, sRGB-encoded, 0..1; H and W multiples of what the network asks for.
        trimap: N 1 H W of 0, 0.5 and 1. A picture without unknown pixels is left alone.
        settings: how far and how fast; the published ones by default.
        start: the modulation of an earlier frame to begin with, dropped by a picture that is worse off with it.
        cancelled: asked before each step.

    Raises:
        ModelError: the network cannot be steered, is in train mode, or gives values that are not numbers.
        SettingError: ``start`` does not fit the network or the batch.
        CancelledError: ``cancelled`` said so.
    """
    settings = settings or RefineSettings()
    check_refinable(network, start, len(plate))
    steered = cast(RefinableNetwork, network)
    # Refinement needs gradients and full precision, whatever the caller has switched off.
    with torch.inference_mode(False), torch.autocast(plate.device.type, enabled=False):
        plate, trimap = plate.detach().float().clone(), trimap.detach().float().clone()
        with torch.no_grad():
            features = steered.encode(plate, trimap)
            raw = steered.decode(features)
        if not torch.isfinite(raw).all():
            raise ModelError("The network gave values that are not numbers; there is nothing to refine.")
        regions = _Regions.of(trimap)
        found = Refinement(raw.clamp(0, 1))
        if settings.steps and regions.unknown.any():
            with torch.enable_grad():
                found = _descend(steered, features, raw, regions, settings, start, cancelled)
        known = torch.where(trimap > 0.75, 1.0, 0.0)
        return Refinement(
            torch.where(regions.unknown > 0, found.alpha, known),
            found.modulation,
            found.losses,
            found.halvings,
            found.first_loss,
        )


def check_refinable(network: nn.Module, start: Modulation | None, batch: int) -> None:
    """Whether ``network`` can be refined, and from ``start``, in batches of ``batch``.

    Raises:
        ModelError: it cannot be steered, or is in train mode.
        SettingError: ``start`` does not fit.
    """
    if not isinstance(network, RefinableNetwork):
        raise ModelError(
            f"{type(network).__name__} has no decoder that refinement can steer. Use gossamer-s or lsa-r50d, or no "
            "refinement."
        )
    if any(module.training for module in network.modules()):
        raise ModelError("Refinement needs the network in eval mode: call eval() first.")
    if start:
        expected = {stage: (batch, *shape) for stage, shape in network.modulation_shapes().items()}
        given = {stage: tuple(value.shape) for stage, pair in start.items() for value in pair}
        if given != expected:
            raise SettingError(f"The refinement cannot start from {given}: this network and batch need {expected}.")


def _descend(
    network: RefinableNetwork,
    features: Any,
    raw: Tensor,
    regions: _Regions,
    settings: RefineSettings,
    start: Modulation | None,
    cancelled: Cancelled | None,
) -> Refinement:
    """Gradient descent on A and B, guarded picture by picture."""
    shapes = network.modulation_shapes()
    stages, batch = list(shapes), len(raw)
    zeros = [raw.new_zeros(batch, *shapes[stage]) for stage in stages for _ in range(2)]
    reference = raw.clamp(0, 1) if settings.clamp_reference else raw
    first = _losses(raw, reference, regions, settings.keep_weight)[:, 0]
    rate = torch.full_like(first, settings.rate)
    halvings, stale = torch.zeros_like(first), torch.zeros_like(first)
    variables = zeros
    if start:
        variables = [value.detach().to(raw).clone() for stage in stages for value in start[stage]]
    base, slope = zeros, zeros
    best, best_loss, best_alpha = zeros, first, raw.clamp(0, 1)
    history = []
    for step in range(settings.steps + 1):
        if cancelled is not None and cancelled():
            raise CancelledError("Cancelled.")
        variables = [value.detach().requires_grad_() for value in variables]
        pairs = dict(zip(stages, zip(variables[::2], variables[1::2], strict=True), strict=True))
        raw = network.decode(features, pairs)
        losses = _losses(raw, reference, regions, settings.keep_weight)
        total = losses[:, 0].detach()
        # Not `>`: a loss that is not a number is never below another.
        accepted = total <= first * (1 + 1e-6)
        better = total < best_loss
        is_still = accepted & (total >= best_loss * (1 - PROGRESS))
        stale = torch.where(is_still, stale + 1, torch.where(accepted, 0.0, stale)) if step else stale
        best = _choose(better, variables, best)
        best_loss = torch.where(better, total, best_loss)
        best_alpha = torch.where(better[:, None, None, None], raw.detach().clamp(0, 1), best_alpha)
        history.append(losses.detach())
        if step == settings.steps or (settings.patience and bool((stale >= settings.patience).all())):
            break
        # Of the weights no gradient is asked, so none is left behind on them.
        gradient = list(torch.autograd.grad(losses[:, 0].sum(), variables))
        base, slope = _choose(accepted, variables, base), _choose(accepted, gradient, slope)
        if step:  # a warm start that is worse than none says nothing about the rate
            rate = torch.where(accepted, rate, rate / 2)
            halvings += ~accepted
        variables = [a - rate[:, None, None, None] * g for a, g in zip(base, slope, strict=True)]
    best = [value.detach() for value in best]
    modulation = dict(zip(stages, zip(best[::2], best[1::2], strict=True), strict=True))
    return Refinement(best_alpha, modulation, torch.stack(history), halvings, first)
