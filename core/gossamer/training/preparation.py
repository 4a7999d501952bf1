"""What a run needs before its first step: processes, network, optimiser, samples."""

from __future__ import annotations

import ctypes
import logging
import os
import sys

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import nn

from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
from gossamer.errors import SettingError
from gossamer.models.registry import create_model, model_entry
from gossamer.models.weights import find_manifest, load_weights
from gossamer.training.recipe import Recipe
from gossamer.training.settings import TrainingSettings

__all__ = ["keep_freed_memory", "make_fabric", "make_generator", "make_model", "make_optimizer"]


def keep_freed_memory() -> None:
    """Have glibc keep what is freed for the next step; elsewhere nothing happens.

    By default it hands every large buffer back to the kernel, which clears each page anew when the next step asks for
    the same amount: more than half of the time of a small network on the CPU.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return
    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    mallopt(trim_threshold, 2**31 - 1)
    # Older versions refuse more than 32 MiB.
    if not mallopt(mmap_threshold, 2**30):
        mallopt(mmap_threshold, 32 * 2**20)


def make_fabric(recipe: Recipe, settings: TrainingSettings) -> Fabric:
    """Devices and processes: one device, DDP over several, or what ``torchrun`` says; launched.

    Raises:
        SettingError: CUDA is asked for and not there, or not with so many devices.
    """
    # Fabric tells at INFO what it was asked for; it has a handler of its own, so the root's level does not hold it.
    logging.getLogger("lightning_fabric").setLevel(logging.getLogger(__name__).getEffectiveLevel())
    device, devices, nodes = settings.device, settings.devices, 1
    if TorchElasticEnvironment.detect():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and torch.cuda.device_count() < devices:
        raise SettingError(
            f"{devices} CUDA devices are asked for and {torch.cuda.device_count()} can be used; "
            "ask for fewer, or for --device cpu."
        )
    # More than one process on one machine or several: DDP, whatever Fabric would guess.
    strategy = "ddp" if devices * nodes > 1 else "auto"
    fabric = Fabric(
        accelerator=device,
        strategy=strategy,
        devices=devices,
        num_nodes=nodes,
        precision=recipe.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def make_generator(recipe: Recipe) -> SampleGenerator:
    """The samples of ``recipe``.

    Raises:
        SettingError: a setting under ``data`` is unknown or out of range.
        DataError: a folder of pictures is missing or empty.
    """
    try:
        settings = SyntheticSettings(size=recipe.size, **dict(recipe.data))
    except TypeError as error:
        raise SettingError(f"Recipe {recipe.name!r}: data: {error}.") from error
    return SampleGenerator(settings, recipe.seed)


def make_model(recipe: Recipe) -> nn.Module:
    """The network of ``recipe`` with its first weights, which depend on the seed alone.

    Raises:
        SettingError: the network cannot be trained with this recipe.
        ModelError: network or first weights are unknown or do not fit each other.
    """
    entry = model_entry(recipe.model)
    if not entry.needs_trimap:
        raise SettingError(
            f"Recipe {recipe.name!r}: {recipe.model!r} takes no trimap; this loop trains trimap networks."
        )
    if recipe.size % entry.multiple_of:
        raise SettingError(
            f"Recipe {recipe.name!r}: size is {recipe.size}; {recipe.model} needs a multiple of {entry.multiple_of}."
        )
    torch.manual_seed(recipe.seed)
    model = create_model(recipe.model)
    if recipe.start_from:
        load_weights(model, find_manifest(recipe.start_from))
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; weight decay on the weights of convolutions and linear layers only."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)
