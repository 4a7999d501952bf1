"""What a recipe minimises: one file an objective, chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from gossamer.errors import SettingError
from gossamer.models.registry import model_entry
from gossamer.training.objectives.ddc import ddc_losses, ddc_terms
from gossamer.training.objectives.gfm import GFM_TERMS, gfm_losses, gfm_rim_losses
from gossamer.training.objectives.lsa import LSA_TERMS, lsa_losses
from gossamer.training.objectives.matting import matting_losses, matting_terms
from gossamer.training.objectives.vitmatte import VITMATTE_TERMS, vitmatte_losses
from gossamer.training.recipe import Recipe
from gossamer.training.samples import AnyBatch, Batch, GfmBatch, KeptBatch, TrimapBatch

__all__ = ["Objective", "make_objective"]


@dataclass(frozen=True)
class Objective:
    """How one batch's losses are computed."""

    terms: tuple[str, ...]
    """Names of the parts, for the log; ``total`` stands beside them."""
    sees_trimap: bool
    """Whether the network is given the trimap."""
    trimap_only: bool
    """Whether all but plate and trimap is taken from the batch before the losses see it."""
    compute: Callable[[Any, Any], dict[str, Tensor]]
    """Network output and batch to the terms and their ``total``, which alone is minimised."""

    def losses(self, ask: Callable[..., Any], batch: AnyBatch) -> dict[str, Tensor]:
        """Ask the network and compute its losses."""
        answer = ask(*self._inputs(batch))
        return self.compute(answer, TrimapBatch(batch.plate, batch.trimap) if self.trimap_only else batch)

    def _inputs(self, batch: AnyBatch) -> tuple[Any, ...]:
        if isinstance(batch, KeptBatch):
            return batch.plate, batch.trimap, batch.prior
        return (batch.plate, batch.trimap) if self.sees_trimap else (batch.plate,)


def make_objective(recipe: Recipe) -> Objective:
    """The objective of ``recipe``.

    Raises:
        ModelError: no such network.
        SettingError: the network gives another kind of answer, or the pipeline's samples lack what is needed.
    """
    entry = model_entry(recipe.model)
    rosta = entry.name.rpartition("-")[2] if entry.family == "gfm" else ""
    wanted = {"gfm": ("tt", "ft", "bt"), "gfm-rim": ("rim",), "ddc": ("", "tt", "ft", "bt", "rim")}
    if rosta not in wanted.get(recipe.objective, ("",)):
        fitting = "gfm-rim" if rosta == "rim" else "gfm" if rosta else "matting, lsa, vitmatte"
        raise SettingError(
            f"Recipe {recipe.name!r}: objective {recipe.objective!r} is not for the network {recipe.model!r}; "
            f"use {fitting}{' or' if rosta else ','} ddc."
        )
    batch = GfmBatch if recipe.pipeline == "gfm" else TrimapBatch if recipe.pipeline == "ddc" else Batch
    needed: dict[str, tuple[type[AnyBatch], ...]] = {"gfm": (GfmBatch,), "gfm-rim": (GfmBatch,)}
    if recipe.objective != "ddc" and batch not in needed.get(recipe.objective, (Batch, GfmBatch)):
        pipelines = "gfm" if recipe.objective in needed else "gossamer, gfm, lsa, lsa-online or vitmatte"
        raise SettingError(
            f"Recipe {recipe.name!r}: objective {recipe.objective!r} cannot learn from samples of the pipeline "
            f"{recipe.pipeline!r}; use {pipelines}."
        )
    terms, compute = _of(recipe, rosta)
    return Objective(terms, entry.needs_trimap, recipe.objective == "ddc", compute)


def _of(recipe: Recipe, rosta: str) -> tuple[tuple[str, ...], Callable[[Any, Any], dict[str, Tensor]]]:
    settings = recipe.losses
    match recipe.objective:
        case "matting":
            return matting_terms(settings), lambda output, batch: matting_losses(output, batch, settings)
        case "lsa":
            return LSA_TERMS, lambda output, batch: lsa_losses(output, batch, settings)
        case "vitmatte":
            return VITMATTE_TERMS, lambda output, batch: vitmatte_losses(output, batch, settings)
        case "gfm":
            return GFM_TERMS, lambda output, batch: gfm_losses(output, batch, settings, rosta=rosta)  # type: ignore[arg-type]
        case "gfm-rim":
            return GFM_TERMS, lambda output, batch: gfm_rim_losses(output, batch, settings)
    terms = ddc_terms(settings, has_glance=bool(rosta))
    return terms, partial(ddc_losses, settings=settings, rosta=rosta)
