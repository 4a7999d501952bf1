"""Every way of making training samples by its name in a recipe, and what may be set of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gossamer.data.ddc_samples import DdcSamples
from gossamer.data.gfm_samples import GfmSamples
from gossamer.data.lsa_samples import LsaOnlineSamples, LsaSamples
from gossamer.data.vitmatte_samples import ViTMatteSamples
from gossamer.errors import SettingError

__all__ = ["SAMPLES", "SyntheticSamples"]


@dataclass(frozen=True)
class SyntheticSamples:
    """Pipeline ``gossamer``: how the generator's samples are shown; how they are made stands under ``data``."""

    kept: int = 0
    """Samples that are made once and kept with the run's files (gossamer.training.kept_samples); each is shown again
    and again. 0: every step makes new ones and shows them whole."""
    canvas: int = 0
    """Of kept samples: side in pixels, a multiple of 32; what is shown is cut out of them, and the prior has seen all
    of it. 0: no larger than what is shown."""
    candidates: int = 1
    """Of kept samples: so many are made for each that is kept, the one on which the prior errs least. What is drawn is
    harder for the prior than photographs are."""
    teachers: tuple[str, ...] = ()
    """Of kept samples: weights, as ``start_from`` names them, whose mean matte is learned instead of the true alpha."""

    def __post_init__(self) -> None:
        if self.kept < 0:
            raise SettingError(f"samples.kept is {self.kept}; give 0 or more.")
        if self.canvas < 0 or self.canvas % 32:
            raise SettingError(f"samples.canvas is {self.canvas}; give a multiple of 32, or 0.")
        if self.canvas and not self.kept:
            raise SettingError("samples.canvas is for kept samples; give samples.kept as well.")
        if self.candidates < 1:
            raise SettingError(f"samples.candidates is {self.candidates}; give at least 1.")
        if self.candidates > 1 and not self.kept:
            raise SettingError("samples.candidates is for kept samples; give samples.kept as well.")
        if self.teachers and not self.kept:
            raise SettingError("samples.teachers is for kept samples; give samples.kept as well.")


SAMPLES: dict[str, type[Any]] = {
    "gossamer": SyntheticSamples,
    "gfm": GfmSamples,
    "lsa": LsaSamples,
    "lsa-online": LsaOnlineSamples,
    "vitmatte": ViTMatteSamples,
    "ddc": DdcSamples,
}
"""Settings by pipeline."""
