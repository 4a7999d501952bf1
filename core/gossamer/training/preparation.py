"""What a run needs before its first step: processes, network, samples."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import nn

from gossamer.data.ddc_samples import DdcPipeline
from gossamer.data.gfm_samples import GfmCrop, GfmPipeline
from gossamer.data.layer_source import LayerSource, SetSource, SyntheticSource
from gossamer.data.lsa_samples import LsaPipeline
from gossamer.data.sources import FolderData, open_set
from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
from gossamer.data.vitmatte_samples import ViTMattePipeline
from gossamer.errors import SettingError
from gossamer.models.registry import create_model, model_entry
from gossamer.training.encoders import load_encoder
from gossamer.training.kept_samples import KeptSamples
from gossamer.training.loss_settings import DdcLosses
from gossamer.training.parameters import freeze
from gossamer.training.recipe import Recipe
from gossamer.training.samples import SampleMaker
from gossamer.training.settings import TrainingSettings
from gossamer.training.starting import load_start
from gossamer.training.tables import build
from gossamer.training.teachers import Teachers

__all__ = ["keep_freed_memory", "make_fabric", "make_model", "make_pipeline"]

_log = logging.getLogger(__name__)


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
    if strategy == "ddp" and isinstance(recipe.losses, DdcLosses) and not recipe.losses.glance:
        # GFM's glance is then asked for its likeliest class alone and learns nothing.
        strategy = "ddp_find_unused_parameters_true"
    fabric = Fabric(
        accelerator=device,
        strategy=strategy,
        devices=devices,
        num_nodes=nodes,
        precision=recipe.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    # oneDNN imitates bf16 on processors without AVX-512, at an eighth of the speed of float32.
    slow = device == "cpu" and recipe.precision == "bf16-mixed" and torch.backends.cpu.get_cpu_capability() == "AVX2"
    if slow and fabric.is_global_zero:
        _log.warning(
            "This processor has no bf16: the recipe's precision bf16-mixed is several times as slow here as float32. "
            "Add --set precision=32-true."
        )
    return fabric


def make_pipeline(recipe: Recipe, output: Path) -> SampleMaker:
    """The samples of ``recipe``; every file is looked for here, none is decoded. Kept ones lie in ``output``.

    Raises:
        SettingError: a setting under ``data`` or ``samples`` is unknown or out of range, or no folder is named.
        DataError: a folder of pictures is missing or empty, or files of a set are; all are listed.
        ModelError: the weights of a teacher are not there, or are another network's.
    """
    data = dict(recipe.data)
    if data.pop("source", "synthetic") == "synthetic":
        # Pipelines that cut and turn want more than they give back.
        canvas = min(1024, recipe.size * 3 // 2)
        if recipe.pipeline == "gossamer":
            canvas = recipe.samples.canvas or recipe.size
        if "size" in data:
            raise SettingError(f"Recipe {recipe.name!r}: data.size follows from size; leave it out.")
        settings = build(SyntheticSettings, {"size": canvas, **data}, f"Recipe {recipe.name!r}", "data.")
        generator = SampleGenerator(settings, recipe.seed)
        if recipe.pipeline == "gossamer":
            return _kept(generator, recipe, output) if recipe.samples.kept else generator
        return _over(SyntheticSource(generator), recipe)
    if recipe.pipeline == "gossamer":
        raise SettingError(
            f"Recipe {recipe.name!r}: the pipeline gossamer makes its own pictures; with data.source use gfm, lsa, "
            "lsa-online, vitmatte or ddc."
        )
    files = build(FolderData, recipe.data, f"Recipe {recipe.name!r}", "data.")
    needs = {"gfm": ("alpha",), "ddc": ("trimap",)}.get(recipe.pipeline, ("alpha", "foreground"))
    found = open_set(files, needs=needs, composed=recipe.pipeline in ("lsa", "lsa-online", "vitmatte"))
    return _over(SetSource(found, seed=recipe.seed, cache_bytes=files.cache_bytes), recipe)


def _kept(generator: SampleGenerator, recipe: Recipe, output: Path) -> KeptSamples:
    if model_entry(recipe.model).family != "gossamer":
        raise SettingError(
            f"Recipe {recipe.name!r}: samples.kept keeps the prior of gossamer-s as well, and {recipe.model} has none; "
            "leave it out."
        )
    samples = recipe.samples
    teachers = Teachers(samples.teachers) if samples.teachers else None
    return KeptSamples(
        generator, output, count=samples.kept, size=recipe.size, seed=recipe.seed, candidates=samples.candidates,
        teachers=teachers,
    )  # fmt: skip


def _over(source: LayerSource, recipe: Recipe) -> SampleMaker:
    size, seed, samples = recipe.size, recipe.seed, recipe.samples
    match recipe.pipeline:
        case "gfm":
            if samples.crop.output not in (size, GfmCrop().output):
                raise SettingError(f"Recipe {recipe.name!r}: samples.crop.output follows from size; leave it out.")
            return GfmPipeline(source, samples, size=size, seed=seed)
        case "vitmatte":
            return ViTMattePipeline(source, samples, size=size, seed=seed)
        case "ddc":
            return DdcPipeline(source, samples, size=size, seed=seed)
    return LsaPipeline(source, samples, size=size, seed=seed)


def make_model(recipe: Recipe, *, first_weights: bool = True) -> nn.Module:
    """The network of ``recipe`` with its first weights: they depend on seed, ``start_from`` and ``encoder_from`` alone.

    Args:
        recipe: of the run.
        first_weights: read ``start_from`` and ``encoder_from``. A run that goes on has no use for them, and what they
            name may be gone by then.

    Raises:
        SettingError: the network cannot be trained with this recipe.
        ModelError: network or first weights are unknown or do not fit each other.
    """
    entry = model_entry(recipe.model)
    if recipe.size % entry.multiple_of:
        raise SettingError(
            f"Recipe {recipe.name!r}: size is {recipe.size}; {recipe.model} needs a multiple of {entry.multiple_of}."
        )
    torch.manual_seed(recipe.seed)
    model = create_model(recipe.model)
    if recipe.encoder_from and first_weights:
        load_encoder(model, Path(recipe.encoder_from), recipe.model)
    if recipe.start_from and first_weights:
        load_start(model, recipe.start_from, recipe.model)
    freeze(model, recipe)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
