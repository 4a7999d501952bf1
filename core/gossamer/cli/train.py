"""``gossamer train``: run a recipe."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gossamer.errors import CancelledError, MissingDependencyError, SettingError

if TYPE_CHECKING:
    from gossamer.training.loop import StepReport
    from gossamer.training.recipe import Recipe

__all__ = ["register"]


def _override(recipe: Recipe, assignments: list[str], folders: dict[str, list[Path]]) -> Recipe:
    """Apply ``name=value`` and the data folders to ``recipe``; values keep the type of what they replace."""
    values: dict[str, Any] = {}
    for text in assignments:
        name, sign, value = text.partition("=")
        current = getattr(recipe, name, None)
        if not sign or not isinstance(current, int | float | str):
            raise SettingError(f"--set {text}: give NAME=VALUE with a number or word setting of the recipe.")
        try:
            values[name] = type(current)(value)
        except ValueError as error:
            kind = "whole number" if isinstance(current, int) else "number"
            raise SettingError(f"--set {text}: {name} is a {kind}.") from error
    given = {name: tuple(str(path) for path in paths) for name, paths in folders.items() if paths}
    return dataclasses.replace(recipe, **values, data={**recipe.data, **given})


@contextmanager
def _stopping_by_signal(stopped: threading.Event) -> Iterator[None]:
    """Set ``stopped`` on SIGINT and SIGTERM; the second time do not wait for the end of the step."""

    def stop(number: int, _frame: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()
        print("stopping after this step, with a checkpoint", file=sys.stderr, flush=True)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _print_step(report: StepReport) -> None:
    losses = "  ".join(f"{name} {value:.4f}" for name, value in report.losses.items())
    print(
        f"step {report.step}/{report.steps}  {losses}  rate {report.learning_rate:.2e}  "
        f"{report.samples_per_second:.1f} samples/s" + (f"  wrote {report.checkpoint}" if report.checkpoint else ""),
        flush=True,
    )


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or a TOML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    photos: Annotated[
        list[Path] | None, typer.Option("--photos", help="Folder of photographs for backgrounds; repeatable.")
    ] = None,
    cutouts: Annotated[
        list[Path] | None, typer.Option("--cutouts", help="Folder of RGBA pictures used as foregrounds; repeatable.")
    ] = None,
    fur: Annotated[
        list[Path] | None,
        typer.Option("--fur", help="Folder with image/ and alpha/ used as foregrounds; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="Processes of this machine.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes that make samples; 0: none of their own.")] = 1,
    threads: Annotated[int, typer.Option(help="CPU threads; 0: torch decides.")] = 0,
    checkpoint_minutes: Annotated[float, typer.Option(help="Minutes between checkpoints.")] = 3.0,
    stop_after: Annotated[float, typer.Option(help="Minutes after which to stop with a checkpoint; 0: never.")] = 0.0,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting of the recipe: NAME=VALUE; repeatable.")
    ] = None,
) -> None:
    """Train a network by a recipe. Ctrl-C stops with a checkpoint; --resume goes on exactly where it stopped."""
    try:
        from gossamer.training.loop import TrainingSettings
        from gossamer.training.loop import train as run
    except ImportError as error:
        raise MissingDependencyError(f'Training needs {error.name}: pip install "gossamer-matting[train]".') from error
    from gossamer.training.recipe import load_recipe

    chosen = _override(
        load_recipe(recipe), assign or [], {"photos": photos or [], "cutouts": cutouts or [], "fur": fur or []}
    )
    settings = TrainingSettings(
        output=output,
        device=device,
        devices=devices,
        workers=workers,
        threads=threads,
        checkpoint_minutes=checkpoint_minutes,
        stop_after_minutes=stop_after,
        resume=resume,
    )
    stopped = threading.Event()
    with _stopping_by_signal(stopped):
        run(chosen, settings, report=_print_step, cancelled=stopped.is_set)
    if stopped.is_set():
        raise CancelledError(f"stopped; go on with --resume from the checkpoint in {output}")
    if os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0":  # of several processes one speaks
        print(f"done: {output}", file=sys.stderr)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(train)
