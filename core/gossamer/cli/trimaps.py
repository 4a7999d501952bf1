"""``gossamer trimaps``: random trimaps of alphas, once and for good."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gossamer.errors import DataError

__all__ = ["register"]


def trimaps(
    alphas: Annotated[Path, typer.Argument(help="Folder of alphas or masks.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the trimaps (PNG) and trimaps.csv.")],
    seed: Annotated[int, typer.Option(help="Another seed draws other trimaps; it is recorded.")] = 0,
) -> None:
    """Draw a trimap for every alpha as ViTMatte and DDC do, for training without alpha labels.

    Foreground and background are eroded by ellipses of random size. The same seed gives the same trimaps; trimaps.csv
    records what was drawn. Can be stopped at any time: the same command goes on where it stopped.
    """
    from gossamer.data.dataset_files import Item, pictures_by_stem
    from gossamer.data.paper_trimaps import write_ellipse_trimaps

    if not alphas.is_dir():
        raise DataError(f"There is no folder {alphas}. Name the folder of the alphas.")
    problems: list[str] = []
    found = pictures_by_stem(alphas, problems)
    if problems or not found:
        listed = "\n  ".join(problems or ["there are no pictures"])
        raise DataError(f"{alphas} cannot be used; put right or take out:\n  {listed}")

    def tell(done: int, total: int, name: str) -> None:
        if name and done % 100 == 0:
            print(f"[{done + 1}/{total}] {name}", file=sys.stderr, flush=True)

    items = [Item(stem, alpha=path) for stem, path in found.items()]
    report = write_ellipse_trimaps(items, output, seed=seed, progress=tell)
    print(f"{output}: {report.written} written, {report.kept} were there already; seed {seed}")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(trimaps)
