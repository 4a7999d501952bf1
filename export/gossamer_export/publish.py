"""From a training run to weights that can be shipped: safetensors, ONNX and the manifest that vouches for both."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gossamer.errors import DataError, ModelError, SettingError
from gossamer.models.registry import create_model, model_entry
from gossamer.models.weights import (
    MANIFEST_NAME,
    Manifest,
    find_manifest,
    load_weights,
    read_manifest,
    save_weights,
    write_manifest,
)
from gossamer.training.checkpoint import load_checkpoint
from gossamer.training.recipe import FOLDER_SETTINGS
from gossamer.training.result import RESULT_NAME
from gossamer_export.onnx import check_graph, write_onnx
from gossamer_export.onnx_target import open_onnx
from gossamer_export.verify import LIMITS, compare, over_limits

__all__ = ["publish"]

MEASURED_WITH = ("backend", "precision", "strategy", "tta", "refine", "nonlocal_mean", "guided")
"""What an evaluation tells of a model without which its numbers cannot be repeated; the manifest takes it over."""


def _input_convention(*, needs_trimap: bool) -> str:
    trimap = "trimap: N 1 H W float32, 0 background, 0.5 unknown, 1 foreground; " if needs_trimap else ""
    enforced = ", known pixels enforced" if needs_trimap else ""
    return (
        f"plate: N 3 H W float32, sRGB-encoded Rec.709, 0..1; {trimap}alpha: N 1 H W float32, 0..1{enforced}; H and W "
        "multiples of multiple_of"
    )


def _read_evaluations(paths: Sequence[Path], identities: set[str]) -> dict[str, dict[str, Any]]:
    """What JSON files of ``gossamer evaluate`` say of the weights, by the name it has in the manifest."""
    metrics: dict[str, dict[str, Any]] = {}
    sources: dict[str, Path] = {}
    for path in paths:
        name, values = _read_evaluation(path, identities)
        if name in metrics:
            raise DataError(f"{sources[name]} and {path} both hold numbers of {name!r}; give one of them.")
        metrics[name], sources[name] = values, path
    return metrics


def _read_evaluation(path: Path, identities: set[str]) -> tuple[str, dict[str, Any]]:
    """What one JSON of ``gossamer evaluate`` says of the weights: its name in the manifest, its means, and how they
    were measured.

    ``identities``: SHA-256 of the weights' files; each backend reports the one that it loaded.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        name = f"{Path(values['folder']).name} {values['trimap']}"
        measured = {model: str(details["identity"]) for model, details in values["models"].items()}
        ours = [model for model, identity in measured.items() if identity in identities]
        if not values.get("complete", True):
            raise DataError(f"{path} is of an evaluation that failed in part or was stopped; evaluate again.")
        if len(ours) == 1:
            (model,) = ours
            details = {"refine": 0, **values["models"][model]}  # of what was not refined nothing is told
            return name, {
                "region": "unknown",
                "mean": dict(values["mean"][model]),
                "pictures": len(values["pictures"]),
                **{key: details[key] for key in MEASURED_WITH if key in details},
            }
    except OSError as error:
        raise DataError(f"Cannot read the evaluation {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a result of `gossamer evaluate --json`: {error!r}.") from error
    if ours:
        raise DataError(
            f"{path} holds several measurements of these weights: {'; '.join(ours)}. The manifest takes one: evaluate "
            "that one alone, and give its JSON."
        )
    found = ", ".join(f"{model} ({identity[:12]})" for model, identity in measured.items())
    raise DataError(
        f"{path} was measured with other weights: {found}. Publish without --evaluation, evaluate what was written, "
        "and publish again."
    )


def _read_sources(sources: list[str], recipe: Mapping[str, Any]) -> list[dict[str, str]]:
    data = []
    for source in sources:
        name, sign, licence = source.rpartition(":")
        if not sign or not name.strip() or not licence.strip():
            raise DataError(f"--source {source!r}: give NAME: LICENCE.")
        data.append({"name": name.strip(), "license": licence.strip()})
    used = [name for name in ("photos", "fur", "cutouts", "renders", "root", "backgrounds") if recipe["data"].get(name)]
    used += [name for name in ("encoder_from", "start_from") if recipe.get(name)]
    used += ["samples.teachers"] if recipe.get("samples", {}).get("teachers") else []
    if used and not data:
        raise DataError(
            f"The run was trained on pictures or learned from weights ({', '.join(used)}): name each with --source "
            "'NAME: LICENCE', of weights also what they were trained on."
        )
    return data


