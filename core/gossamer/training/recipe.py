"""A recipe is everything that decides a training run; it is read from TOML and travels inside the checkpoints."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossamer.errors import SettingError

__all__ = ["LossWeights", "Recipe", "load_recipe", "recipe_from_dict", "shipped_recipes"]

_SHIPPED = Path(__file__).resolve().parent / "recipes"


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms, all over the unknown region (known pixels are enforced, not learned)."""

    alpha: float = 1.0
    """Charbonnier distance of alpha, multi-scale without a penalty for overshoot (LSA, algorithms.md B.4)."""
    laplacian: float = 0.5
    """Laplacian pyramid distance."""
    gradient: float = 0.5
    """Distance of the Sobel gradients."""
    composition: float = 0.25
    """Distance of the plate from the composite of the true colours with the predicted alpha."""


@dataclass(frozen=True)
class Recipe:
    """One training run."""

    name: str
    model: str
    seed: int
    steps: int
    """Optimiser steps of the whole run; the learning rate schedule depends on it."""
    batch: int
    """Samples a step and device."""
    size: int
    """Side of the training crops in pixels, a multiple of 32."""
    learning_rate: float
    """Peak of the one-cycle schedule."""
    warm_up: float = 0.05
    """Share of the steps in which the learning rate rises."""
    final_rate: float = 0.01
    """Share of the peak that is left at the end."""
    weight_decay: float = 1e-4
    """AdamW's; none on biases and normalisations."""
    gradient_clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.999
    """Decay of the averaged weights, which are the result."""
    accumulate: int = 1
    """Batches a step."""
    precision: str = "bf16-mixed"
    """Lightning's name: ``32-true`` or ``bf16-mixed`` or ``16-mixed``."""
    start_from: str = ""
    """Weights to start from (a registered name or a folder); empty: random."""
    losses: LossWeights = field(default_factory=LossWeights)
    data: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the sample generator beside size and seed (gossamer.data.synthetic.SyntheticSettings)."""

    def __post_init__(self) -> None:
        def require(condition: bool, message: str) -> None:
            if not condition:
                raise SettingError(f"Recipe {self.name!r}: {message}")

        require(self.steps > 0, f"steps is {self.steps}; give at least 1.")
        require(self.batch > 0, f"batch is {self.batch}; give at least 1.")
        require(self.accumulate > 0, f"accumulate is {self.accumulate}; give at least 1.")
        require(self.size >= 64 and self.size % 32 == 0, f"size is {self.size}; give a multiple of 32 from 64 on.")
        require(self.learning_rate > 0, f"learning_rate is {self.learning_rate}; give a positive number.")
        require(0 <= self.ema < 1, f"ema is {self.ema}; give 0 to 1.")
        require(
            self.precision in ("32-true", "bf16-mixed", "16-mixed"),
            f"precision is {self.precision!r}; use 32-true, bf16-mixed or 16-mixed.",
        )


def recipe_from_dict(values: Mapping[str, Any], where: str) -> Recipe:
    """Build a recipe from parsed TOML or from a checkpoint.

    Raises:
        SettingError: a setting is unknown, missing or out of range; ``where`` is named.
    """
    known = {f.name for f in dataclasses.fields(Recipe)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingError(f"{where}: unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
    arguments = dict(values)
    try:
        if "losses" in arguments:
            arguments["losses"] = LossWeights(**arguments["losses"])
        return Recipe(**arguments)
    except TypeError as error:
        raise SettingError(f"{where}: {error}.") from error


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe by its shipped name or from a TOML file.

    Raises:
        SettingError: it does not exist, is not TOML, or holds a setting that is unknown or out of range.
    """
    shipped = _SHIPPED / f"{name_or_path}.toml"
    path = shipped if Path(name_or_path).name == name_or_path and shipped.is_file() else Path(name_or_path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(
            f"Cannot read the recipe {name_or_path}: {error.strerror}. Shipped: {', '.join(shipped_recipes())}."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path} is not a recipe: {error}.") from error
    return recipe_from_dict(values, str(path))
