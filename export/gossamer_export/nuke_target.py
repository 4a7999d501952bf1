"""The target ``nuke``: TorchScript for the Inference node, the script that makes a .cat of it, and a gizmo."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import torch

from gossamer.image.image import FloatArray
from gossamer.models.registry import model_entry
from gossamer.models.weights import Manifest
from gossamer_export.settings import ExportSettings
from gossamer_export.source import Source
from gossamer_export.targets import Built, Target
from gossamer_export.torchscript import default_tile, operators, write_torchscript
from gossamer_export.verify import Infer

__all__ = ["TARGET", "build_nuke", "open_nuke"]

_FILES = Path(__file__).with_name("nuke_files")


def _knobs(tile: int) -> dict[str, dict[str, int | str]]:
    """Attributes of the file that Nuke shows as knobs: the value to start with and the tooltip."""
    return {
        "scene_linear": {
            "value": 1,
            "tooltip": "1: the plate is scene-linear Rec.709, as in Nuke; 0: it is sRGB-encoded",
        },
        "tile": {"value": tile, "tooltip": "largest side of a tile in pixels; 0: the whole picture in one pass"},
    }


def build_nuke(source: Source, settings: ExportSettings, folder: Path, _onnx: Path | None = None) -> Built:
    """Write the TorchScript file and its two companions into ``folder``.

    Raises:
        ModelError: the network cannot be traced so that its file runs on any device.
    """
    entry = model_entry(source.manifest.architecture)
    path = folder / f"{source.manifest.name}-{settings.precision}.pt"
    write_torchscript(source.network, path, entry, half=settings.precision == "fp16")
    companions = {}
    for kind, name in (("nuke-make-cat", "make_cat.py"), ("nuke-gizmo", "GossamerNative.gizmo")):
        companions[kind] = folder / name
        shutil.copyfile(_FILES / name, companions[kind])
    channels = ["rgba.red", "rgba.green", "rgba.blue", *(["rgba.alpha"] if entry.needs_trimap else [])]
    plate = "RGB of the plate, unclamped: scene-linear Rec.709, or sRGB-encoded if the knob scene_linear is 0"
    trimap = "; then the trimap: at most 0.05 background, at least 0.95 foreground, all else and NaN unknown"
    taken = {
        "name": "x",
        "type": "float32",
        "shape": ["n", len(channels), "h", "w"],
        "meaning": plate + (trimap if entry.needs_trimap else ""),
    }
    given = {
        "name": "alpha",
        "type": "float32",
        "shape": ["n", 1, "h", "w"],
        "meaning": "alpha, 0..1, of the input's size",
    }
    options = {
        "channels_in": channels,
        "channels_out": ["rgba.alpha"],
        "knobs": _knobs(default_tile(entry)),
        "operators": operators(path),
    }
    return Built(path, options=options, companions=companions, ports=([taken], [given]))


def open_nuke(manifest: Manifest) -> Infer:
    """The file in this torch, shown the golden inputs as they are: encoded, in one pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the retirement of TorchScript; Nuke reads nothing else
        module = torch.jit.load(str(manifest.file("nuke")), map_location="cpu")  # type: ignore[no-untyped-call]
    module.scene_linear, module.tile = 0, 0

    def infer(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        planes = plate if trimap is None else np.concatenate([plate, trimap], axis=1)
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(np.ascontiguousarray(planes))).numpy(), np.float32)

    return infer


TARGET = Target("nuke", build_nuke, open_nuke, any_size=True)
