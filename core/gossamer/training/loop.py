"""The training loop, on Lightning Fabric: devices, mixed precision and processes are Fabric's business.

Exactly resumable: a step's samples and random numbers depend on the recipe's seed and the step's number alone, and a
checkpoint holds the weights, their average, the optimiser and the step. Stopped at any point, the run goes on as if it
had not been.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import torch

from gossamer.errors import DataError, GossamerError
from gossamer.training.checkpoint import CHECKPOINT_NAME
from gossamer.training.kept_samples import KeptSamples
from gossamer.training.logbook import StepReport
from gossamer.training.objectives import make_objective
from gossamer.training.preparation import keep_freed_memory, make_fabric, make_pipeline
from gossamer.training.recipe import Recipe
from gossamer.training.result import has_result
from gossamer.training.run import Run
from gossamer.training.samples import AnyBatch, make_loader, read_batches
from gossamer.training.settings import TrainingSettings
from gossamer.training.validation import open_validation

__all__ = ["StepReport", "TrainingSettings", "train"]

_log = logging.getLogger(__name__)
_MAX_BAD_STEPS = 20
_REPORT_STEPS = 20


def train(
    recipe: Recipe,
    settings: TrainingSettings,
    *,
    report: Callable[[StepReport], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Run ``recipe`` and return the folder of the run.

    In a run of several processes each calls this; all stop together, and the first alone reports and writes.

    Raises:
        DataError: the output folder holds a run already and ``resume`` is off, or cannot be written; or samples cannot
            be made.
        SettingError: recipe and checkpoint, or the recipe's own parts, do not belong together; or the devices are not
            there.
        GossamerError: the loss stayed without a finite value.
    """
    has_checkpoint = (settings.output / CHECKPOINT_NAME).is_file()
    if has_checkpoint and not settings.resume:
        raise DataError(f"{settings.output} holds a run already; go on with --resume or name another folder.")
    if settings.resume and not has_checkpoint:
        _log.warning("%s holds no checkpoint to go on from; the run begins at its first step", settings.output)
    # What does not go together is said before any file is looked for.
    make_objective(recipe)
    pipeline = make_pipeline(recipe, settings.output)
    validation = open_validation(settings)
    fabric = make_fabric(recipe, settings)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if fabric.device.type == "cpu":
        keep_freed_memory()
    run = Run(recipe, settings, fabric, validation, going_on=has_checkpoint)
    first = run.restore() if has_checkpoint else 0
    if isinstance(pipeline, KeptSamples) and first < recipe.steps:
        if not has_checkpoint and run.is_main:
            pipeline.discard()
        fabric.barrier()
        pipeline.check_room()
    loader = make_loader(
        pipeline,
        batch=recipe.batch,
        first=first * recipe.accumulate,
        last=recipe.steps * recipe.accumulate,
        workers=settings.workers,
        rank=fabric.global_rank,
        ranks=fabric.world_size,
    )
    try:
        run.open_logbook(first)
        with closing(read_batches(loader)) as batches:
            ended = _loop(run, first, batches, report, cancelled)
        if first >= recipe.steps and not has_result(settings.output):
            # It ended between its last checkpoint and the weights: killed, or the disk was full.
            run.save(first, last=True)
    finally:
        run.close()
    if ended and run.is_main and isinstance(pipeline, KeptSamples):
        pipeline.discard()
    if fabric.world_size > 1:
        # No process leaves while another still writes: its launcher would take that for the end of the run.
        fabric.barrier()
        torch.distributed.destroy_process_group()
    return settings.output


def _loop(
    run: Run,
    first: int,
    batches: Iterator[AnyBatch],
    report: Callable[[StepReport], None] | None,
    cancelled: Callable[[], bool] | None,
) -> bool:
    """Whether it came to the last step."""
    recipe, settings = run.recipe, run.settings
    begun = saved_at = reported_at = time.monotonic()
    bad = samples = 0
    for step in range(first + 1, recipe.steps + 1):
        finite = run.step(step, batches)
        samples += run.samples_a_step
        now = time.monotonic()
        wants_stop = (cancelled is not None and cancelled()) or (0 < settings.stop_after_minutes * 60 < now - begun)
        # A process that stopped or left out an update on its own would leave the others waiting for it.
        failed, stop = run.any_process(not finite, wants_stop)
        if failed:
            # One bad batch is not worth a run: its update is left out. A row of them is.
            bad += 1
            run.leave_out()
            _log.warning("step %d: loss or gradient is not finite; update left out", step)
            if bad >= _MAX_BAD_STEPS:
                raise GossamerError(
                    f"{bad} steps in a row gave no finite loss. The last good weights are in "
                    f"{settings.output / CHECKPOINT_NAME}; begin in another folder with a lower learning_rate or "
                    "precision 32-true."
                )
        else:
            bad = 0
            run.update()
        last = stop or step == recipe.steps
        # In a row of bad steps the weights themselves may be what is wrong: the checkpoint before them stays.
        due = last or (not bad and now - saved_at >= settings.checkpoint_minutes * 60)
        if due or step % _REPORT_STEPS == 0:
            summary = StepReport(
                step, recipe.steps, run.averages.take(), run.learning_rate, samples / (now - reported_at), None
            )
            reported_at, samples = now, 0
            run.write(summary)
            if due:
                summary = dataclasses.replace(summary, checkpoint=run.save(step, last=step == recipe.steps))
                saved_at = time.monotonic()
            if report is not None and run.is_main:
                report(summary)
        if stop:
            return step == recipe.steps
    return True
