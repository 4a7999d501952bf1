"""Which parameters are trained, how fast, and with what weight decay."""

from __future__ import annotations

import re

import torch
from torch import nn

from gossamer.errors import SettingError
from gossamer.models.registry import model_entry
from gossamer.training.optimization import OptimizerSettings
from gossamer.training.recipe import Recipe

__all__ = ["freeze", "make_optimizer", "set_training_mode"]

ENCODERS = {
    "gfm": ("encoder",),
    "lsa": ("backbone.",),
    "vitmatte": ("backbone.",),
    "gossamer": ("stem.", "stages."),
}
"""By family: beginnings of the names of the encoder's tensors; ``encoder`` in ``optimizer.frozen`` stands for them."""
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
_TABLES = ("pos_embed",)
"""Tables of positions, which ViTMatte does not decay."""


def freeze(model: nn.Module, recipe: Recipe) -> None:
    """Take what ``optimizer.frozen`` names out of training.

    Raises:
        SettingError: a name fits no parameter, or nothing is left to train.
    """
    names = [name for name, _ in model.named_parameters()]
    for wanted in recipe.optimizer.frozen:
        beginnings = _beginnings(wanted, recipe)
        if not any(name.startswith(beginnings) for name in names):
            parts = ", ".join(sorted({name.partition(".")[0] for name in names}))
            raise SettingError(
                f"Recipe {recipe.name!r}: optimizer.frozen names {wanted!r}, and no parameter of {recipe.model} begins "
                f"so; its parts are {parts}."
            )
    for name, parameter in model.named_parameters():
        if _is_frozen(name, recipe):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise SettingError(f"Recipe {recipe.name!r}: optimizer.frozen leaves nothing of {recipe.model} to train.")


def _beginnings(wanted: str, recipe: Recipe) -> tuple[str, ...]:
    return ENCODERS.get(model_entry(recipe.model).family, (wanted,)) if wanted == "encoder" else (wanted,)


def _is_frozen(name: str, recipe: Recipe) -> bool:
    return any(name.startswith(_beginnings(wanted, recipe)) for wanted in recipe.optimizer.frozen)


def set_training_mode(model: nn.Module, recipe: Recipe) -> None:
    """Train mode, but for the normalisations that are to keep their statistics."""
    model.train()
    for name, module in model.named_modules():
        frozen = recipe.optimizer.frozen and _is_frozen(f"{name}.", recipe)
        if frozen or (recipe.optimizer.frozen_norms and isinstance(module, _NORMS)):
            module.eval()


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW or Adam over groups of equal weight decay and rate; a group's ``factor`` multiplies the learning rate."""
    settings = recipe.optimizer
    norms = {
        f"{name}.{leaf}" if name else leaf
        for name, module in model.named_modules()
        if isinstance(module, _NORMS)
        for leaf, _ in module.named_parameters(recurse=False)
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    if settings.decayed == "matrices":
        groups = {(recipe.weight_decay, 1.0): [], (settings.norm_weight_decay, 1.0): []}
    last = _block_count(model)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decays = _decays(name, parameter, settings, is_norm=name in norms)
        decay = recipe.weight_decay if decays else settings.norm_weight_decay
        groups.setdefault((decay, _layer_factor(name, last, settings.layer_decay)), []).append(parameter)
    listed = [
        {"params": parameters, "weight_decay": decay, "factor": factor}
        for (decay, factor), parameters in groups.items()
        if parameters
    ]
    kind = torch.optim.Adam if settings.kind == "adam" else torch.optim.AdamW
    return kind(listed, lr=recipe.learning_rate, betas=settings.betas)


def _decays(name: str, parameter: nn.Parameter, settings: OptimizerSettings, *, is_norm: bool) -> bool:
    if settings.decayed == "matrices":
        return parameter.ndim > 1
    if settings.norms_by == "name":
        return not re.search("norm|bn", name)
    return not is_norm and not name.endswith(_TABLES)


def _block_count(model: nn.Module) -> int:
    found = [re.match(r"backbone\.blocks\.(\d+)\.", name) for name, _ in model.named_parameters()]
    return max((int(match.group(1)) + 1 for match in found if match), default=0)


def _layer_factor(name: str, blocks: int, decay: float) -> float:
    """ViTMatte's rule: ``decay ** (blocks + 1 - id)``; id 0 for the embeddings, i + 1 for block i, and blocks + 1 for
    all the rest, the convolution blocks included. 1 for networks without transformer blocks."""
    match = re.match(r"backbone\.blocks\.(\d+)\.(?!residual\.)", name)
    if match:
        return float(decay ** (blocks - int(match.group(1))))
    if blocks and name.startswith(("backbone.pos_embed", "backbone.patch_embed")):
        return float(decay ** (blocks + 1))
    return 1.0
