"""Every way of making training samples by its name in a recipe, and what may be set of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gossamer.data.ddc_samples import DdcSamples
from gossamer.data.gfm_samples import GfmSamples
from gossamer.data.lsa_samples import LsaOnlineSamples, LsaSamples
from gossamer.data.vitmatte_samples import ViTMatteSamples

__all__ = ["SAMPLES", "SyntheticSamples"]


@dataclass(frozen=True)
class SyntheticSamples:
    """Pipeline ``gossamer`` has no settings of its own: the generator has them all, under ``data``."""


SAMPLES: dict[str, type[Any]] = {
    "gossamer": SyntheticSamples,
    "gfm": GfmSamples,
    "lsa": LsaSamples,
    "lsa-online": LsaOnlineSamples,
    "vitmatte": ViTMatteSamples,
    "ddc": DdcSamples,
}
"""Settings by pipeline."""
