"""What a finished run leaves for use: its averaged weights with a manifest, for ``gossamer evaluate --model``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import Tensor

from gossamer.models.registry import model_entry
from gossamer.models.weights import MANIFEST_NAME, Manifest, save_weights
from gossamer.training.recipe import Recipe

__all__ = ["RESULT_NAME", "has_result", "write_result"]

RESULT_NAME = "weights"
"""Folder of the weights in the folder of a run."""


def has_result(folder: Path) -> bool:
    """Whether the run in ``folder`` has left its weights."""
    return (folder / RESULT_NAME / MANIFEST_NAME).is_file()


def write_result(folder: Path, recipe: Recipe, state: dict[str, Tensor], *, step: int, samples: int) -> Manifest:
    """Write ``state`` to ``folder/weights``: for measuring and fine-tuning. `gossamer publish` makes what is passed on.

    Raises:
        OSError: the folder cannot be written.
    """
    entry = model_entry(recipe.model)
    model = entry.build()
    model.load_state_dict(state)
    values = dataclasses.asdict(recipe)
    manifest = Manifest(
        name=recipe.name,
        architecture=entry.name,
        family=entry.family,
        license="of this run alone: publish it with the licences of what it was trained on",
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        needs_trimap=entry.needs_trimap,
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        files={},
        training={"recipe": values, "seed": recipe.seed, "steps": step, "samples": samples},
    )
    return save_weights(model, folder / RESULT_NAME, manifest)
