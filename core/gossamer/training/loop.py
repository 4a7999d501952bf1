"""The training loop, on Lightning Fabric: devices, mixed precision and processes are Fabric's business.

Exactly resumable: a step's samples depend on the recipe's seed and the step's number alone, and a checkpoint holds the
weights, their average, the optimiser and the step. Stopped at any point, the run goes on as if it had not been.
"""

from __future__ import annotations

import csv
import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
from gossamer.errors import DataError, GossamerError, SettingError
from gossamer.models.registry import create_model, model_entry
from gossamer.models.weights import find_manifest, load_weights
from gossamer.training.averaging import WeightAverage
from gossamer.training.checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint
from gossamer.training.objective import matting_losses
from gossamer.training.pictures import write_curves, write_samples
from gossamer.training.recipe import LossWeights, Recipe
from gossamer.training.samples import Batch, make_loader
from gossamer.training.schedule import one_cycle

__all__ = ["StepReport", "TrainingSettings", "train"]

_log = logging.getLogger(__name__)
_MAX_BAD_STEPS = 20


@dataclass(frozen=True)
class TrainingSettings:
    """Where and how a recipe is run; nothing here changes what it computes on one device."""

    output: Path
    """Folder of the run: checkpoints, log, curves, sample mattes."""
    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""
    devices: int = 1
    """Processes of this machine; under ``torchrun`` its own numbers count."""
    workers: int = 1
    """Processes that make samples; 0 makes them in the training process."""
    threads: int = 0
    """CPU threads of the training process; 0 leaves torch's choice."""
    checkpoint_minutes: float = 3.0
    stop_after_minutes: float = 0.0
    """Stop with a checkpoint after this time; 0 runs to the end."""
    resume: bool = False
    """Go on from the output folder's checkpoint."""


@dataclass(frozen=True)
class StepReport:
    """What the loop tells after a step."""

    step: int
    """Steps done, from 1."""
    steps: int
    losses: dict[str, float]
    """Averages over the steps since the last report."""
    learning_rate: float
    samples_per_second: float
    checkpoint: Path | None
    """Set when one was just written."""


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; weight decay on the weights of convolutions and linear layers only."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def _start_model(recipe: Recipe) -> nn.Module:
    torch.manual_seed(recipe.seed)
    if not model_entry(recipe.model).needs_trimap:
        raise SettingError(
            f"Recipe {recipe.name!r}: {recipe.model!r} takes no trimap; this loop trains trimap networks."
        )
    model = create_model(recipe.model)
    if recipe.start_from:
        manifest = find_manifest(recipe.start_from)
        load_weights(model, manifest)
    return model


def _make_generator(recipe: Recipe) -> SampleGenerator:
    try:
        settings = SyntheticSettings(size=recipe.size, **dict(recipe.data))
    except TypeError as error:
        raise SettingError(f"Recipe {recipe.name!r}: data: {error}.") from error
    return SampleGenerator(settings, recipe.seed)


class _Log:
    """``log.csv``: a line per report. On resuming, lines past the checkpoint are dropped."""

    def __init__(self, path: Path, first: int) -> None:
        self._path = path
        self._names = ["step", "samples_per_second", "learning_rate", "total", *LossWeights.__dataclass_fields__]
        rows: list[list[str]] = []
        if first and path.is_file():
            with path.open(newline="", encoding="utf-8") as stream:
                rows = [row for row in csv.reader(stream) if row and row[0].isdigit() and int(row[0]) <= first]
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([self._names, *rows])

    def add(self, report: StepReport) -> None:
        values = {**report.losses, "step": report.step, "learning_rate": report.learning_rate}
        values["samples_per_second"] = report.samples_per_second
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow([f"{values[name]:.6g}" for name in self._names])


