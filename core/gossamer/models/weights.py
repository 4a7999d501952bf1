"""The catalogue of weights: each is a folder with a manifest and the files it vouches for. No torch at import."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gossamer.errors import MissingDependencyError, ModelError

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Manifest",
    "WeightsFile",
    "file_sha256",
    "find_manifest",
    "list_manifests",
    "load_weights",
    "read_manifest",
    "save_weights",
    "write_manifest",
]

logger = logging.getLogger(__name__)

MANIFEST_NAME = "manifest.json"
MANIFEST_SCHEMA = 1
SHIPPED = Path(__file__).resolve().parent.parent / "weights"


@dataclass(frozen=True)
class WeightsFile:
    """One file of a set of weights."""

    path: str
    """Relative to the manifest's folder."""
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a set of weights is, where it comes from, and how it is to be fed."""

    name: str
    architecture: str
    """Registered network name (models/registry.py)."""
    family: str
    license: str
    parameters: int
    needs_trimap: bool
    multiple_of: int
    margin: int
    files: Mapping[str, WeightsFile]
    """By kind: ``safetensors``, ``onnx``; of exported artifacts also ``tensorrt``, ``tensorrt-rtx``, ``nuke``."""
    input_convention: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Recipe, seed, steps, samples, data with licences, device."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """Printed by ``gossamer evaluate``; the command stands beside each number."""
    artifact: Mapping[str, Any] = field(default_factory=dict)
    """Of exported files: target, precision, how it was checked, for which GPU it is (the schema is
    ``export/gossamer_export/artifact.schema.json``). Empty for weights."""
    folder: Path = field(default=Path(), compare=False)
    """Where the manifest was read; not stored."""

    def file(self, kind: str) -> Path:
        """Path of the file of ``kind`` after its SHA-256 has been checked.

        Raises:
            ModelError: there is none of that kind, it is missing, or it is not the file the manifest vouches for.
        """
        if kind not in self.files:
            raise ModelError(f"The weights {self.name!r} hold no {kind} file, only {', '.join(sorted(self.files))}.")
        entry = self.files[kind]
        path = self.folder / entry.path
        if not path.is_file():
            raise ModelError(f"{path} is missing; reinstall the package or restore the weights {self.name!r}.")
        found = _cached_sha256(path, path.stat().st_mtime_ns, path.stat().st_size)
        if found != entry.sha256:
            raise ModelError(
                f"{path} is not the file its manifest vouches for (SHA-256 {found[:12]} instead of "
                f"{entry.sha256[:12]}). It was changed or damaged: restore it, or convert the weights again."
            )
        return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _cached_sha256(path: Path, _mtime: int, _size: int) -> str:
    return file_sha256(path)


def read_manifest(path: Path) -> Manifest:
    """Read one manifest file.

    Raises:
        ModelError: it is missing, not JSON, of another schema, or lacks a field.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"Cannot read the weights' manifest {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ModelError(f"{path} is not a weights manifest: {error}.") from error
    schema = values.pop("schema", None) if isinstance(values, dict) else None
    if schema != MANIFEST_SCHEMA:
        raise ModelError(f"{path} has manifest schema {schema!r}; this version reads {MANIFEST_SCHEMA}.")
    try:
        files = {kind: WeightsFile(**entry) for kind, entry in values.pop("files").items()}
        return Manifest(**values, files=files, folder=path.parent)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is not a complete weights manifest: {error}.") from error


