"""What can be exported to. A target is one function that builds a file and one that opens it for the comparison.

A new target is a module with a ``TARGET`` and one line in ``_MODULES``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gossamer.errors import SettingError
from gossamer.models.weights import Manifest
from gossamer_export.settings import ExportSettings
from gossamer_export.source import Source
from gossamer_export.verify import Infer

__all__ = ["Built", "Target", "find_target", "list_targets"]

_MODULES: Mapping[str, str] = {
    "onnx": "gossamer_export.onnx_target",
    "tensorrt": "gossamer_export.tensorrt",
    "tensorrt-rtx": "gossamer_export.tensorrt_rtx",
    "nuke": "gossamer_export.nuke_target",
}


@dataclass(frozen=True)
class Built:
    """A file that was just built and that nobody has vouched for yet."""

    path: Path
    key: Mapping[str, Any] = field(default_factory=dict)
    """What it is tied to (:attr:`gossamer_export.artifact.Artifact.key`)."""
    options: Mapping[str, Any] = field(default_factory=dict)
    companions: Mapping[str, Path] = field(default_factory=dict)
    """Files that go with it, by kind; the manifest vouches for them too."""
    ports: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] | None = None
    """Inputs and outputs where they are not those of ``describe_ports``."""


@dataclass(frozen=True)
class Target:
    """How to export to one engine."""

    name: str
    build: Callable[[Source, ExportSettings, Path, Path | None], Built]
    """Writes the file into a folder: ``build(source, settings, folder, onnx)``; ``onnx`` is the certified ONNX file
    that it is compiled from if ``from_onnx``."""
    open: Callable[[Manifest], Infer | None] | None
    """Opens the finished file by its manifest, hash check included; gives None where this machine cannot run it. None:
    nothing in Gossamer runs such a file."""
    from_onnx: bool = False
    discard: Callable[[Manifest], None] = lambda _manifest: None
    """Called when the file is over its limits, kept by ``--force`` or not: takes back what ``open`` has put outside of
    the artifact's folder."""
    any_size: bool = False
    """Its files are always self-contained (``ExportSettings.self_contained``)."""


def list_targets() -> list[str]:
    """Names of all targets."""
    return list(_MODULES)


def find_target(name: str) -> Target:
    """The target ``name``.

    Raises:
        SettingError: there is none of that name; the message lists those there are.
    """
    if name not in _MODULES:
        raise SettingError(f"There is no target {name!r}; there are {', '.join(_MODULES)}.")
    target: Target = importlib.import_module(_MODULES[name]).TARGET
    return target
