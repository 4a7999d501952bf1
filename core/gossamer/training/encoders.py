"""Encoders that were trained on other tasks as first weights: what the papers start from.

Read are ImageNet's ResNets and DenseNet-121 by the names of torchvision and timm (GFM), ResNetV1d-50 by
mmclassification's (LSA), and plain vision transformers by those of DINO and MAE (ViTMatte).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from gossamer.errors import ModelError
from gossamer.models.convert import GFM_COPIES, read_checkpoint
from gossamer.models.registry import model_entry

__all__ = ["load_encoder"]

_IGNORED = re.compile(
    r"^(resnet\.(fc|conv1|bn1)\.|densenet\.(classifier|features\.norm5)\.|head\.|neck\.|backbone\.(cls_token|norm\.)"
    r"|backbone\.(mask_token|fc_norm|head|decoder)|decoder|mask_token)"
)
"""Tensors of the files that no encoder here has: classifiers, class tokens, MAE's decoder; for r34-2b the old stem."""
_COUNTER = "num_batches_tracked"
"""Files of before torch 0.4.1, as the published DenseNets and many ResNets are, do not count batches."""
_FIRST_DENSENETS = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
"""What torchvision's published DenseNets call a layer's ``norm1`` and ``conv1``: ``norm.1``, ``conv.1``."""
_FIRST_LAYERS = ("backbone.patch_embed.proj.weight", "backbone.stem.0.conv.weight")
"""Read the trimap as a fourth channel, which starts at 0."""


def load_encoder(model: nn.Module, path: Path, architecture: str) -> None:
    """Fill the encoder of ``model`` with the tensors of a file; everything else stays as it is.

    Raises:
        ModelError: the file cannot be read, does not fill the encoder, or holds tensors it has no place for; all are
            named.
    """
    entry = model_entry(architecture)
    rename, is_expected = _rules(entry.family, entry.name)
    renamed: dict[str, Tensor] = {}
    own = model.state_dict()
    problems = []
    for key, value in read_checkpoint(path).items():
        name = rename(key)
        if name not in own:
            if not _IGNORED.match(name):
                problems.append(f"no place for {key}")
            continue
        if name in _FIRST_LAYERS and value.ndim == 4 and own[name].shape[1] == value.shape[1] + 1:
            value = torch.cat([value, torch.zeros_like(value[:, :1])], dim=1)
        if value.shape != own[name].shape:
            problems.append(f"{key} is {tuple(value.shape)} instead of {tuple(own[name].shape)}")
        renamed[name] = value
    expected = [name for name in own if is_expected(name) and not name.endswith(_COUNTER)]
    problems += [f"{name} is missing" for name in expected if name not in renamed]
    if problems:
        raise ModelError(f"{path} does not fit the encoder of {architecture}: {'; '.join(problems)}.")
    model.load_state_dict({**own, **renamed})


def _rules(family: str, name: str) -> tuple[Callable[[str], str], Callable[[str], bool]]:
    """How the file's names become the network's, and which of the network's tensors the file has to hold."""
    if family == "gfm":
        backbone = name.removeprefix("gfm-").rpartition("-")[0]
        copies = GFM_COPIES[backbone]
        if copies:
            root = "densenet." if backbone == "d121" else "resnet."
            beginnings = tuple(ours for _, ours in copies)
            return (
                lambda key: _replaced(root + _FIRST_DENSENETS.sub(r"\1\2", key), copies),
                lambda own: own.startswith(beginnings),
            )
    elif family == "lsa" and name == "lsa-r50d":
        return lambda key: key, lambda own: own.startswith("backbone.")
    elif family == "vitmatte":
        new = re.compile(r"\.(rel_pos_[hw]$|residual\.)")
        return (
            lambda key: f"backbone.{key.removeprefix('backbone.')}",
            lambda own: own.startswith("backbone.") and not new.search(own),
        )
    raise ModelError(f"No encoder of another task is known for {name!r}; begin with --from, or at random.")


def _replaced(key: str, copies: tuple[tuple[str, str], ...]) -> str:
    return next((ours + key[len(theirs) :] for theirs, ours in copies if key.startswith(theirs)), key)
