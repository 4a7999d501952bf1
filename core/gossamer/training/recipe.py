"""A recipe is everything that decides a training run; it is read from TOML and travels inside the checkpoints."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossamer.errors import SettingError

__all__ = ["FOLDER_SETTINGS", "LossWeights", "Recipe", "load_recipe", "recipe_from_dict", "shipped_recipes"]

FOLDER_SETTINGS = ("photos", "fur", "cutouts", "cache_folder")
"""Settings under ``data`` that say where things lie on one machine; moving a folder does not make another recipe."""

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

    def __post_init__(self) -> None:
        weights = dataclasses.asdict(self)
        for name, weight in weights.items():
            if not (weight >= 0 and math.isfinite(weight)):
                raise SettingError(f"losses.{name} is {weight}; give 0 or more.")
        if not any(weights.values()):
            raise SettingError("All losses are 0; there is nothing to learn from.")


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
    """Lightning's name: ``32-true`` or ``bf16-mixed``."""
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
        require(self.seed >= 0, f"seed is {self.seed}; give 0 or more.")
        for name in ("learning_rate", "gradient_clip"):
            value = getattr(self, name)
            require(value > 0 and math.isfinite(value), f"{name} is {value}; give a positive number.")
        require(0 <= self.weight_decay < math.inf, f"weight_decay is {self.weight_decay}; give 0 or more.")
        for name in ("warm_up", "final_rate"):
            require(0 <= getattr(self, name) <= 1, f"{name} is {getattr(self, name)}; give 0 to 1.")
        require(0 <= self.ema < 1, f"ema is {self.ema}; give 0 to less than 1.")
        # Not 16-mixed: its loss scale would be one more state to resume, and bf16 needs none.
        require(
            self.precision in ("32-true", "bf16-mixed"), f"precision is {self.precision!r}; use 32-true or bf16-mixed."
        )


def _take(cls: type[Any], values: Any, where: str, prefix: str = "") -> dict[str, Any]:
    """The settings of dataclass ``cls`` in ``values``, all known and of the right type; whole numbers become floats."""
    if not isinstance(values, Mapping):
        raise SettingError(f"{where}: {prefix.rstrip('.')} is {values!r}; give a table of settings.")
    kinds = {f.name: f.type for f in dataclasses.fields(cls)}
    unknown = [prefix + name for name in sorted(set(values) - set(kinds))]
    if unknown:
        raise SettingError(f"{where}: unknown settings {', '.join(unknown)}; known are {', '.join(sorted(kinds))}.")
    words = {"int": "a whole number", "float": "a number", "str": "text in quotes"}
    taken = dict(values)
    for name, value in values.items():
        kind = kinds[name]
        if kind == "float" and type(value) is int:
            taken[name] = float(value)
        elif kind in words and type(value).__name__ != kind:
            raise SettingError(f"{where}: {prefix}{name} is {value!r}; give {words[kind]}.")
    return taken


def recipe_from_dict(values: Mapping[str, Any], where: str) -> Recipe:
    """Build a recipe from parsed TOML or from a checkpoint.

    Raises:
        SettingError: a setting is unknown, missing, of the wrong type or out of range; ``where`` is named.
    """
    arguments = _take(Recipe, values, where)
    needed = [f.name for f in dataclasses.fields(Recipe) if f.default is f.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in arguments]
    if missing:
        raise SettingError(f"{where}: the settings {', '.join(missing)} are missing.")
    if not isinstance(arguments.get("data", {}), Mapping):
        raise SettingError(f"{where}: data is {arguments['data']!r}; give a table of settings.")
    if "losses" in arguments:
        arguments["losses"] = LossWeights(**_take(LossWeights, arguments["losses"], where, "losses."))
    return Recipe(**arguments)


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
    except ValueError as error:  # no TOML, or no text at all
        raise SettingError(f"{path} is not a recipe: {error}.") from error
    return recipe_from_dict(values, str(path))
