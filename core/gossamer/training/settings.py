"""Where and how a recipe is run, in contrast to the recipe, which says what is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from gossamer.errors import SettingError

__all__ = ["TrainingSettings"]

_DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class TrainingSettings:
    """Where and how a recipe is run; nothing here changes what it computes on one device."""

    output: Path
    """Folder of the run: checkpoints, log, curves, sample mattes."""
    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""
    devices: int = 1
    """Processes of this machine, each with a batch of its own; under ``torchrun`` its numbers count instead."""
    workers: int = 1
    """Processes that make samples, for each training process; 0 makes them in the training process."""
    threads: int = 0
    """CPU threads of the training process; 0 leaves torch's choice."""
    checkpoint_minutes: float = 3.0
    """Minutes between checkpoints; 0 writes one after every step."""
    stop_after_minutes: float = 0.0
    """Stop with a checkpoint after this time; 0 runs to the end."""
    resume: bool = False
    """Go on from the output folder's checkpoint."""
    validation: Path | None = None
    """Folder with ``image/``, ``alpha/`` and ``trimap/`` that the averaged weights are measured on with each
    checkpoint."""

    def __post_init__(self) -> None:
        if self.device not in _DEVICES:
            raise SettingError(f"device is {self.device!r}; use {', '.join(_DEVICES)}.")
        if self.devices < 1:
            raise SettingError(f"devices is {self.devices}; give at least 1.")
        for name in ("workers", "threads", "checkpoint_minutes", "stop_after_minutes"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise SettingError(f"{name} is {value}; give 0 or more.")
