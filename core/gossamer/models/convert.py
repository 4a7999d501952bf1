"""The papers' official checkpoints, read without running what is in them, checked tensor by tensor, and written as
safetensors with a manifest.

What is accepted: a bare state dict, one under ``state_dict`` or ``model``, any number of ``module.`` prefixes, GFM's
backbone stored twice, and the Transformers library's names for ViTMatte. What is refused: anything that is not plain
tensors, and a file that does not fill the network completely or holds tensors that it has no place for.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gossamer.errors import DataError, MissingDependencyError, ModelError, SettingError
from gossamer.models.registry import ModelEntry, create_model, list_models, model_entry
from gossamer.models.weights import MANIFEST_NAME, Manifest, file_sha256, save_weights

__all__ = ["convert_checkpoint", "fit_state", "fitting_architectures", "read_checkpoint"]

CONTAINERS = ("state_dict", "model")

GFM_COPIES: dict[str, tuple[tuple[str, str], ...]] = {
    "r34": (
        ("resnet.conv1.", "encoder0.0."),
        ("resnet.bn1.", "encoder0.1."),
        ("resnet.layer1.", "encoder1.1."),
        ("resnet.layer2.", "encoder2."),
        ("resnet.layer3.", "encoder3."),
        ("resnet.layer4.", "encoder4."),
    ),
    "r34-2b": tuple((f"resnet.layer{k}.", f"encoder{k}.") for k in (1, 2, 3, 4)),
    "d121": (
        ("densenet.features.conv0.", "encoder0.0."),
        ("densenet.features.norm0.", "encoder0.1."),
        *((f"densenet.features.denseblock{k}.", f"encoder{k}.0.") for k in (1, 2, 3, 4)),
        *((f"densenet.features.transition{k}.", f"encoder{k}.1.") for k in (1, 2, 3)),
    ),
}
"""By backbone: prefixes under which the official files hold the encoder a second time, and the first time's."""
GFM_COPIES["r101"] = GFM_COPIES["r34"]
GFM_COPIES["light"] = ()

GFM_NEVER_USED = {
    "r34": ("resnet.fc.",),
    "r34-2b": ("resnet.conv1.", "resnet.bn1.", "resnet.fc.", "psp1."),
    "d121": ("densenet.features.norm5.", "densenet.classifier."),
    "r101": ("resnet.fc.",),
    "light": (),
}
"""By backbone: prefixes of tensors that the official files hold and the published networks never read."""

TRANSFORMERS_NAMES = (
    (re.compile(r"^backbone\.encoder\.layer\."), "backbone.blocks."),
    (re.compile(r"^(backbone\.blocks\.\d+)\.attention\."), r"\1.attn."),
    (re.compile(r"^backbone\.embeddings\.position_embeddings$"), "backbone.pos_embed"),
    (re.compile(r"^backbone\.embeddings\.projection\."), "backbone.patch_embed.proj."),
    (re.compile(r"^decoder\.fusion_blocks\."), "decoder.fusion_blks."),
    (re.compile(r"^(decoder\..*)\.batch_norm\."), r"\1.bn."),
)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, unpacked from their container, without ``module.`` prefixes.

    Only plain tensors are read (``weights_only``): nothing that a file may carry besides is run.

    Raises:
        ModelError: there is no such file, it is damaged, or it holds something other than tensors by name.
    """
    if not path.is_file():
        raise ModelError(f"There is no checkpoint file {path}.")
    if path.suffix == ".safetensors":
        content = _read_safetensors(path)
    else:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except pickle.UnpicklingError as error:
            found = re.search(r"GLOBAL (\S+)", str(error))
            what = f"{found.group(1)} beside tensors" if found else "something other than tensors"
            raise ModelError(
                f"{path} holds {what}. Gossamer reads plain tensors only and runs nothing from a checkpoint: ask its "
                "source for a file with the state dict alone."
            ) from error
        except Exception as error:  # a damaged file makes torch raise nearly anything
            reason = f"{type(error).__name__} {error}".strip().splitlines()[0].split(". ")[0]
            raise ModelError(f"{path} is not a checkpoint that torch can read ({reason}). Fetch it again.") from error
    while isinstance(content, Mapping):
        inner = next((content[key] for key in CONTAINERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"{path} holds no tensors by name, neither bare nor under {' or '.join(CONTAINERS)}.")
    state: dict[str, Tensor] = {}
    for key, value in content.items():
        name = re.sub(r"^(module\.)+", "", str(key))
        if not isinstance(value, Tensor):
            raise ModelError(f"{path}: {key} is {type(value).__name__}, not a tensor; this is no state dict.")
        if name in state:
            raise ModelError(f"{path} holds {name} twice, with and without the prefix module.; it is ambiguous.")
        state[name] = value
    return state


def _read_safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingDependencyError(
            'Reading safetensors needs the package: pip install "gossamer-matting[torch]".'
        ) from error
    try:
        return load_file(path)
    except Exception as error:  # the library's own exceptions share no base but this
        raise ModelError(f"{path} is not a safetensors file: {error}") from error


def _translate(state: Mapping[str, Tensor], entry: ModelEntry) -> tuple[dict[str, Tensor], list[str]]:
    """``state`` by this project's names, and what is wrong with the tensors that it holds twice."""
    if entry.family == "vitmatte":
        renamed = {}
        for key, value in state.items():
            for pattern, name in TRANSFORMERS_NAMES:
                key = pattern.sub(name, key)
            renamed[key] = value
        return renamed, []
    if entry.family != "gfm":
        return dict(state), []
    backbone = entry.name.removeprefix("gfm-").rpartition("-")[0]
    kept, contradictions = {}, []
    for key, value in state.items():
        if key.startswith(GFM_NEVER_USED[backbone]):
            continue
        copied = next(((a, b) for a, b in GFM_COPIES[backbone] if key.startswith(a)), None)
        original = "" if copied is None else copied[1] + key[len(copied[0]) :]
        if original not in state:
            kept[key] = value
        elif not torch.equal(value, state[original]):
            contradictions.append(f"{key} differs from its copy {original}")
    return kept, contradictions


