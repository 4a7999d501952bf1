"""``gossamer train``: run a recipe."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from gossamer.cli.options import Cutouts, Fur, Photos, Renders
from gossamer.errors import CancelledError, MissingDependencyError, SettingError

if TYPE_CHECKING:
    from gossamer.training.loop import StepReport
    from gossamer.training.recipe import Recipe

__all__ = ["register"]


def _override(recipe: Recipe, assignments: list[str], changes: dict[str, Any]) -> Recipe:
    """Apply ``name=value`` to ``recipe``, then ``changes``, which may name a part as ``data.root``.

    Values of the recipe itself keep the type of what they replace; those of its tables are read as TOML, or as text.
    """
    from gossamer.training.recipe import recipe_from_dict

    values = dataclasses.asdict(recipe)
    values["data"] = dict(recipe.data)
    # Another pipeline or objective has other settings: it comes before what is set of them, wherever it stands.
    kinds = ("pipeline=", "objective=")
    for text in sorted(assignments, key=lambda text: not text.startswith(kinds)):
        name, sign, value = text.partition("=")
        table, dot, _ = name.partition(".")
        if dot and sign and isinstance(values.get(table), dict):
            _put(values, name, _parse(value))
            continue
        current = getattr(recipe, name, None)
        if not sign or not isinstance(current, int | float | str):
            raise SettingError(f"--set {text}: give NAME=VALUE with a number or word setting of the recipe.")
        try:
            values[name] = type(current)(value)
        except ValueError as error:
            kind = "whole number" if isinstance(current, int) else "number"
            raise SettingError(f"--set {text}: {name} is a {kind}.") from error
        if name in ("pipeline", "objective") and values[name] != current:
            # Settings of another kind have other names: what they are by default.
            values["samples" if name == "pipeline" else "losses"] = {}
    for name, value in changes.items():
        if value:
            _put(values, name, value)
    return recipe_from_dict(values, "the command line")


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    *tables, last = name.split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise SettingError(f"--set {name}: {table} holds no further settings.")
    values[last] = value


def _parse(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _texts(paths: list[Path] | None) -> tuple[str, ...]:
    return tuple(str(path) for path in paths or [])


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
    photos: Photos = None,
    cutouts: Cutouts = None,
    fur: Fur = None,
    renders: Renders = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder, or CSV file, of the data set that the recipe reads.")
    ] = None,
    backgrounds: Annotated[
        list[Path] | None, typer.Option("--backgrounds", help="Folder of backgrounds to compose with; repeatable.")
    ] = None,
    start_from: Annotated[
        str, typer.Option("--from", help="Start from these weights: a name, a folder, a file, or a finished run.")
    ] = "",
    encoder: Annotated[
        str, typer.Option("--encoder", help="Start the encoder from this file: ImageNet's, DINO's or MAE's.")
    ] = "",
    freeze: Annotated[
        list[str] | None,
        typer.Option("--freeze", help="Do not train this part: encoder, or the beginning of a name; repeatable."),
    ] = None,
    validate: Annotated[
        Path | None,
        typer.Option("--validate", help="Folder with image/, alpha/ and trimap/ to measure on with each checkpoint."),
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
    from gossamer.training.result import has_result

    chosen = _override(
        load_recipe(recipe),
        assign or [],
        {
            "data.photos": _texts(photos),
            "data.cutouts": _texts(cutouts),
            "data.fur": _texts(fur),
            "data.renders": _texts(renders),
            "data.root": str(data or ""),
            "data.backgrounds": _texts(backgrounds),
            "start_from": start_from,
            "encoder_from": encoder,
            "optimizer.frozen": tuple(freeze or ()),
        },
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
        validation=validate,
    )
    stopped = threading.Event()
    with _stopping_by_signal(stopped):
        run(chosen, settings, report=_print_step, cancelled=stopped.is_set)
    if stopped.is_set():
        raise CancelledError(f"stopped; go on with --resume from the checkpoint in {output}")
    if os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0":  # of several processes one speaks
        if has_result(output):
            print(f"done: {output}", file=sys.stderr)
        else:
            print(f"stopped after {stop_after:g} minutes; go on with --resume: {output}", file=sys.stderr)


class _ListingRecipes(TyperCommand):
    """Its help ends with the shipped recipes; reading what holds them would slow down every other command."""

    def format_help(self, *arguments: Any, **named: Any) -> None:
        """Look the recipes up and write the help."""
        from gossamer.training.recipe import shipped_recipes

        self.epilog = f"Shipped recipes: {', '.join(shipped_recipes())}."
        super().format_help(*arguments, **named)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(cls=_ListingRecipes)(train)
