"""Networks by name: register with a decorator, build with :func:`create_model`."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from gossamer.errors import ModelError

__all__ = ["ModelEntry", "create_model", "list_models", "model_entry", "register_model"]

_ARCHITECTURES: tuple[str, ...] = ("gfm", "gossamer_s", "lsa", "vitmatte")
"""Modules of this package that register networks when they are imported."""


@dataclass(frozen=True)
class ModelEntry:
    """What is known of a network without building it."""

    name: str
    family: str
    needs_trimap: bool
    multiple_of: int
    """Both sides of the input have to be multiples of this."""
    margin: int
    """Pixels of surroundings that a tile needs on each side for its core to agree with the whole picture."""
    build: Callable[[], nn.Module]


_entries: dict[str, ModelEntry] = {}


def register_model(
    name: str, *, family: str, needs_trimap: bool, multiple_of: int, margin: int
) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Register the decorated constructor under ``name``. It takes no arguments and returns random weights."""

    def decorate(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        if name in _entries:
            raise ValueError(f"two networks are registered as {name!r}")
        _entries[name] = ModelEntry(name, family, needs_trimap, multiple_of, margin, build)
        return build

    return decorate


def _load_architectures() -> None:
    for module in _ARCHITECTURES:
        importlib.import_module(f"gossamer.models.{module}")


def list_models() -> list[str]:
    """Names of all registered networks, sorted."""
    _load_architectures()
    return sorted(_entries)


def model_entry(name: str) -> ModelEntry:
    """The entry of ``name``.

    Raises:
        ModelError: there is no such network; the message lists the nearest names.
    """
    _load_architectures()
    if name not in _entries:
        near = difflib.get_close_matches(name, _entries, n=3, cutoff=0.4) or sorted(_entries)
        raise ModelError(f"Unknown network {name!r}. Did you mean {', '.join(near)}? `gossamer models` lists all.")
    return _entries[name]


def create_model(name: str) -> nn.Module:
    """Build the network ``name`` with random weights, in train mode, on the CPU."""
    return model_entry(name).build()