def write_manifest(manifest: Manifest, folder: Path, name: str = MANIFEST_NAME) -> Path:
    """Write ``manifest`` as ``folder / name`` and return its path."""
    values = dataclasses.asdict(manifest)
    del values["folder"]
    if not manifest.artifact:
        del values["artifact"]
    path = folder / name
    temporary = path.with_suffix(".json.tmp")
    temporary.write_text(json.dumps({"schema": MANIFEST_SCHEMA, **values}, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def list_manifests() -> list[Manifest]:
    """The weights that came with the package, sorted by name."""
    return [read_manifest(path) for path in sorted(SHIPPED.glob(f"*/{MANIFEST_NAME}"))]


def find_manifest(name_or_path: str) -> Manifest:
    """The manifest of shipped weights by name, or of a folder, manifest file, weights file or artifact by path.

    An exported artifact has its own manifest beside it: ``NAME.onnx`` that of ``NAME.onnx.json``.

    Raises:
        ModelError: nothing of that name or path, or a file that no manifest vouches for.
    """
    shipped = SHIPPED / name_or_path / MANIFEST_NAME
    if name_or_path and Path(name_or_path).name == name_or_path and shipped.is_file():
        return read_manifest(shipped)
    path = Path(name_or_path)
    if path.is_dir():
        return _manifest_of_folder(path)
    if path.suffix == ".json":
        return _noticed(read_manifest(path))
    own = path.with_name(f"{path.name}.json")
    if own.is_file() or path.suffix in (".safetensors", ".onnx"):
        manifest_path = own if own.is_file() else path.parent / MANIFEST_NAME
        manifest = read_manifest(manifest_path)
        if path.name not in {entry.path for entry in manifest.files.values()}:
            raise ModelError(f"{manifest_path} does not vouch for {path.name}; convert it with `gossamer convert`.")
        return _noticed(manifest)
    names = ", ".join(manifest.name for manifest in list_manifests()) or "none"
    raise ModelError(
        f"No weights named {name_or_path!r}. Shipped: {names}. For weights of your own give the path of their folder."
    )


def _manifest_of_folder(folder: Path) -> Manifest:
    """That of the weights in ``folder``, or of the one artifact that lies there."""
    artifacts = sorted(path for path in folder.glob("*.json") if path.with_suffix("").is_file())
    if (folder / MANIFEST_NAME).is_file() or not artifacts:
        return read_manifest(folder / MANIFEST_NAME)
    if len(artifacts) > 1:
        names = ", ".join(path.stem for path in artifacts)
        raise ModelError(f"{folder} holds several artifacts: {names}. Give the path of one of them.")
    return _noticed(read_manifest(artifacts[0]))


def _noticed(manifest: Manifest) -> Manifest:
    """``manifest``; says aloud what its maker accepted knowingly."""
    if manifest.artifact.get("forced"):
        logger.warning(
            "%s was exported with --force: it answers differently from its network by more than the limits allow.",
            manifest.name,
        )
    return manifest


def save_weights(
    model: nn.Module,
    folder: Path,
    manifest: Manifest,
    *,
    extra_files: Mapping[str, Path] | None = None,
) -> Manifest:
    """Write the state of ``model`` as safetensors with its manifest into ``folder``.

    ``manifest.files`` is filled in here; ``extra_files`` are files in ``folder`` (e.g. ``{"onnx": path}``) that the
    manifest is to vouch for as well.
    """
    try:
        from safetensors.torch import save
    except ImportError as error:
        raise MissingDependencyError(
            'Saving weights needs safetensors: pip install "gossamer-matting[torch]".'
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{manifest.name}.safetensors"
    temporary = path.with_name(f".{path.name}.tmp")
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    try:
        # Not the library's own save_file: it makes files that only their owner may read.
        temporary.write_bytes(save(state))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    paths = {"safetensors": path, **(extra_files or {})}
    files = {
        kind: WeightsFile(file.name, file_sha256(file), file.stat().st_size) for kind, file in sorted(paths.items())
    }
    complete = dataclasses.replace(manifest, files=files, folder=folder)
    write_manifest(complete, folder)
    return complete


def load_weights(model: nn.Module, manifest: Manifest) -> None:
    """Load the safetensors file of ``manifest`` into ``model``, completely or not at all.

    Raises:
        ModelError: names every missing, unused and misshapen tensor.
    """
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingDependencyError(
            'Loading weights into torch needs safetensors: pip install "gossamer-matting[torch]".'
        ) from error
    path = manifest.file("safetensors")
    state = load_file(path)
    if (adapt := getattr(model, "adapt_state", None)) is not None:
        adapt(state)  # weights of an earlier version of the same network
    expected = model.state_dict()
    missing = sorted(set(expected) - set(state))
    unused = sorted(set(state) - set(expected))
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in sorted(set(state) & set(expected))
        if state[key].shape != expected[key].shape
    ]
    if missing or unused or shapes:
        raise ModelError(
            f"{path} does not fit the network {manifest.architecture!r}. "
            f"Missing: {', '.join(missing) or 'none'}. Unused: {', '.join(unused) or 'none'}. "
            f"Other shapes: {', '.join(shapes) or 'none'}."
        )
    model.load_state_dict(state)