def _without_paths(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe for others to read: where pictures and weights lay on this machine is nobody's business."""
    recipe = {**recipe, "encoder_from": Path(recipe.get("encoder_from", "")).name}
    data = {key: value for key, value in recipe["data"].items() if key not in FOLDER_SETTINGS}
    samples = dict(recipe.get("samples", {}))
    if teachers := samples.get("teachers"):
        samples["teachers"] = [_name_of_weights(teacher) for teacher in teachers]
    return {**recipe, "data": data, "samples": samples, "start_from": _name_of_weights(recipe["start_from"])}


def _name_of_weights(weights: str) -> str:
    """What tells them from others: of a run's weights the run's name, since all of them are called ``weights``."""
    path = Path(weights)
    return (path.parent.name if path.name == RESULT_NAME else "") or path.name


def _blend(model: nn.Module, architecture: str, blend: str, share: float, output: Path) -> Manifest:
    """Average ``model`` with the weights ``blend``, whose manifest is returned; ``share`` is theirs in the mean.

    Source: "Robust fine-tuning of zero-shot models" (Wortsman et al., 2022), section 3: weights before and after a
    further training, averaged, keep more of what the training was not about.
    """
    if not 0 < share < 1:
        raise SettingError(f"--blend-share {share}: give a share between 0 and 1.")
    earlier = find_manifest(blend)
    if earlier.architecture != architecture:
        raise ModelError(f"--blend {blend}: {earlier.architecture!r} is not the network of the run, {architecture!r}.")
    if earlier.folder.resolve() == output:
        raise SettingError(
            f"--blend {blend} lies where the result is to go: publishing again would blend it with itself. "
            f"Copy {output} elsewhere and blend with the copy."
        )
    other = create_model(architecture)
    load_weights(other, earlier)
    theirs = other.state_dict()

    def mean(ours: Tensor, before: Tensor) -> Tensor:
        return ours.double().lerp(before.double(), share).to(ours.dtype) if ours.is_floating_point() else ours

    model.load_state_dict({key: mean(value, theirs[key]) for key, value in model.state_dict().items()})
    return earlier


def _certify(manifest: Manifest, network: nn.Module) -> float:
    """Largest distance of alpha between the ONNX file and the network; refuses a file that is over the limits."""
    results = compare(
        open_onnx(manifest), network, multiple_of=manifest.multiple_of, needs_trimap=manifest.needs_trimap
    )
    found = over_limits(results, LIMITS["fp32"])
    if found:
        raise ModelError(
            f"The ONNX file answers differently from the network: {'; '.join(found)}. The worst input is "
            f"{results.worst_input}. Nothing was written."
        )
    return results.max


def publish(
    run: Path,
    output: Path,
    *,
    license_text: str,
    sources: list[str],
    evaluations: list[Path],
    device: str,
    blend: str = "",
    blend_share: float | None = None,
) -> Manifest:
    """Write the averaged weights of the run's newest checkpoint into ``output``.

    Everything is written and checked in a folder beside it first: a refusal leaves ``output`` as it was.

    Args:
        run: Folder of a training run.
        output: Folder of the weights; its name becomes theirs.
        license_text: Terms under which the weights may be used, for the manifest: they follow from what was trained on
            and from the weights that training began with.
        sources: ``NAME: LICENCE`` of everything that was trained on.
        evaluations: JSON files of ``gossamer evaluate`` for exactly these weights. The same checkpoint gives the same
            weights, so: publish, evaluate, publish again with the numbers. One for each folder and trimap, with the
            weights measured once in it.
        device: What it was trained on, in words.
        blend: Name or path of weights of the same network outside of ``output``, as those that the run started from:
            what is written is the mean of both.
        blend_share: Share of ``blend`` in that mean, between 0 and 1; given if and only if ``blend`` is.

    Raises:
        SettingError: ``license_text`` is empty, ``blend_share`` is not between 0 and 1 or without ``blend``, or
            ``blend`` lies in ``output``.
        DataError: the run holds no checkpoint or one of another network, a source lacks its licence, an evaluation is
            of other weights or of several variants of these, two are of the same folder and trimap, or ``output``
            cannot be written.
        ModelError: ``blend`` is not found or of another network, or the ONNX file answers differently from the network.
    """
    if not license_text.strip():
        raise SettingError("--license is empty: state the terms of the weights, for instance Apache-2.0.")
    checkpoint = load_checkpoint(run)
    recipe = dict(checkpoint["recipe"])
    data = _read_sources(sources, recipe)
    entry = model_entry(recipe["model"])
    model = create_model(entry.name)
    try:
        model.load_state_dict(checkpoint["average"]["state"])
    except (RuntimeError, KeyError) as error:
        raise DataError(f"The checkpoint in {run} does not fit the network {entry.name!r} of this version.") from error
    output = output.resolve()
    blended: dict[str, Any] = {}
    if blend or blend_share is not None:
        if not blend or blend_share is None:
            raise SettingError("Give --blend and --blend-share together.")
        earlier = _blend(model, entry.name, blend, blend_share, output)
        data += [source for source in earlier.training.get("data", []) if source not in data]
        blended = {
            "blend": {
                "name": earlier.name,
                "license": earlier.license,
                "sha256": earlier.files["safetensors"].sha256,
                "share": blend_share,
            }
        }
    model.eval()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as made:
            work = Path(made)
            onnx_path = work / f"{output.name}.onnx"
            write_onnx(model, onnx_path, multiple_of=entry.multiple_of, needs_trimap=entry.needs_trimap)
            check_graph(onnx_path)
            manifest = Manifest(
                name=output.name,
                architecture=entry.name,
                family=entry.family,
                license=license_text,
                parameters=sum(parameter.numel() for parameter in model.parameters()),
                needs_trimap=entry.needs_trimap,
                multiple_of=entry.multiple_of,
                margin=entry.margin,
                files={},
                input_convention=_input_convention(needs_trimap=entry.needs_trimap),
                training={
                    "recipe": _without_paths(recipe),
                    "seed": recipe["seed"],
                    "steps": int(checkpoint["step"]),
                    "samples": int(checkpoint["samples"]),
                    "device": device,
                    "data": data,
                    **blended,
                },
            )
            saved = save_weights(model, work, manifest, extra_files={"onnx": onnx_path})
            distance = _certify(saved, model)
            saved = dataclasses.replace(saved, training={**saved.training, "onnx_distance": distance})
            identities = {file.sha256 for file in saved.files.values()}
            metrics = _read_evaluations(evaluations, identities)
            write_manifest(dataclasses.replace(saved, metrics=metrics), work)
            output.mkdir(exist_ok=True)
            # The manifest last: it vouches for files that are there.
            for name in [file.path for file in saved.files.values()] + [MANIFEST_NAME]:
                (work / name).replace(output / name)
    except OSError as error:
        raise DataError(f"Cannot write the weights to {output}: {error.strerror}.") from error
    return read_manifest(output / MANIFEST_NAME)
