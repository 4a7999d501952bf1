"""``gossamer evaluate``: models against known alpha, as a table, JSON, CSV and a page of pictures."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gossamer.cli.job_runner import stop_on_signals
from gossamer.config import BACKENDS, DEVICES, NONLOCAL_MEAN, PRECISIONS, STRATEGIES, TTA
from gossamer.errors import CancelledError, FrameError, SettingError

if TYPE_CHECKING:
    from rich.table import Table

    from gossamer.evaluation.evaluate import Progress
    from gossamer.evaluation.results import Evaluation

__all__ = ["register"]

_COLUMNS = {"sad": ("SAD", 2), "mse": ("MSE", 4), "mad": ("MAD", 4), "grad": ("Grad", 2), "conn": ("Conn", 2)}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="evaluate")(evaluate)


def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="Holds image/, alpha/ and one or more trimap folders, with equal file stems.")
    ],
    model: Annotated[
        str,
        typer.Option(help="One or more, with commas: names of `gossamer models`, closed-form, knn, shared, or paths."),
    ] = "gossamer-s",
    trimap: Annotated[str, typer.Option(help="Name of the trimap folder.")] = "trimap",
    report: Annotated[
        Path | None, typer.Option(help="Folder for the page of pictures (index.html), the JSON and the CSV.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers as JSON to this file.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write one row a picture and model.")] = None,
    plate_space: Annotated[
        str, typer.Option(help="OCIO colour space of the plates. Empty: what header or file type say.")
    ] = "",
    backend: Annotated[str, typer.Option(help=f"For networks: {', '.join(BACKENDS)}.")] = "auto",
    device: Annotated[str, typer.Option(help=f"For networks: {', '.join(DEVICES)}.")] = "auto",
    precision: Annotated[str, typer.Option(help=f"For networks: {', '.join(PRECISIONS)}.")] = "auto",
    tile: Annotated[int, typer.Option(help="For networks: largest side of a tile in pixels; 0 chooses.")] = 0,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 uses all cores.")] = 0,
    strategy: Annotated[str, typer.Option(help=f"For networks: {', '.join(STRATEGIES)}.")] = "auto",
    tta: Annotated[
        str, typer.Option(help=f"For networks: {', '.join(TTA)}. Several with commas are compared with each other.")
    ] = "none",
    refine: Annotated[
        str,
        typer.Option(
            metavar="STEPS",
            help="For gossamer-s and lsa-r50d: steps of refinement. Several with commas are compared with each other.",
        ),
    ] = "0",
    nonlocal_mean: Annotated[
        str,
        typer.Option(
            "--nonlocal",
            help=f"For networks: {', '.join(NONLOCAL_MEAN)}. Several with commas are compared with each other.",
        ),
    ] = "auto",
    guided: Annotated[
        bool, typer.Option("--guided", help="Show the trimap to networks that need none, too (GFM).")
    ] = False,
) -> None:
    """Measure models against known alpha: SAD, MSE, MAD, Grad, Conn and the time a picture takes.

    Over the unknown region of the trimap and over the whole picture, by the official definitions. Lower is better.
    """
    from rich.console import Console

    from gossamer.evaluation.evaluate import evaluate as run
    from gossamer.evaluation.report import Report
    from gossamer.evaluation.results import write_csv, write_json
    from gossamer.inference.solver import CLASSICAL, create_solver

    names = [name.strip() for name in model.split(",") if name.strip()]
    if not names:
        raise SettingError("--model names no model; give for instance --model gossamer-s,closed-form.")
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise SettingError(f"--model names {', '.join(doubles)} twice; name each model once.")
    for option, path in (("json", json_file), ("csv", csv_file)):
        if path is not None and path.is_dir():
            raise SettingError(f"--{option} {path} is a folder; name a file, such as {path / f'evaluation.{option}'}.")
        if path is not None and not path.parent.is_dir():
            raise SettingError(f"There is no folder {path.parent} to write {path.name} to.")
    variants = _variants(names, tta, refine, nonlocal_mean)
    page = Report(report, list(variants)) if report is not None else None
    fixed: dict[str, Any] = {
        "backend": backend,
        "device": device,
        "precision": precision,
        "tile": tile,
        "threads": threads,
        "strategy": strategy,
    }
    solvers = {
        label: create_solver(name, threads=threads) if name in CLASSICAL else create_solver(name, **fixed, **chosen)
        for label, (name, chosen) in variants.items()
    }
    with stop_on_signals() as cancelled, _progress() as progress:
        found = run(
            folder,
            solvers,
            trimap=trimap,
            plate_space=plate_space,
            guided=guided,
            on_picture=page.add if page is not None else None,
            progress=progress,
            cancelled=cancelled,
        )
    console = Console()
    console.print(_table(found, "unknown"))
    console.print(_table(found, "whole"))
    for name in found.models if found.compared else ():
        stem = found.worst(name)
        print(f"{name}: worst picture {stem}, SAD {found.scores(stem, name, 'unknown').sad:.2f}")
    if json_file is not None:
        write_json(found, json_file)
    if csv_file is not None:
        write_csv(found, csv_file)
    if page is not None:
        print(f"Report: {page.finish(found)}")
    if not found.is_complete:
        raise _incomplete(found, cancelled())


def _incomplete(found: Evaluation, is_cancelled: bool) -> CancelledError | FrameError:
    """Says that what was reported is not all."""
    text = f"{'Cancelled. ' if is_cancelled else ''}The means are over {found.extent}, those that every model solved."
    listed = "".join(f"\n  {failure}" for failure in found.failures)
    return (CancelledError if is_cancelled else FrameError)(text + (f" Failed:{listed}" if listed else ""))


def _variants(names: list[str], tta: str, refine: str, nonlocal_mean: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """What is measured, by label: model and its settings. Labels name only the settings of which several are given.

    Raises:
        SettingError: a value is no such setting, or given twice.
    """
    from gossamer.inference.solver import CLASSICAL

    averages = [word.strip() for word in tta.split(",") if word.strip()]
    words = [word.strip() for word in refine.split(",") if word.strip()]
    if not averages or set(averages) - set(TTA) or len(set(averages)) < len(averages):
        raise SettingError(f"--tta is {tta!r}; use {', '.join(TTA)}, or several of them with commas, each once.")
    if not words or not all(word.isdecimal() for word in words) or len(set(map(int, words))) < len(words):
        raise SettingError(
            f"--refine is {refine!r}; use a number of steps, or several with commas, each once: 0,10,30."
        )
    means = [word.strip() for word in nonlocal_mean.split(",") if word.strip()]
    if not means or set(means) - set(NONLOCAL_MEAN) or len(set(means)) < len(means):
        raise SettingError(
            f"--nonlocal is {nonlocal_mean!r}; use {', '.join(NONLOCAL_MEAN)}, or several with commas, each once."
        )
    variants: dict[str, tuple[str, dict[str, Any]]] = {}
    for name in names:
        if name in CLASSICAL:
            variants[name] = (name, {})
            continue
        for averaged, steps, mean in itertools.product(averages, map(int, words), means):
            label = name + (f", tta {averaged}" if len(averages) > 1 else "")
            label += f", refine {steps}" if len(words) > 1 else ""
            label += f", nonlocal {mean}" if len(means) > 1 else ""
            variants[label] = (name, {"tta": averaged, "refine": steps, "nonlocal_mean": mean})
    return variants


def _table(found: Evaluation, region: Literal["unknown", "whole"]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    where = "unknown region" if region == "unknown" else "whole picture"
    table = Table(title=f"{found.shown}, {where}, mean of {found.extent}", title_justify="left")
    table.add_column("model")
    for title, _ in _COLUMNS.values():
        table.add_column(title, justify="right")
    table.add_column("s/picture", justify="right")
    means = found.means(region)
    for model, values in means.items():
        cells = []
        for name, (_, digits) in _COLUMNS.items():
            is_best = len(means) > 1 and values[name] == min(other[name] for other in means.values())
            cells.append(f"[bold green]{values[name]:.{digits}f}[/]" if is_best else f"{values[name]:.{digits}f}")
        table.add_row(escape(model), *cells, f"{values['seconds']:.2f}")
    return table


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal; a line for every picture in a log."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:

        def log(done: int, total: int, text: str) -> None:
            if text:
                print(f"[{done + 1}/{total}] {text}", file=sys.stderr, flush=True)

        yield log
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Checking the folder", total=None)
        yield lambda done, total, text: bar.update(task, completed=done, total=total, description=text)