class _Averages:
    """Means of the loss terms since the last report."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1

    def take(self) -> dict[str, float]:
        means = {name: value / max(1, self._count) for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


def _restore(
    settings: TrainingSettings,
    recipe: Recipe,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage,
) -> int:
    values = load_checkpoint(settings.output)
    stored = dict(values["recipe"])
    asked = dataclasses.asdict(recipe)
    changed = sorted(key for key in asked if key != "data" and asked[key] != stored.get(key))
    if changed:
        raise SettingError(
            f"{settings.output} was begun with another recipe (different: {', '.join(changed)}). "
            "Give that recipe, or another output folder."
        )
    model.load_state_dict(values["model"])
    optimizer.load_state_dict(values["optimizer"])
    average.restore(values["average"])
    return int(values["step"])


def train(
    recipe: Recipe,
    settings: TrainingSettings,
    *,
    report: Callable[[StepReport], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Run ``recipe`` and return the folder of the run.

    Raises:
        DataError: the output folder holds a run already and ``resume`` is off, or samples cannot be made.
        SettingError: recipe and checkpoint do not belong together.
        GossamerError: the loss stayed without a finite value.
    """
    has_checkpoint = (settings.output / CHECKPOINT_NAME).is_file()
    if has_checkpoint and not settings.resume:
        raise DataError(f"{settings.output} holds a run already; go on with --resume or name another folder.")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    # The strategy stays Fabric's automatic one: plain on one device, DDP under torchrun or with several devices.
    fabric = Fabric(accelerator=settings.device, devices=settings.devices, precision=recipe.precision)  # type: ignore[arg-type]
    fabric.launch()
    generator = _make_generator(recipe)
    model = _start_model(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(model, recipe)
    module, optimizer = fabric.setup(model, optimizer)
    average = WeightAverage(model, recipe.ema)
    first = _restore(settings, recipe, model, optimizer, average) if has_checkpoint else 0
    loader = make_loader(
        generator,
        batch=recipe.batch,
        first=first * recipe.accumulate,
        last=recipe.steps * recipe.accumulate,
        workers=settings.workers,
        rank=fabric.global_rank,
        ranks=fabric.world_size,
    )
    settings.output.mkdir(parents=True, exist_ok=True)
    is_main = fabric.global_rank == 0
    log = _Log(settings.output / "log.csv", first) if is_main else None

    def save(step: int, batch: Batch | None) -> Path | None:
        if not is_main:
            return None
        path = save_checkpoint(
            settings.output,
            {
                "recipe": dataclasses.asdict(recipe),
                "step": step,
                "samples": step * recipe.batch * recipe.accumulate * fabric.world_size,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.checkpoint(),
            },
        )
        write_curves(settings.output / "log.csv", settings.output / "curves.png")
        if batch is not None:
            write_samples(recipe.model, average.state_dict(), batch, settings.output / "samples.png")
        return path

    begun = saved_at = reported_at = time.monotonic()
    averages, bad, since = _Averages(), 0, 0
    batches: Iterator[Batch] = iter(loader)
    model.train()
    step = first
    batch: Batch | None = None
    try:
        while step < recipe.steps:
            for group in optimizer.param_groups:
                factor = one_cycle(step, recipe.steps, warm_up=recipe.warm_up, final_rate=recipe.final_rate)
                group["lr"] = recipe.learning_rate * factor
            finite = True
            for part in range(recipe.accumulate):
                batch = Batch(*fabric.to_device(tuple(next(batches))))
                with fabric.no_backward_sync(module, enabled=part < recipe.accumulate - 1):
                    alpha = module(batch.plate, batch.trimap)
                    losses = matting_losses(alpha, batch, recipe.losses)
                    fabric.backward(losses["total"] / recipe.accumulate)
                values = {name: float(value.detach()) for name, value in losses.items()}
                finite = finite and math.isfinite(values["total"])
                if finite:
                    averages.add(values)
            norm = fabric.clip_gradients(module, optimizer, max_norm=recipe.gradient_clip, error_if_nonfinite=False)
            finite = finite and norm is not None and math.isfinite(float(norm))
            step += 1
            since += recipe.batch * recipe.accumulate * fabric.world_size
            if finite:
                optimizer.step()
                average.update(model)
                bad = 0
            else:
                # One bad batch is not worth a run: its update is left out. A row of them is.
                bad += 1
                _log.warning("step %d: loss or gradient is not finite; update left out", step)
                if bad >= _MAX_BAD_STEPS:
                    raise GossamerError(
                        f"{bad} steps in a row gave no finite loss; the last good checkpoint is in {settings.output}. "
                        "Lower learning_rate or use precision 32-true."
                    )
            optimizer.zero_grad(set_to_none=True)
            now = time.monotonic()
            stop = (cancelled is not None and cancelled()) or (
                settings.stop_after_minutes > 0 and now - begun > settings.stop_after_minutes * 60
            )
            checkpoint = None
            due = step == recipe.steps or stop or now - saved_at > settings.checkpoint_minutes * 60
            if step % 20 == 0 or due:
                summary = StepReport(
                    step,
                    recipe.steps,
                    averages.take(),
                    optimizer.param_groups[0]["lr"],
                    since / (now - reported_at),
                    None,
                )
                reported_at, since = now, 0
                if log is not None and summary.losses:
                    log.add(summary)
                if due and not bad:
                    checkpoint = save(step, batch)
                    saved_at = time.monotonic()
                if report is not None and is_main:
                    report(dataclasses.replace(summary, checkpoint=checkpoint))
            if stop:
                break
    except KeyboardInterrupt:
        # The interrupted step may be half done: the last written checkpoint is the one to go on from.
        _log.warning("interrupted after step %d; go on with --resume from the last checkpoint", step)
        raise
    fabric.barrier()
    return settings.output


def checkpoint_facts(folder: Path) -> dict[str, Any]:
    """Step, samples and recipe of a run's newest checkpoint, for people to read."""
    values = load_checkpoint(folder)
    return {"step": int(values["step"]), "samples": int(values["samples"]), "recipe": dict(values["recipe"])}
