"""What a recipe may set of optimiser and learning rate; no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gossamer.errors import SettingError

__all__ = ["OptimizerSettings", "ScheduleSettings"]


@dataclass(frozen=True)
class OptimizerSettings:
    """Which optimiser, and what it does to which parameters. Rate and weight decay stand in the recipe itself."""

    kind: Literal["adamw", "adam"] = "adamw"
    """``adam`` adds the decay to the gradient, as torch's Adam does."""
    betas: tuple[float, float] = (0.9, 0.999)
    decayed: Literal["matrices", "all-but-norms"] = "matrices"
    """What the recipe's weight decay holds for: weights of convolutions and linear layers, or all but normalisations
    and tables of positions."""
    norms_by: Literal["layer", "name"] = "layer"
    """What is a normalisation: the kind of layer, or ``norm`` or ``bn`` in its name as LSA's code has it."""
    norm_weight_decay: float = 0.0
    """Weight decay of the rest."""
    layer_decay: float = 1.0
    """Factor on the rate from each transformer block to the one before; the embeddings have the lowest rate."""
    frozen: tuple[str, ...] = ()
    """Beginnings of names of what is not trained; ``encoder`` stands for the network's whole encoder. Normalisations in
    it keep their statistics."""
    frozen_norms: bool = False
    """All normalisations keep their statistics, as for batches of one."""

    def __post_init__(self) -> None:
        choices = {
            "kind": ("adamw", "adam"),
            "decayed": ("matrices", "all-but-norms"),
            "norms_by": ("layer", "name"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise SettingError(f"optimizer.{name} is {getattr(self, name)!r}; use {' or '.join(allowed)}.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise SettingError(f"optimizer.betas are {self.betas}; give two numbers from 0 to less than 1.")
        if not 0 <= self.norm_weight_decay < math.inf:
            raise SettingError(f"optimizer.norm_weight_decay is {self.norm_weight_decay}; give 0 or more.")
        if not 0 < self.layer_decay <= 1:
            raise SettingError(f"optimizer.layer_decay is {self.layer_decay}; give more than 0, up to 1.")


@dataclass(frozen=True)
class ScheduleSettings:
    """The learning rate over a run. ``one-cycle`` is set by the recipe's own ``warm_up`` and ``final_rate``."""

    kind: Literal["one-cycle", "constant", "staircase", "steps"] = "one-cycle"
    warm_up_steps: int = 0
    """Not of one-cycle: steps in which the rate rises linearly from a thousandth."""
    period: float = 0.2
    """Staircase: share of the run between two stairs."""
    factor: float = 0.5
    """Staircase: what a stair multiplies the rate by."""
    at: tuple[float, ...] = (0.3, 0.9)
    """Steps: shares of the run at which the factor changes."""
    factors: tuple[float, ...] = (0.1, 0.05)
    """Steps: the factor from each of these on; 1 before."""

    def __post_init__(self) -> None:
        kinds = ("one-cycle", "constant", "staircase", "steps")
        if self.kind not in kinds:
            raise SettingError(f"schedule.kind is {self.kind!r}; use {', '.join(kinds)}.")
        if self.warm_up_steps < 0:
            raise SettingError(f"schedule.warm_up_steps is {self.warm_up_steps}; give 0 or more.")
        if not 0 < self.period <= 1 or not 0 < self.factor <= 1:
            raise SettingError(
                f"schedule.period is {self.period} and schedule.factor {self.factor}; give both more than 0, up to 1."
            )
        if len(self.at) != len(self.factors) or list(self.at) != sorted(self.at):
            raise SettingError(
                f"schedule.at is {list(self.at)} and schedule.factors {list(self.factors)}; give as many factors as "
                "shares of the run, and the shares in rising order."
            )
