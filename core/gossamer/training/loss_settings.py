"""What a recipe may set of its objective: one frozen dataclass an objective, no torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from gossamer.errors import SettingError

__all__ = ["LOSSES", "DdcLosses", "GfmLosses", "LossWeights", "LsaLosses", "ViTMatteLosses"]


@dataclass(frozen=True)
class LossWeights:
    """Objective ``matting``: weights of its terms, all over the unknown region (known pixels are enforced, not
    learned)."""

    alpha: float = 1.0
    """Charbonnier distance of alpha, multi-scale without a penalty for overshoot (LSA, algorithms.md B.4)."""
    laplacian: float = 0.5
    """Laplacian pyramid distance."""
    gradient: float = 0.5
    """Distance of the Sobel gradients."""
    composition: float = 0.25
    """Distance of the plate from the composite of the true colours with the predicted alpha."""
    squared: float = 0.0
    """Mean squared error of alpha: the mean of the answers that a picture allows instead of their median."""

    def __post_init__(self) -> None:
        weights = dataclasses.asdict(self)
        for name, weight in weights.items():
            if not (weight >= 0 and math.isfinite(weight)):
                raise SettingError(f"losses.{name} is {weight}; give 0 or more.")
        if not any(weights.values()):
            raise SettingError("All losses are 0; there is nothing to learn from.")


@dataclass(frozen=True)
class GfmLosses:
    """Objectives ``gfm`` and ``gfm-rim``; the division of labour is the network's own."""

    cross_entropy: Literal["logits", "compat"] = "logits"
    """Of the glance: on logits, or on their sigmoids as the published code has it."""

    def __post_init__(self) -> None:
        if self.cross_entropy not in ("logits", "compat"):
            raise SettingError(f"losses.cross_entropy is {self.cross_entropy!r}; use logits or compat.")


@dataclass(frozen=True)
class LsaLosses:
    """Objective ``lsa``."""

    scales: int = 5
    """Of the pyramid of errors."""

    def __post_init__(self) -> None:
        if self.scales < 1:
            raise SettingError(f"losses.scales is {self.scales}; give at least 1.")


@dataclass(frozen=True)
class ViTMatteLosses:
    """Objective ``vitmatte``."""

    reference_side: int = 0
    """512 scales the regional terms as the published code does for crops of another size; 0 takes means."""

    def __post_init__(self) -> None:
        if self.reference_side < 0:
            raise SettingError(f"losses.reference_side is {self.reference_side}; give a side in pixels, or 0.")


@dataclass(frozen=True)
class DdcLosses:
    """Objective ``ddc``: trimaps alone."""

    known: float = 1.0
    """Weight of the distance from the trimap where it is known."""
    ddc: float = 10.0
    """Weight of the directional distance consistency; 0 learns from known pixels alone."""
    glance: float = 1.0
    """Weight of GFM's cross entropy against the classes that the trimap gives; of no effect on other networks."""
    window: int = 11
    """Odd side of the neighbourhood in pixels."""
    neighbours: int = 11
    """How many of the nearest colours pair with a pixel, itself included."""
    padding: Literal["exclude", "zeros"] = "exclude"
    """Of what lies outside the crop; the published code takes zeros."""
    scale_by_contrast: bool = False
    """Scale differences of alpha by the local contrast (MatAnyone)."""

    def __post_init__(self) -> None:
        for name in ("known", "ddc", "glance"):
            weight = getattr(self, name)
            if not (weight >= 0 and math.isfinite(weight)):
                raise SettingError(f"losses.{name} is {weight}; give 0 or more.")
        if self.known + self.ddc == 0:
            raise SettingError("All losses are 0; there is nothing to learn from.")
        if self.padding not in ("exclude", "zeros"):
            raise SettingError(f"losses.padding is {self.padding!r}; use exclude or zeros.")
        if self.window < 3 or self.window % 2 == 0 or not 2 <= self.neighbours <= self.window**2:
            raise SettingError(
                f"losses.window is {self.window} and losses.neighbours {self.neighbours}; give an odd window from 3 on "
                "and 2 to window * window neighbours."
            )


LOSSES: dict[str, type[Any]] = {
    "matting": LossWeights,
    "gfm": GfmLosses,
    "gfm-rim": GfmLosses,
    "lsa": LsaLosses,
    "vitmatte": ViTMatteLosses,
    "ddc": DdcLosses,
}
"""Settings by objective."""
