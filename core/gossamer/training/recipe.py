"""A recipe is everything that decides a training run; it is read from TOML and travels inside the checkpoints."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossamer.data.sample_settings import SAMPLES, SyntheticSamples
from gossamer.errors import SettingError
from gossamer.training.loss_settings import LOSSES, LossWeights
from gossamer.training.optimization import OptimizerSettings, ScheduleSettings
from gossamer.training.tables import build, take

__all__ = ["FOLDER_SETTINGS", "LossWeights", "Recipe", "load_recipe", "recipe_from_dict", "shipped_recipes"]

FOLDER_SETTINGS = ("photos", "fur", "cutouts", "renders", "cache_folder", "root", "backgrounds")
"""Settings under ``data`` that say where things lie on one machine; moving a folder does not make another recipe."""

_SHIPPED = Path(__file__).resolve().parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """One training run."""

    name: str
    model: str
    seed: int
    steps: int
    """Optimiser steps of the whole run; the learning rate schedule depends on it."""
    batch: int
    """Samples a batch and device."""
    size: int
    """Side of the training crops in pixels, a multiple of 32."""
    learning_rate: float
    """Peak of the schedule."""
    warm_up: float = 0.05
    """One-cycle: share of the steps in which the learning rate rises."""
    final_rate: float = 0.01
    """One-cycle: share of the peak that is left at the end."""
    weight_decay: float = 1e-4
    """See ``optimizer.decayed`` for what it holds."""
    gradient_clip: float = 1.0
    """Largest norm of the gradient; 0 for any."""
    ema: float = 0.999
    """Decay of the averaged weights, which are the result."""
    accumulate: int = 1
    """Batches a step."""
    precision: str = "bf16-mixed"
    """Lightning's name: ``32-true`` or ``bf16-mixed``."""
    start_from: str = ""
    """Weights to start from: a registered name, a folder, a converted file, a finished run; empty: random."""
    encoder_from: str = ""
    """A file with an encoder of another task to start from (ImageNet, DINO, MAE); see gossamer.training.encoders."""
    pipeline: str = "gossamer"
    """How samples are made of the data: a key of gossamer.data.sample_settings.SAMPLES."""
    objective: str = "matting"
    """What is minimised: a key of gossamer.training.loss_settings.LOSSES."""
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    losses: Any = field(default_factory=LossWeights)
    """Settings of the objective, of the type that LOSSES names."""
    samples: Any = field(default_factory=SyntheticSamples)
    """Settings of the pipeline, of the type that SAMPLES names."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """``source`` names where pictures come from, ``synthetic`` if it is missing; the rest are that source's settings
    (gossamer.data.sources)."""

    def __post_init__(self) -> None:
        def require(condition: bool, message: str) -> None:
            if not condition:
                raise SettingError(f"Recipe {self.name!r}: {message}")

        require(self.steps > 0, f"steps is {self.steps}; give at least 1.")
        require(self.batch > 0, f"batch is {self.batch}; give at least 1.")
        require(self.accumulate > 0, f"accumulate is {self.accumulate}; give at least 1.")
        require(self.size >= 64 and self.size % 32 == 0, f"size is {self.size}; give a multiple of 32 from 64 on.")
        require(self.seed >= 0, f"seed is {self.seed}; give 0 or more.")
        rate, clip = self.learning_rate, self.gradient_clip
        require(rate > 0 and math.isfinite(rate), f"learning_rate is {rate}; give a positive number.")
        require(clip >= 0 and math.isfinite(clip), f"gradient_clip is {clip}; give a positive number, or 0 for none.")
        require(0 <= self.weight_decay < math.inf, f"weight_decay is {self.weight_decay}; give 0 or more.")
        for name in ("warm_up", "final_rate"):
            require(0 <= getattr(self, name) <= 1, f"{name} is {getattr(self, name)}; give 0 to 1.")
        require(0 <= self.ema < 1, f"ema is {self.ema}; give 0 to less than 1.")
        # Not 16-mixed: its loss scale would be one more state to resume, and bf16 needs none.
        require(
            self.precision in ("32-true", "bf16-mixed"), f"precision is {self.precision!r}; use 32-true or bf16-mixed."
        )
        for name, kinds, settings in (("pipeline", SAMPLES, "samples"), ("objective", LOSSES, "losses")):
            chosen = getattr(self, name)
            require(chosen in kinds, f"{name} is {chosen!r}; use {', '.join(kinds)}.")
            expected, found = kinds[chosen], type(getattr(self, settings))
            require(found is expected, f"{settings} are {found.__name__}; {name} {chosen!r} takes {expected.__name__}.")


def recipe_from_dict(values: Mapping[str, Any], where: str) -> Recipe:
    """Build a recipe from parsed TOML or from a checkpoint.

    Raises:
        SettingError: a setting is unknown, missing, of the wrong type or out of range; ``where`` is named.
    """
    arguments = take(Recipe, values, where)
    needed = [f.name for f in dataclasses.fields(Recipe) if f.default is f.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in arguments]
    if missing:
        raise SettingError(f"{where}: the settings {', '.join(missing)} are missing.")
    if not isinstance(arguments.get("data", {}), Mapping):
        raise SettingError(f"{where}: data is {arguments['data']!r}; give a table of settings.")
    for name, kinds, settings in (("pipeline", SAMPLES, "samples"), ("objective", LOSSES, "losses")):
        chosen = arguments.get(name, Recipe.__dataclass_fields__[name].default)
        if chosen in kinds:
            arguments[settings] = build(kinds[chosen], arguments.get(settings, {}), where, f"{settings}.")
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
