"""What a run tells: ``log.csv`` with a line per report, the same numbers and sample mattes for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import MissingDependencyError

__all__ = ["LOG_NAME", "VALIDATION_NAME", "Averages", "Logbook", "StepReport"]

LOG_NAME = "log.csv"
VALIDATION_NAME = "validation.csv"
_TENSORBOARD = "tensorboard"


@dataclass(frozen=True)
class StepReport:
    """What the loop tells after a step."""

    step: int
    """Steps done, from 1."""
    steps: int
    losses: dict[str, float]
    """Averages over the steps since the last report, of this process's batches; empty if none was finite."""
    learning_rate: float
    samples_per_second: float
    checkpoint: Path | None
    """Set when one was just written."""


class Averages:
    """Means of the loss terms since the last report."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, losses: dict[str, float]) -> None:
        """Take in one batch."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1

    def take(self) -> dict[str, float]:
        """The means so far; begins anew."""
        means = {name: value / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


def _begin(path: Path, names: Sequence[str], first: int) -> None:
    """Write the head of a log, or keep what it has of the ``first`` steps; empty ``names`` keep its own head."""
    rows: list[list[str]] = []
    if path.is_file() and (first or not names):
        with path.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.reader(stream))
        names = names or lines[0]
        # A process that was killed may have left half a line.
        rows = [row for row in lines if len(row) == len(names) and row[0].isdigit() and int(row[0]) <= first]
    text = io.StringIO()
    csv.writer(text).writerows([names, *rows])
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
    temporary.replace(path)


class Logbook:
    """The log files of one run. On going on, what is past the checkpoint is dropped."""

    def __init__(self, folder: Path, terms: Sequence[str], first: int) -> None:
        """``terms``: names of the losses beside their total. ``first``: steps that are done already.

        Raises:
            MissingDependencyError: TensorBoard's writer is not installed.
            OSError: the folder cannot be written.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError('The log needs tensorboard: pip install "gossamer-matting[train]".') from error
        self.path = folder / LOG_NAME
        self._names = ["step", "samples_per_second", "learning_rate", "total", *terms]
        _begin(self.path, self._names, first)
        self._validation = folder / VALIDATION_NAME
        if self._validation.is_file():
            _begin(self._validation, [], first)
        self._board = SummaryWriter(str(folder / _TENSORBOARD), purge_step=first + 1)

    def add(self, report: StepReport) -> None:
        """Write one line; nothing if no step since the last one gave a finite loss."""
        if not report.losses:
            return
        values: dict[str, Any] = {
            **report.losses,
            "step": report.step,
            "learning_rate": report.learning_rate,
            "samples_per_second": report.samples_per_second,
        }
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            # Steps in full: 6 digits would end at a million.
            csv.writer(stream).writerow([report.step, *(f"{values[name]:.6g}" for name in self._names[1:])])
        for name in self._names[1:]:
            group = "speed" if name == "samples_per_second" else "rate" if name == "learning_rate" else "loss"
            self._board.add_scalar(f"{group}/{name}", values[name], report.step)

    def add_validation(self, scores: Mapping[str, float], step: int) -> None:
        """Write what the held-out pictures say after ``step`` as a line of ``validation.csv``, and for TensorBoard."""
        if not self._validation.is_file():
            _begin(self._validation, ["step", *scores], 0)
        with self._validation.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow([step, *(f"{value:.6g}" for value in scores.values())])
        for name, value in scores.items():
            self._board.add_scalar(f"validation/{name}", value, step)

    def add_sheet(self, sheet: NDArray[np.uint8], step: int) -> None:
        """Sample mattes, H x W x 3 RGB, for TensorBoard; written out with everything before."""
        self._board.add_image("samples", sheet, step, dataformats="HWC")
        self._board.flush()

    def close(self) -> None:
        """End TensorBoard's writing thread."""
        self._board.close()