@lru_cache(maxsize=64)
def _expected(architecture: str) -> Mapping[str, Tensor]:
    """Names, shapes and types of a network's tensors, without memory for their values."""
    with torch.device("meta"):
        return create_model(architecture).state_dict()


def _problems(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    missing = sorted(set(expected) - set(state))
    unused = sorted(set(state) - set(expected))
    shared = sorted(set(state) & set(expected))
    shapes = [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in shared
        if state[key].shape != expected[key].shape
    ]
    types = [
        f"{key} is {state[key].dtype} instead of {expected[key].dtype}"
        for key in shared
        if state[key].is_floating_point() != expected[key].is_floating_point()
    ]
    return [
        f"{len(names)} {kind}: {', '.join(names)}."
        for kind, names in (("missing", missing), ("unused", unused), ("other shapes", shapes), ("other types", types))
        if names
    ]


def fitting_architectures(state: Mapping[str, Tensor]) -> list[str]:
    """Names of all registered networks that ``state`` fills completely and exactly."""
    fitting = []
    for name in list_models():
        translated, contradictions = _translate(state, model_entry(name))
        if not contradictions and not _problems(translated, _expected(name)):
            fitting.append(name)
    return fitting


def fit_state(state: Mapping[str, Tensor], architecture: str) -> dict[str, Tensor]:
    """``state`` by the names, and in the types, of the network ``architecture``.

    Copies and tensors that the published network never reads are left out.

    Raises:
        ModelError: it does not fit completely and exactly; names every missing, unused and misshapen tensor. Or a
            tensor that is stored twice contradicts itself, or values are not finite.
    """
    expected = _expected(architecture)
    translated, contradictions = _translate(state, model_entry(architecture))
    problems = _problems(translated, expected)
    if problems:
        others = fitting_architectures(state)
        hint = f" It fits {' and '.join(others)}." if others else ""
        raise ModelError(f"The checkpoint does not fit {architecture}.{hint} {' '.join(problems)}")
    if contradictions:
        raise ModelError(f"The checkpoint contradicts itself: {'; '.join(contradictions)}.")
    fitted = {key: translated[key].to(expected[key].dtype) for key in expected}
    broken = [key for key, value in fitted.items() if not bool(value.isfinite().all())]
    if broken:
        raise ModelError(f"The checkpoint holds values that are not finite numbers in {', '.join(broken)}.")
    return fitted


def _choose(state: Mapping[str, Tensor], path: Path) -> str:
    fitting = fitting_architectures(state)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SettingError(
            f"{path} fits {' and '.join(fitting)}: their tensors have the same names and shapes, and nothing in the "
            "file tells them apart. Say which it is with --architecture."
        )
    raise ModelError(
        f"{path} fits no network that is registered here. Name the one it was trained for with --architecture to see "
        "which tensors are missing and which are unused."
    )


def convert_checkpoint(
    path: Path,
    output: Path,
    *,
    architecture: str | None = None,
    license_text: str = "",
    overwrite: bool = False,
) -> Manifest:
    """Convert one checkpoint.

    Args:
        path: ``.pth``, ``.pt``, ``.ckpt`` or any other name that torch wrote, or ``.safetensors``.
        output: the ``.safetensors`` file to write; its name is that of the weights, and ``manifest.json`` is put
            beside it.
        architecture: registered network; None finds it out, which GFM's ``ft`` and ``bt`` do not allow.
        license_text: terms of the weights, for the manifest.
        overwrite: replace weights that are in that folder already.

    Returns:
        The manifest that was written.

    Raises:
        ModelError: the file cannot be read, or does not fit; see :func:`fit_state`.
        SettingError: the output is no ``.safetensors`` file or would replace weights, or the network is ambiguous.
        DataError: the output cannot be written.
    """
    if output.suffix != ".safetensors":
        raise SettingError(f"The output {output} has to be a .safetensors file.")
    folder = output.parent
    if not overwrite and (output.exists() or (folder / MANIFEST_NAME).exists()):
        raise SettingError(
            f"{folder} holds weights already. Every set of weights wants a folder of its own: give another one, or "
            "--overwrite."
        )
    if architecture is not None:
        model_entry(architecture)
    state = read_checkpoint(path)
    name = architecture or _choose(state, path)
    entry = model_entry(name)
    fitted = fit_state(state, name)
    with torch.device("meta"):
        network = create_model(name)
    network.load_state_dict(fitted, assign=True)
    manifest = Manifest(
        name=output.stem,
        architecture=name,
        family=entry.family,
        license=license_text or f"not stated; the terms of the source of {path.name} apply",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        needs_trimap=entry.needs_trimap,
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        files={},
        input_convention="plate N 3 H W, sRGB-encoded, 0..1"
        + (", and trimap N 1 H W, 0, 0.5, 1" if entry.needs_trimap else "")
        + "; alpha N 1 H W, 0..1",
        training={"converted_from": path.name, "sha256": file_sha256(path)},
    )
    try:
        return save_weights(network, folder, manifest)
    except OSError as error:
        raise DataError(f"Cannot write the weights to {folder}: {error.strerror or error}.") from error
