"""One run's network, optimiser and average, and how a step changes them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from gossamer.data.sample_settings import SAMPLES
from gossamer.errors import DataError, SettingError
from gossamer.training.averaging import WeightAverage
from gossamer.training.checkpoint import load_checkpoint, save_checkpoint
from gossamer.training.logbook import Averages, Logbook, StepReport
from gossamer.training.loss_settings import LOSSES
from gossamer.training.objectives import make_objective
from gossamer.training.parameters import make_optimizer, set_training_mode
from gossamer.training.pictures import write_curves, write_samples
from gossamer.training.preparation import make_model
from gossamer.training.recipe import FOLDER_SETTINGS, Recipe
from gossamer.training.result import write_result
from gossamer.training.samples import AnyBatch
from gossamer.training.schedule import rate_factor
from gossamer.training.settings import TrainingSettings
from gossamer.training.validation import Validation

__all__ = ["Run"]

_SINGLE_FOLDERS = ("cache_folder", "root")
_DEFAULTS = dataclasses.asdict(Recipe("", "", seed=0, steps=1, batch=1, size=64, learning_rate=1.0))


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"Cannot write into the run's folder {folder}: {error.strerror}. Mend that, then go on with --resume."
        ) from error


class Run:
    """Network, optimiser and average of a run, and how one step changes them."""

    def __init__(
        self,
        recipe: Recipe,
        settings: TrainingSettings,
        fabric: Fabric,
        validation: Validation | None = None,
        *,
        going_on: bool = False,
    ) -> None:
        """Builds the network on the device of ``fabric``, with the recipe's first weights unless it is ``going_on``:
        then :meth:`restore` has to follow."""
        self.recipe = recipe
        self.settings = settings
        self.is_main = fabric.global_rank == 0
        self.samples_a_step = recipe.batch * recipe.accumulate * fabric.world_size
        self.averages = Averages()
        self._fabric = fabric
        self._validation = validation
        self._objective = make_objective(recipe)
        self._model = make_model(recipe, first_weights=not going_on)
        self._module, self._optimizer = fabric.setup(self._model, make_optimizer(self._model, recipe))
        self._average = WeightAverage(self._model, recipe.ema)
        set_training_mode(self._model, recipe)
        self._buffers: list[torch.Tensor] = []
        self._batch: AnyBatch | None = None
        self._book: Logbook | None = None

    @property
    def learning_rate(self) -> float:
        """Of the step that was last computed, where it is highest."""
        return max(float(group["lr"]) for group in self._optimizer.param_groups)

    def step(self, step: int, batches: Iterator[AnyBatch]) -> bool:
        """Compute the gradient of step ``step``, from 1; false if it, or a loss, is not finite."""
        recipe, fabric = self.recipe, self._fabric
        factor = rate_factor(
            recipe.schedule, step - 1, recipe.steps, warm_up=recipe.warm_up, final_rate=recipe.final_rate
        )
        for group in self._optimizer.param_groups:
            # Checkpoints of earlier versions have no factors.
            group["lr"] = recipe.learning_rate * factor * group.get("factor", 1.0)
        self._buffers = [buffer.clone() for buffer in self._model.buffers()]
        finite = True
        for part in range(recipe.accumulate):
            found = next(batches)
            self._batch = batch = type(found)(*fabric.to_device(tuple(found)))
            # For networks with dropout: what they draw depends on the batch's number, not on how often the run was
            # resumed. After the batch, because a loader that starts draws a number as well.
            number = ((step - 1) * recipe.accumulate + part) * fabric.world_size + fabric.global_rank
            torch.manual_seed((recipe.seed * 1_000_000_007 + number) % 2**63)
            with fabric.no_backward_sync(self._module, enabled=part < recipe.accumulate - 1):
                losses = self._objective.losses(self._module, batch)
                fabric.backward(losses["total"] / recipe.accumulate)
            numbers = torch.stack([value.detach() for value in losses.values()]).tolist()
            values = dict(zip(losses, numbers, strict=True))
            if math.isfinite(values["total"]):
                self.averages.add(values)
            else:
                finite = False
        norm = fabric.clip_gradients(
            self._module, self._optimizer, max_norm=recipe.gradient_clip or math.inf, error_if_nonfinite=False
        )
        return finite and norm is not None and math.isfinite(float(norm))

    def any_process(self, *flags: bool) -> list[bool]:
        """Whether any process of the run says yes, flag by flag."""
        if self._fabric.world_size == 1:
            return list(flags)
        mine = torch.tensor([float(flag) for flag in flags], device=self._fabric.device)
        return [value > 0 for value in self._fabric.all_reduce(mine, reduce_op="sum").tolist()]  # type: ignore[union-attr]

    def update(self) -> None:
        """Let the optimiser use the gradient of :meth:`step`."""
        self._optimizer.step()
        self._average.update(self._model)
        self._optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def leave_out(self) -> None:
        """Forget the gradient of :meth:`step`, and what its batch did to the running statistics of normalisations."""
        for buffer, before in zip(self._model.buffers(), self._buffers, strict=True):
            buffer.copy_(before)
        self._optimizer.zero_grad(set_to_none=True)

    def open_logbook(self, first: int) -> None:
        """Begin to write into the run's folder, after ``first`` steps."""
        if self.is_main:
            with _explaining(self.settings.output):
                self.settings.output.mkdir(parents=True, exist_ok=True)
                self._book = Logbook(self.settings.output, self._objective.terms, first)

    def write(self, report: StepReport) -> None:
        """Add a line to the log."""
        if self._book is not None:
            with _explaining(self.settings.output):
                self._book.add(report)

    def save(self, step: int, *, last: bool) -> Path | None:
        """Write checkpoint, curves, sample mattes and what the held-out pictures say, and with the ``last`` step the
        weights; the checkpoint's path in the process that writes."""
        if self._book is None:
            return None
        output = self.settings.output
        values = {
            "recipe": dataclasses.asdict(self.recipe),
            "step": step,
            "samples": step * self.samples_a_step,
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.checkpoint(),
        }
        path = save_checkpoint(output, values)
        averaged = self._average.state_dict()
        if self._validation is not None:
            scores = self._validation.measure(self.recipe.model, averaged)
            with _explaining(output):
                self._book.add_validation(scores, step)
        with _explaining(output):
            if last:
                write_result(output, self.recipe, averaged, step=step, samples=values["samples"])
            write_curves(self._book.path, output / "curves.png")
            if self._batch is not None:
                sheet = write_samples(self.recipe.model, averaged, self._batch, output / "samples.png")
                self._book.add_sheet(sheet, step)
        return path

    def restore(self) -> int:
        """Go on from the folder's checkpoint; the number of steps that are done."""
        output = self.settings.output
        values = load_checkpoint(output)
        changed = _differences(dataclasses.asdict(self.recipe), values["recipe"])
        if changed:
            raise SettingError(
                f"{output} was begun with another recipe (different: {', '.join(changed)}). "
                "Give that recipe, or another output folder."
            )
        step, samples = int(values["step"]), int(values["samples"])
        if samples != step * self.samples_a_step:
            # Samples are numbered by step and process: another number of these would show some twice and some never.
            begun = samples // (step * self.recipe.batch * self.recipe.accumulate)
            raise SettingError(
                f"{output} was begun with {begun} processes and {self._fabric.world_size} are to go on; "
                f"give --devices {begun}, or another output folder."
            )
        try:
            self._model.load_state_dict(values["model"])
            self._optimizer.load_state_dict(values["optimizer"])
            self._average.restore(values["average"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise DataError(
                f"The checkpoint in {output} does not fit the network {self.recipe.model!r} of this version; "
                "begin in another folder."
            ) from error
        return step

    def close(self) -> None:
        """Close the log."""
        if self._book is not None:
            self._book.close()


def _differences(asked: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Settings that differ; folders of pictures may have moved, but not become more or fewer. What was not stored yet
    had its default."""
    stored = {**_DEFAULTS, "losses": asked["losses"], "samples": asked["samples"], **stored}
    for name, kinds, chosen in (("samples", SAMPLES, "pipeline"), ("losses", LOSSES, "objective")):
        # Those of another kind differ anyway.
        stored[name] = {**dataclasses.asdict(kinds[asked[chosen]]()), **stored[name]}
    changed = [key for key in asked if key != "data" and asked[key] != stored.get(key)]
    ours, theirs = asked["data"], stored.get("data", {})
    for key in sorted(ours.keys() | theirs.keys()):
        if key not in FOLDER_SETTINGS:
            if ours.get(key) != theirs.get(key):
                changed.append(f"data.{key}")
        elif key not in _SINGLE_FOLDERS:
            now, then = len(ours.get(key, ())), len(theirs.get(key, ()))
            if now != then:
                changed.append(f"data.{key}, {then} folders then and {now} now")
    return sorted(changed)
