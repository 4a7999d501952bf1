"""First weights of a run: converted weights, shipped ones, or what another run has learned."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from gossamer.errors import ModelError
from gossamer.models.weights import find_manifest, list_manifests, load_weights
from gossamer.training.checkpoint import CHECKPOINT_NAME, load_checkpoint

__all__ = ["load_start"]


def load_start(model: nn.Module, start: str, architecture: str) -> None:
    """Fill ``model``, completely or not at all.

    Args:
        model: the network ``architecture``.
        start: name of shipped weights, folder or file of weights with their manifest, or folder of a training run,
            whose averaged weights are taken.
        architecture: for the message.

    Raises:
        ModelError: there are none, or they are another network's.
        DataError: the run's checkpoint is damaged.
    """
    folder = Path(start)
    # A shipped name is never a folder that happens to be called so; that one is ./NAME, as in all commands.
    if start in [shipped.name for shipped in list_manifests()] or not (folder / CHECKPOINT_NAME).is_file():
        manifest = find_manifest(start)
        load_weights(model, manifest)
        return
    values = load_checkpoint(folder)
    trained = values["recipe"]["model"]
    if trained != architecture:
        raise ModelError(f"The run in {start} trained {trained!r}, which does not fit the network {architecture!r}.")
    state = values["average"]["state"]
    if (adapt := getattr(model, "adapt_state", None)) is not None:
        adapt(state)  # weights of an earlier version of the same network
    try:
        model.load_state_dict(state)
    except (RuntimeError, KeyError) as error:
        raise ModelError(f"The run in {start} does not fit the network {architecture!r} of this version.") from error
