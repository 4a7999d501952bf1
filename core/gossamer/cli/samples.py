"""``gossamer samples``: the generator's samples as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gossamer.cli.options import Cutouts, Fur, Photos, Renders
from gossamer.errors import SettingError

__all__ = ["register"]


def samples(
    output: Annotated[Path, typer.Argument(help="Folder; gets image/, alpha/, trimap/, fg/ and bg/.")],
    count: Annotated[int, typer.Option(help="How many.")] = 100,
    seed: Annotated[int, typer.Option(help="Another seed makes other foregrounds and compositions.")] = 0,
    first: Annotated[int, typer.Option(help="Number of the first sample.")] = 0,
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 192,
    trimaps: Annotated[
        str, typer.Option(help="painted, gfm (one ellipse) or ellipse (two random ones, as ViTMatte and DDC).")
    ] = "painted",
    kernel: Annotated[int, typer.Option(help="Diameter of gfm's ellipse in pixels.")] = 25,
    photos: Photos = None,
    cutouts: Cutouts = None,
    fur: Fur = None,
    renders: Renders = None,
    backgrounds: Annotated[
        list[Path] | None,
        typer.Option("--backgrounds", help="Compose over whole photographs of this folder instead; repeatable."),
    ] = None,
    rssn: Annotated[
        bool,
        typer.Option("--rssn", help="With --backgrounds: by RSSN, whose blur is brought to the size; else plainly."),
    ] = False,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the generator: NAME=NUMBER; repeatable.")
    ] = None,
) -> None:
    """Write synthetic training samples as files: a data set to train on, to hold out, or to look at.

    Can be stopped at any time: the same command goes on where it stopped, and one with another --first or --count adds.
    """
    from gossamer.data.dataset_files import MattingSet
    from gossamer.data.datasets import pictures
    from gossamer.data.layer_source import SetSource
    from gossamer.data.rssn import RssnSettings
    from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
    from gossamer.data.written_samples import TRIMAP_KINDS, write_samples

    values: dict[str, Any] = {
        name: tuple(str(path) for path in paths)
        for name, paths in (("photos", photos), ("cutouts", cutouts), ("fur", fur), ("renders", renders))
        if paths
    }
    for text in assign or []:
        name, _, value = text.partition("=")
        current = getattr(SyntheticSettings(), name, None)
        if not isinstance(current, int | float) or name == "size":
            raise SettingError(f"--set {text}: give NAME=NUMBER with a number setting of the generator.")
        try:
            values[name] = type(current)(value)
        except ValueError as error:
            raise SettingError(f"--set {text}: {name} is a number.") from error

    def tell(done: int, total: int, name: str) -> None:
        if not name or done % 100 == 0:
            print(f"[{done}/{total}]", file=sys.stderr, flush=True)

    generator = SampleGenerator(SyntheticSettings(size=size, **values), seed)
    if trimaps not in TRIMAP_KINDS:
        raise SettingError(f"--trimaps is {trimaps!r}; use {', '.join(TRIMAP_KINDS)}.")
    if rssn and not backgrounds:
        raise SettingError("--rssn composes over photographs; name their folder with --backgrounds.")
    pool = tuple(path for folder in backgrounds or [] for path in pictures(folder).backgrounds)
    source = SetSource(MattingSet("backgrounds", output, backgrounds=pool), seed=seed) if pool else None
    # The paper's sides are for pictures of about 1,300 pixels.
    sides = tuple(max(1, round(side * size / 1300)) for side in RssnSettings().blur_sides)
    write_samples(
        generator,
        output,
        count=count,
        seed=seed,
        first=first,
        trimaps=trimaps,
        kernel=kernel,
        backgrounds=source,
        rssn=RssnSettings(blur_sides=sides) if rssn else None,
        progress=tell,
    )
    print(f"{output}: {count} samples")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(samples)
