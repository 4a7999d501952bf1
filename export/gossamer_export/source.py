"""What is exported: a network with its weights, and what their manifest says of them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gossamer.errors import ModelError
from gossamer.models.registry import create_model, model_entry
from gossamer.models.weights import Manifest, find_manifest, load_weights
from gossamer_export.artifact import Artifact

__all__ = ["Source", "open_source", "source_of"]


@dataclass(frozen=True, eq=False)
class Source:
    """A network ready to be compared with."""

    manifest: Manifest
    network: nn.Module
    """In eval mode, float32, on the CPU."""
    identity: Mapping[str, Any]
    """``weights``, ``sha256`` and, for random weights, ``random_seed``."""
    onnx: Path | None = None
    """The weights' own ONNX file, if there is one: the same graph that :func:`write_onnx` would write."""


def open_source(model: str, *, random_seed: int | None = None) -> Source:
    """Load the weights ``model`` (name or path), or build the network ``model`` with random ones.

    Raises:
        ModelError: there are no such weights or network, they hold no safetensors, or the path is that of an artifact.
    """
    if random_seed is not None:
        return _random_source(model, random_seed)
    manifest = find_manifest(model)
    if manifest.artifact:
        raise ModelError(
            f"{model} is an exported artifact; artifacts are made from weights ({manifest.artifact['source']['weights']})."
        )
    network = create_model(manifest.architecture)
    load_weights(network, manifest)
    identity = {"weights": manifest.name, "sha256": manifest.files["safetensors"].sha256}
    onnx = manifest.file("onnx") if "onnx" in manifest.files else None
    return Source(manifest, network.eval(), identity, onnx)


def _random_source(name: str, seed: int) -> Source:
    entry = model_entry(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = create_model(name).eval()
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.contiguous().numpy().tobytes())
    manifest = Manifest(
        name=f"{name}-random",
        architecture=name,
        family=entry.family,
        license="none: random weights, of no use for a matte",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        needs_trimap=entry.needs_trimap,
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        files={},
    )
    identity = {"weights": f"{name}-random", "sha256": digest.hexdigest(), "random_seed": seed}
    return Source(manifest, network, identity)


def source_of(manifest: Manifest, artifact: Artifact, model: str = "") -> Source:
    """The source that an artifact was made of: shipped weights by their name, else those at ``model``.

    Raises:
        ModelError: they are not to be found, or are not the ones it was made of.
    """
    wanted = artifact.source
    if "random_seed" in wanted and not model:
        source = open_source(manifest.architecture, random_seed=wanted["random_seed"])
    else:
        try:
            source = open_source(model or wanted["weights"])
        except ModelError as error:
            raise ModelError(
                f"{manifest.name} was made of the weights {wanted['weights']!r}, which are needed to verify it: {error} "
                "Give their path as MODEL."
            ) from error
    if source.identity["sha256"] != wanted["sha256"]:
        raise ModelError(
            f"{manifest.name} was made of other weights (SHA-256 {wanted['sha256'][:12]}) than {source.manifest.name} "
            f"({source.identity['sha256'][:12]}). Give the right ones as MODEL, or export again."
        )
    return dataclasses.replace(source)
