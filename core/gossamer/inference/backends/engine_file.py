"""Compiled TensorRT engines on disk: an engine, and beside it what it was built from and for which machine."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from gossamer.errors import ModelError
from gossamer.models.weights import WeightsFile, file_sha256

__all__ = [
    "BuildEngine",
    "EngineKey",
    "EngineManifest",
    "EngineRequest",
    "engines_folder",
    "list_engines",
    "read_engine_manifest",
    "write_engine_manifest",
]

ENGINE_SCHEMA = 2
"""1: engines that computed in TF32; they are built again."""
FOLDER_VARIABLE = "GOSSAMER_ENGINES"
PROVIDER_FOLDER = "onnxruntime-"
"""How the folders begin in which ONNX Runtime's TensorRT provider keeps what it compiled, in files of its own."""

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class EngineKey:
    """The machine an engine runs on; on any other it is built again."""

    gpu: str
    compute_capability: str
    """``8.9``."""
    tensorrt: str
    driver: str

    def differences(self, other: EngineKey) -> str:
        """What ``other`` has that this has not, in words; empty if nothing."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(self))
        return ", ".join(
            f"{name.replace('_', ' ')} {theirs} instead of {ours}" for name, ours, theirs in pairs if ours != theirs
        )


@dataclass(frozen=True)
class EngineManifest:
    """What an engine is."""

    model: str
    precision: str
    """``fp32`` or ``fp16``: that of the ONNX file, for the engine is strongly typed."""
    key: EngineKey
    smallest: Size
    usual: Size
    """The size that it is fastest at."""
    largest: Size
    """Equal to ``smallest``: one fixed size, which runs as a CUDA graph."""
    onnx_sha256: str
    """Of the ONNX file it was built from."""
    engine: WeightsFile
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What the builder adds: tool versions, certificate."""
    folder: Path = field(default=Path(), compare=False)
    """Where the manifest was read; not stored."""

    def file(self) -> Path:
        """Path of the engine after its SHA-256 has been checked.

        Raises:
            ModelError: it is missing, or not the file that the manifest vouches for.
        """
        path = self.folder / self.engine.path
        if not path.is_file():
            raise ModelError(f"{path} is missing. Remove its folder (gossamer engines prune); it is built again then.")
        if file_sha256(path) != self.engine.sha256:
            raise ModelError(
                f"{path} is not the engine its manifest vouches for: changed or damaged. Remove its folder (gossamer "
                "engines prune); it is built again then."
            )
        return path


@dataclass(frozen=True)
class EngineRequest:
    """An engine to be built."""

    model: str
    onnx: Path
    onnx_sha256: str
    precision: str
    key: EngineKey
    smallest: Size
    usual: Size
    largest: Size
    folder: Path
    """Where its folder is to be made."""


class BuildEngine(Protocol):
    """The function behind the entry point ``tensorrt`` of the group ``gossamer.engine_builders``.

    Core knows no compiler: the room ``export`` provides one.
    """

    def __call__(
        self,
        request: EngineRequest,
        *,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Path:
        """Build and return the path of the engine's manifest; leave nothing behind after an error or a cancel."""
        ...


def engines_folder() -> Path:
    """Where engines are kept: ``$GOSSAMER_ENGINES``, or the user's folder for things that can be made again."""
    stated = os.environ.get(FOLDER_VARIABLE)
    if stated:
        return Path(stated)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "gossamer" / "engines"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gossamer" / "engines"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gossamer" / "engines"


def write_engine_manifest(manifest: EngineManifest, folder: Path) -> Path:
    """Write ``manifest`` beside its engine in ``folder`` and return its path."""
    values = dataclasses.asdict(manifest)
    del values["folder"]
    path = folder / f"{manifest.engine.path}.json"
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps({"schema": ENGINE_SCHEMA, **values}, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def read_engine_manifest(path: Path) -> EngineManifest:
    """Read one engine's manifest.

    Raises:
        ModelError: it is missing, not JSON, of another schema, or lacks a field.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        schema = values.pop("schema", None)
        if schema != ENGINE_SCHEMA:
            raise ModelError(f"{path} has engine schema {schema!r}; this version reads {ENGINE_SCHEMA}.")
        key, engine = EngineKey(**values.pop("key")), WeightsFile(**values.pop("engine"))
        smallest, usual, largest = (_size(values.pop(name)) for name in ("smallest", "usual", "largest"))
        return EngineManifest(
            **values, smallest=smallest, usual=usual, largest=largest, key=key, engine=engine, folder=path.parent
        )
    except OSError as error:
        raise ModelError(f"Cannot read the engine's manifest {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is not the manifest of an engine: {error}. Remove its folder.") from error


def _size(values: list[int]) -> Size:
    height, width = values
    return int(height), int(width)


def list_engines(folder: Path) -> list[EngineManifest]:
    """Every engine in the folders of ``folder``, sorted by path; files that cannot be read are left out."""
    found = []
    for path in sorted(folder.glob("*/*.engine.json")):
        try:
            found.append(read_engine_manifest(path))
        except ModelError:
            continue
    return found
