"""``gossamer refine-foregrounds``: LSA's training set refinement over a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gossamer.errors import SettingError

if TYPE_CHECKING:
    from gossamer.data.derived_files import Progress

__all__ = ["register"]

PROGRESS = ("auto", "rich", "plain")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="refine-foregrounds")(refine_foregrounds)


def refine_foregrounds(
    foregrounds: Annotated[Path, typer.Argument(help="Folder of unpremultiplied foregrounds, 8 or 16 bits.")],
    alphas: Annotated[Path, typer.Argument(help="Folder of their alphas, with equal file stems.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the new foregrounds (PNG).")],
    kappa: Annotated[float, typer.Option(help="Weight of smoothness; the paper's is 1.")] = 1.0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    progress: Annotated[str, typer.Option(help=f"How to tell what is done: {', '.join(PROGRESS)}.")] = "auto",
) -> None:
    """Make foregrounds smooth where alpha is small, for training (LSA-Matting).

    Where alpha is near 0 a cut-out's colours are arbitrary; new ones are solved from what alpha shows of them. Can be
    stopped at any time: the same command goes on where it stopped, and redoes only what has changed.
    """
    from gossamer.data.refine_foregrounds import find_pairs, resolve_device
    from gossamer.data.refine_foregrounds import refine_foregrounds as run

    if progress not in PROGRESS:
        raise SettingError(f"--progress is {', '.join(PROGRESS)}, not {progress!r}.")
    chosen = resolve_device(device)
    pairs = find_pairs(foregrounds, alphas)
    with _progress(progress) as tell:
        report = run(pairs, output, kappa=kappa, device=chosen, progress=tell)
    print(f"{output}: {report.written} written on {chosen}, {report.kept} were there already")


@contextmanager
def _progress(kind: str) -> Iterator[Progress]:
    """A bar on a terminal; a line for every picture in a log."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    style: Literal["rich", "plain"] = "rich" if kind == "rich" or (kind == "auto" and console.is_terminal) else "plain"
    if style == "plain":

        def log(done: int, total: int, name: str) -> None:
            if name:
                print(f"[{done + 1}/{total}] {name}", file=sys.stderr, flush=True)

        yield log
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Foregrounds", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=name or "Foregrounds")
