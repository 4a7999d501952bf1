"""An artifact: one exported file and the manifest that vouches for it.

``NAME.onnx`` has ``NAME.onnx.json`` beside it: the manifest of weights (``gossamer.models.weights``) with one more part,
``artifact``, which says what the file was made of, with which tools, for which machine, how it is to be fed, and what
was measured. The whole is described by ``artifact.schema.json`` in this folder. Hashes are checked by the loader that
also checks weights (``Manifest.file``), which refuses a file that was changed.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import gossamer
from gossamer.errors import ModelError
from gossamer.evaluation.machine import version_of
from gossamer.models.weights import Manifest, WeightsFile, file_sha256, find_manifest, write_manifest

__all__ = ["SCHEMA", "Artifact", "Status", "artifact_of", "describe_ports", "read_artifact", "toolchain", "vouch"]

SCHEMA = Path(__file__).with_name("artifact.schema.json")
Status = Literal["built, run", "built, not run"]
_TOOLS = ("onnx", "onnxruntime", "onnxruntime-gpu", "torch", "tensorrt", "tensorrt_rtx")


@dataclass(frozen=True)
class Artifact:
    """The part ``artifact`` of a manifest."""

    target: str
    """``onnx``, ``tensorrt``, ``tensorrt-rtx``, ``nuke``; also the kind of its file in the manifest."""
    precision: str
    """Of the learned layers: ``fp32`` or ``fp16``. Inputs and output are float32 either way."""
    self_contained: bool
    """Takes any size; padding and the enforcement of known pixels are inside."""
    status: Status
    source: Mapping[str, Any]
    """``weights``: name; ``sha256``: of their safetensors; ``random_seed`` where they are random."""
    toolchain: Mapping[str, str]
    """Versions of everything that took part."""
    inputs: list[Mapping[str, Any]]
    outputs: list[Mapping[str, Any]]
    limits: Mapping[str, float]
    results: Mapping[str, Any] | None = None
    """``gossamer_export.verify.Results``; None where the file could not be run."""
    timing: Mapping[str, Any] | None = None
    forced: bool = False
    """Over the limits and kept knowingly."""
    key: Mapping[str, Any] = field(default_factory=dict)
    """What an engine is tied to: GPU, compute capability, versions of TensorRT and driver."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """How an engine was built: profiles, workspace, compatibility, refit."""
    built_from: Mapping[str, Any] = field(default_factory=dict)
    """Of an engine: ``onnx`` (file name), ``sha256``, and the ``results`` of that ONNX file."""


def toolchain() -> dict[str, str]:
    """Versions of what is installed here and takes part in an export."""
    found = {name: version_of(name) for name in _TOOLS}
    return {
        "gossamer": gossamer.__version__,
        "python": platform.python_version(),
        **{name: text for name, text in found.items() if text is not None},
    }


def describe_ports(
    *, needs_trimap: bool, multiple_of: int, self_contained: bool
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Inputs and outputs of a graph, as the manifest lists them."""
    sides = "any height and width" if self_contained else f"height and width are multiples of {multiple_of}"
    plate = "RGB, sRGB-encoded Rec.709, 0..1" + (" (clamped inside; NaN counts as 0)" if self_contained else "")
    trimap = (
        "at most 0.05 background, at least 0.95 foreground, all else and NaN unknown"
        if self_contained
        else "0 background, 0.5 unknown, 1 foreground"
    )
    known = ", exactly 0 and 1 where the trimap is known" if needs_trimap else ""
    inputs = [_port("plate", 3, f"{plate}; {sides}")]
    if needs_trimap:
        inputs.append(_port("trimap", 1, trimap))
    return inputs, [_port("alpha", 1, f"alpha, 0..1{known}")]


def _port(name: str, channels: int, meaning: str) -> Mapping[str, Any]:
    return {"name": name, "type": "float32", "shape": ["n", channels, "h", "w"], "meaning": meaning}


def vouch(manifest: Manifest, artifact: Artifact, files: Mapping[str, Path]) -> Manifest:
    """Write the manifest of an artifact beside its file, and give it back.

    Args:
        manifest: of the weights it was made of, or of an earlier stage of the artifact.
        artifact: what is to be said of it.
        files: by kind, all in one folder; the artifact's own is that of ``artifact.target``.
    """
    main = files[artifact.target]
    entries = {
        kind: WeightsFile(path.name, file_sha256(path), path.stat().st_size) for kind, path in sorted(files.items())
    }
    convention = "; ".join(f"{port['name']}: {port['meaning']}" for port in (*artifact.inputs, *artifact.outputs))
    complete = dataclasses.replace(
        manifest,
        files=entries,
        input_convention=convention,
        metrics={},
        artifact=dataclasses.asdict(artifact),
        folder=main.parent,
    )
    write_manifest(complete, main.parent, f"{main.name}.json")
    return complete


def artifact_of(manifest: Manifest) -> Artifact:
    """The part ``artifact`` of a manifest.

    Raises:
        ModelError: it has none, or one that this version cannot read.
    """
    where = manifest.folder / f"{manifest.name}"
    if not manifest.artifact:
        raise ModelError(
            f"{where} is a set of weights, not an exported artifact; make one with `gossamer export {manifest.name}`."
        )
    try:
        return Artifact(**manifest.artifact)
    except TypeError as error:
        raise ModelError(f"The manifest of {where} is not that of an artifact of this version: {error}.") from error


def read_artifact(path: Path) -> tuple[Manifest, Artifact]:
    """The manifest of an exported file (or its ``.json``, or the folder of a single one), after its hash was checked.

    Raises:
        ModelError: no manifest vouches for the file, it was changed, or it is no artifact.
    """
    manifest = find_manifest(str(path))
    artifact = artifact_of(manifest)
    manifest.file(artifact.target)
    return manifest, artifact


def load_schema() -> dict[str, Any]:
    """The JSON schema of an artifact's manifest."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema
