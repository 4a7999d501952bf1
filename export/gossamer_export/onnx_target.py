"""The target ``onnx``: the network's graph, on request with padding inside and in half precision."""

from __future__ import annotations

from pathlib import Path

from gossamer.inference.backends import open_backend
from gossamer.models.weights import Manifest
from gossamer_export.half import to_half
from gossamer_export.onnx import check_graph, import_onnx, write_onnx
from gossamer_export.self_contained import self_contained
from gossamer_export.settings import ExportSettings
from gossamer_export.source import Source
from gossamer_export.targets import Built, Target
from gossamer_export.verify import Infer

__all__ = ["TARGET", "build_onnx", "open_onnx"]


def build_onnx(source: Source, settings: ExportSettings, folder: Path, _onnx: Path | None = None) -> Built:
    """Write the ONNX file into ``folder``.

    The weights' own ONNX file is the start where there is one, since it holds the same graph; tracing takes a minute.
    """
    onnx = import_onnx()
    manifest = source.manifest
    variant = "-self-contained" if settings.self_contained else ""
    path = folder / f"{manifest.name}-{settings.precision}{variant}.onnx"
    if source.onnx is not None and not settings.retrace:
        model = onnx.load(str(source.onnx))
    else:
        traced = folder / "traced.onnx"
        write_onnx(source.network, traced, multiple_of=manifest.multiple_of, needs_trimap=manifest.needs_trimap)
        model = onnx.load(str(traced))
        traced.unlink()
    if settings.self_contained:
        model = self_contained(model, multiple_of=manifest.multiple_of, needs_trimap=manifest.needs_trimap)
    if settings.precision == "fp16":
        model = to_half(model)
    onnx.save(model, str(path))
    check_graph(path)
    return Built(path, options={"opset": next(entry.version for entry in model.opset_import if not entry.domain)})


def open_onnx(manifest: Manifest) -> Infer:
    """The file in ONNX Runtime on the CPU, as ``gossamer matte`` opens it."""
    return open_backend(manifest, backend="onnxruntime", device="cpu").infer


TARGET = Target("onnx", build_onnx, open_onnx)
