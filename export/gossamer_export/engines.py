"""The cache of compiled engines: what lies in it, and what can go."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from gossamer.errors import GossamerError, ModelError
from gossamer.inference.backends.engine_file import PROVIDER_FOLDER, EngineKey, EngineManifest, read_engine_manifest
from gossamer_export.tensorrt import machine_key

__all__ = ["CachedEngine", "find_engines", "prune_engines", "this_machine"]


@dataclass(frozen=True)
class CachedEngine:
    """One folder of the cache."""

    folder: Path
    bytes: int
    manifest: EngineManifest | None
    """None for what cannot be used, and for what ONNX Runtime's TensorRT provider keeps: the files are its own."""
    problem: str = ""
    """Why it cannot be used on any machine; empty if it can."""


def find_engines(folder: Path) -> list[CachedEngine]:
    """Every folder in the cache ``folder``, sorted by name; the engines' hashes are checked."""
    if not folder.is_dir():
        return []
    return [_look_at(entry) for entry in sorted(folder.iterdir()) if entry.is_dir()]


def _look_at(folder: Path) -> CachedEngine:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if folder.name.startswith(PROVIDER_FOLDER):
        return CachedEngine(folder, size, None)
    manifests = sorted(folder.glob("*.engine.json"))
    if folder.name.startswith(".") or len(manifests) != 1:
        return CachedEngine(folder, size, None, "left over from a build that was cut off")
    try:
        manifest = read_engine_manifest(manifests[0])
        manifest.file()
    except ModelError as error:
        return CachedEngine(folder, size, None, str(error))
    return CachedEngine(folder, size, manifest)


def this_machine() -> EngineKey | None:
    """What engines have to be for to run here; None without TensorRT or without a GPU."""
    try:
        return machine_key()
    except GossamerError:
        return None


def prune_engines(folder: Path, key: EngineKey | None, *, everything: bool = False) -> list[CachedEngine]:
    """Remove what cannot be used: damaged engines, and, if ``key`` is known, those for another machine.

    What ONNX Runtime keeps stays: it checks its files itself, and builds what does not fit anew. ``everything`` removes
    all engines and the timing caches. A build that goes on at the same time loses its folder
    and fails with a message.

    Returns:
        What was removed.
    """
    removed = []
    for engine in find_engines(folder):
        foreign = key is not None and engine.manifest is not None and engine.manifest.key != key
        if everything or engine.problem or foreign:
            shutil.rmtree(engine.folder)
            removed.append(engine)
    if everything:
        for path in folder.glob("*.cache"):
            path.unlink()
    return removed
