"""From a training run to weights that can be shipped: safetensors, ONNX and the manifest that vouches for both."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from gossamer.errors import DataError
from gossamer.models.registry import create_model, model_entry
from gossamer.models.weights import Manifest, file_sha256, save_weights
from gossamer.training.checkpoint import load_checkpoint
from gossamer_export.onnx import check_onnx, write_onnx

__all__ = ["publish"]

INPUT_CONVENTION = (
    "plate: N 3 H W float32, sRGB-encoded Rec.709, 0..1; trimap: N 1 H W float32, 0 background, 0.5 unknown, "
    "1 foreground; alpha: N 1 H W float32, 0..1, known pixels enforced; H and W multiples of multiple_of"
)


def _read_evaluation(path: Path, weights_sha256: str) -> tuple[str, dict[str, Any]]:
    """What one JSON of ``gossamer evaluate`` says: its name in the manifest, and its means."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        name = f"{Path(values['folder']).name} {values['trimap']}"
        measured = values.get("identities", {}).get("gossamer-s", weights_sha256)
        mean = values["mean"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a result of `gossamer evaluate --json`: {error}.") from error
    if measured != weights_sha256:
        raise DataError(f"{path} was measured with other weights ({measured[:12]}); evaluate these and publish again.")
    return name, {"mean": mean, "pictures": len(values["pictures"])}


def publish(run: Path, output: Path, *, sources: list[str], evaluations: list[Path], device: str) -> Manifest:
    """Write the averaged weights of the run's newest checkpoint into ``output``.

    Args:
        run: Folder of a training run.
        output: Folder of the weights; its name becomes theirs.
        sources: ``NAME: LICENCE`` of everything that was trained on.
        evaluations: JSON files of ``gossamer evaluate`` for exactly these weights.
        device: What it was trained on, in words.

    Raises:
        DataError: the run holds no checkpoint, a source lacks its licence, or an evaluation is of other weights.
        ModelError: the ONNX file answers differently from the network.
    """
    checkpoint = load_checkpoint(run)
    recipe = dict(checkpoint["recipe"])
    data = []
    for source in sources:
        name, sign, licence = source.rpartition(":")
        if not sign or not name.strip() or not licence.strip():
            raise DataError(f"--source {source!r}: give NAME: LICENCE.")
        data.append({"name": name.strip(), "license": licence.strip()})
    entry = model_entry(recipe["model"])
    model = create_model(entry.name)
    model.load_state_dict(checkpoint["average"]["state"])
    model.eval()
    output.mkdir(parents=True, exist_ok=True)
    onnx_path = output / f"{output.name}.onnx"
    write_onnx(model, onnx_path, multiple_of=entry.multiple_of)
    distance = check_onnx(onnx_path, model, multiple_of=entry.multiple_of)
    recipe["data"] = {key: value for key, value in recipe["data"].items() if key not in ("photos", "fur", "cutouts")}
    manifest = Manifest(
        name=output.name,
        architecture=entry.name,
        family=entry.family,
        license="Apache-2.0",
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        needs_trimap=entry.needs_trimap,
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        files={},
        input_convention=INPUT_CONVENTION,
        training={
            "recipe": recipe,
            "seed": recipe["seed"],
            "steps": int(checkpoint["step"]),
            "samples": int(checkpoint["samples"]),
            "device": device,
            "data": data,
            "onnx_distance": distance,
        },
        metrics=dict(_read_evaluation(path, file_sha256(onnx_path)) for path in evaluations),
    )
    return save_weights(model, output, dataclasses.replace(manifest), extra_files={"onnx": onnx_path})
