"""The training totals of GFM: one of its three divisions of labour (RoSTa), or all of them and their integration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from torch import Tensor, nn

from gossamer.errors import SettingError
from gossamer.losses.alpha import unknown_alpha_loss, whole_alpha_loss
from gossamer.losses.composition import composition_loss
from gossamer.losses.glance import CrossEntropy, glance_labels, glance_loss
from gossamer.losses.known import is_unknown
from gossamer.losses.laplacian import gfm_laplacian_loss

__all__ = [
    "GfmLoss",
    "GfmTerms",
    "GfmTruth",
    "HeadOutput",
    "IntegratedOutput",
    "RimLoss",
    "Rosta",
    "gfm_loss",
    "rim_loss",
    "rosta_targets",
]

Rosta = Literal["tt", "ft", "bt"]

TERM_WEIGHT = 0.25
"""Each of the four terms of a single network; RIM adds all of its terms with weight 1."""


class HeadOutput(Protocol):
    """What one glance and focus pair gives."""

    @property
    def glance_logits(self) -> Tensor:
        """N C H W before the sigmoid; C is 3 for tt, 2 for ft and bt."""
        ...

    @property
    def focus(self) -> Tensor:
        """N 1 H W after the sigmoid."""
        ...

    @property
    def fusion(self) -> Tensor:
        """N 1 H W, the matte."""
        ...


class IntegratedOutput(Protocol):
    """What the three heads and their integration give."""

    @property
    def tt(self) -> HeadOutput: ...

    @property
    def ft(self) -> HeadOutput: ...

    @property
    def bt(self) -> HeadOutput: ...

    @property
    def fusion(self) -> Tensor:
        """N 1 H W, the integrated matte, not clamped."""
        ...


@dataclass(frozen=True, eq=False)
class GfmTruth:
    """Truth of one batch; planes N 1 H W, colours N 3 H W, all 0..1."""

    alpha: Tensor
    trimap: Tensor
    """0, 0.5, 1; from a kernel of 25."""
    dilation: Tensor
    """1 within a kernel of 50 of anything that is not background."""
    erosion: Tensor
    """1 farther than a kernel of 50 from anything that is not foreground."""
    plate: Tensor
    foreground: Tensor
    """Unpremultiplied."""
    background: Tensor


class GfmTerms(NamedTuple):
    """The loss and its parts, unweighted; only ``total`` is to be minimised."""

    total: Tensor
    glance: Tensor
    focus: Tensor
    fusion: Tensor
    composition: Tensor


def rosta_targets(rosta: Rosta, truth: GfmTruth) -> tuple[Tensor, Tensor]:
    """Glance labels N H W and the focus target N 1 H W.

    tt learns background, transition, foreground, and alpha between them; ft learns the eroded foreground, and what
    alpha has beyond it; bt the dilated foreground, and what alpha lacks of it. The published training code gives ft the
    dilation and bt the matte itself, which its own fusion rules contradict.

    Raises:
        SettingError: no such RoSTa.
    """
    if rosta == "tt":
        return glance_labels(truth.trimap, 3), truth.alpha
    if rosta == "ft":
        return glance_labels(truth.erosion, 2), truth.alpha - truth.erosion
    if rosta == "bt":
        return glance_labels(truth.dilation, 2), truth.dilation - truth.alpha
    raise SettingError(f"GFM's RoSTa is tt, ft or bt, not {rosta!r}.")


def _terms(output: HeadOutput, rosta: Rosta, truth: GfmTruth, kind: CrossEntropy) -> tuple[Tensor, ...]:
    labels, target = rosta_targets(rosta, truth)
    unknown = is_unknown(truth.trimap)
    focus = unknown_alpha_loss(output.focus, target, truth.trimap) + gfm_laplacian_loss(output.focus, target, unknown)
    return glance_loss(output.glance_logits, labels, kind), focus, *_fusion_terms(output.fusion, truth)


def _fusion_terms(fusion: Tensor, truth: GfmTruth) -> tuple[Tensor, Tensor]:
    whole = whole_alpha_loss(fusion, truth.alpha) + gfm_laplacian_loss(fusion, truth.alpha)
    return whole, composition_loss(fusion, truth.foreground, truth.background, truth.plate)


def gfm_loss(output: HeadOutput, truth: GfmTruth, *, rosta: Rosta, kind: CrossEntropy = "logits") -> GfmTerms:
    """A quarter each of glance, focus, fusion and composition (GFM, Li et al. 2022).

    Args:
        output: of the network.
        truth: of the batch.
        rosta: the network's division of labour.
        kind: see :func:`gossamer.losses.glance.glance_loss`.

    Raises:
        SettingError: no such RoSTa, or a crop too small for the Laplacian pyramid.
    """
    terms = _terms(output, rosta, truth, kind)
    return GfmTerms(TERM_WEIGHT * sum(terms[1:], terms[0]), *terms)


def rim_loss(output: IntegratedOutput, truth: GfmTruth, *, kind: CrossEntropy = "logits") -> GfmTerms:
    """The plain sum of the terms of all three heads and of the integrated matte (GFM's RIM).

    The published training code reads ft's outputs in bt's place; here each head learns from its own.

    Args:
        output: of the network.
        truth: of the batch.
        kind: see :func:`gossamer.losses.glance.glance_loss`.

    Raises:
        SettingError: a crop too small for the Laplacian pyramid.
    """
    heads: tuple[tuple[HeadOutput, Rosta], ...] = ((output.tt, "tt"), (output.ft, "ft"), (output.bt, "bt"))
    glance, focus, fusion, composition = (
        sum(parts[1:], parts[0]) for parts in zip(*(_terms(*head, truth, kind) for head in heads), strict=True)
    )
    whole, integrated_composition = _fusion_terms(output.fusion, truth)
    terms = (glance, focus, fusion + whole, composition + integrated_composition)
    return GfmTerms(sum(terms[1:], terms[0]), *terms)


class GfmLoss(nn.Module):
    """:func:`gfm_loss` with its settings."""

    def __init__(self, rosta: Rosta, kind: CrossEntropy = "logits") -> None:
        super().__init__()
        self.rosta: Rosta = rosta
        self.kind: CrossEntropy = kind

    def forward(self, output: HeadOutput, truth: GfmTruth) -> GfmTerms:
        return gfm_loss(output, truth, rosta=self.rosta, kind=self.kind)


class RimLoss(nn.Module):
    """:func:`rim_loss` with its settings."""

    def __init__(self, kind: CrossEntropy = "logits") -> None:
        super().__init__()
        self.kind: CrossEntropy = kind

    def forward(self, output: IntegratedOutput, truth: GfmTruth) -> GfmTerms:
        return rim_loss(output, truth, kind=self.kind)
