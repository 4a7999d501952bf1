"""``gossamer bench``: what the parts of a job take on this machine, and its peak of memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gossamer.config import BACKENDS, DEVICES, PRECISIONS
from gossamer.errors import SettingError

if TYPE_CHECKING:
    from rich.table import Table

    from gossamer.evaluation.bench import Bench, Measurement

__all__ = ["register"]

_WIDTH = 170
"""Columns of the table where nobody knows how wide the screen is (a file, a pipe)."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="bench")(bench)


def bench(
    size: Annotated[
        list[str] | None, typer.Option(help="Width and height of the picture; more with commas. [1920x1080]")
    ] = None,
    band: Annotated[
        list[str] | None, typer.Option(help="Unknown part of the picture, 0..1; more with commas. [0.1]")
    ] = None,
    model: Annotated[
        str,
        typer.Option(help="One or more, with commas: names of `gossamer models`, closed-form, knn, shared, or paths."),
    ] = "gossamer-s",
    frames: Annotated[int, typer.Option(help="Frames to time. A classical solver may take a minute for each.")] = 5,
    backends: Annotated[
        str,
        typer.Option(
            help="Several side by side, with commas, precision behind a colon: torch,onnxruntime,openvino:bf16. Their "
            "mattes are compared with torch's in fp32."
        ),
    ] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers as JSON to this file.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the numbers as CSV to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them as bars into this PNG (needs matplotlib).")] = None,
    backend: Annotated[str, typer.Option(help=f"For networks: {', '.join(BACKENDS)}.")] = "auto",
    device: Annotated[str, typer.Option(help=f"For networks: {', '.join(DEVICES)}.")] = "auto",
    precision: Annotated[str, typer.Option(help=f"For networks: {', '.join(PRECISIONS)}.")] = "auto",
    tile: Annotated[int, typer.Option(help="For networks: largest side of a tile in pixels; 0 chooses.")] = 0,
    threads: Annotated[int, typer.Option(help="For networks: CPU threads; 0 uses all cores.")] = 0,
) -> None:
    """Time the parts of a job and its peak of memory, on made-up pictures of any size and band.

    Every size is combined with every band, and every model and backend gets the same picture. Each measurement runs the
    real job in a process of its own. The pictures go to the system's folder for temporary files (TMPDIR); an 8K frame
    takes 150 MB.
    """
    from rich.console import Console

    from gossamer.evaluation.bench import bench as run
    from gossamer.evaluation.bench import parse_size
    from gossamer.evaluation.bench_output import check_plot, write_csv, write_plot
    from gossamer.evaluation.results import save_text

    for file in (json_file, csv_file, plot):
        if file is not None and not file.parent.is_dir():
            raise SettingError(f"There is no folder {file.parent} to write {file.name} to.")
    if plot is not None:
        check_plot(plot)
    if backends and (backend, precision) != ("auto", "auto"):
        raise SettingError("--backends names backends and precisions; leave out --backend and --precision.")
    settings: dict[str, Any] = {
        "backend": backend,
        "device": device,
        "precision": precision,
        "tile": tile,
        "threads": threads,
    }
    found = run(
        _split([model]),
        sizes=[parse_size(text) for text in _split(size or ["1920x1080"])],
        bands=[_band(text) for text in _split(band or ["0.1"])],
        backends=_split([backends]),
        frames=frames,
        settings=settings,
        progress=_log,
    )
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(_table(found))
    for line in (*_facts(found), *_differences(found), *found.comparisons()):
        print(line)
    if csv_file is not None:
        write_csv(found, csv_file)
    if plot is not None:
        write_plot(found, plot)
    if json_file is not None:
        save_text(json.dumps(found.as_dict(), indent=2, allow_nan=False) + "\n", json_file)
    failed = [measured for measured in found.measurements if measured.error]
    for measured in failed:
        picture = f"{measured.width}x{measured.height}, band {measured.band:.0%}"
        print(f"{_name(measured)}, {picture}: {measured.error}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _split(words: list[str]) -> list[str]:
    return [part.strip() for word in words for part in word.split(",") if part.strip()]


def _band(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise SettingError(f"--band is {text!r}; give parts of the picture above 0 and up to 1.") from error


def _name(measured: Measurement) -> str:
    return f"{measured.model} by {measured.backend}" if measured.backend else measured.model


def _log(done: int, total: int, text: str) -> None:
    if text:
        print(f"[{done + 1}/{total}] {text}", file=sys.stderr, flush=True)


def _table(found: Bench) -> Table:
    from rich.markup import escape
    from rich.table import Table

    frames = f"median of {found.frames} frames" if found.frames > 1 else "1 frame"
    table = Table(title=f"Seconds a frame, {frames}", title_justify="left")
    table.add_column("model", overflow="fold", min_width=11)
    parts = ("read", "colour", "network", "merge", "non-local", "write")  # PARTS
    columns = ("size", "band", *parts, "total", "p95", "CPU s", "frames/s")
    for title in (*columns, "network\nof time", "network\nreads", "solve s/\nunknown Mpx", "peak\nmemory"):
        table.add_column(title, justify="right", no_wrap=True)
    for measured in found.measurements:
        picture = (f"{measured.width}x{measured.height}", f"{measured.unknown:.1%}")
        cells = ("failed",) if measured.error else _cells(measured)
        table.add_row(escape(_name(measured)), *picture, *cells)
    return table


def _cells(measured: Measurement) -> list[str]:
    unknown = measured.unknown * measured.width * measured.height / 1e6
    seconds = [*measured.parts.values(), measured.total, measured.total_p95, measured.cpu]
    return [
        *(f"{value:.3f}" for value in seconds),
        f"{measured.frames_per_second:.3g}",
        f"{measured.network_share:.0%}",
        "" if measured.network_part is None else f"{measured.network_part:.0%}",
        f"{measured.solve / unknown:.2f}",
        "unknown" if measured.peak_memory is None else f"{measured.peak_memory / 1e9:.2f} GB",
    ]


def _facts(found: Bench) -> list[str]:
    """The machine, and what each model ran on."""
    from gossamer.inference.solver import CLASSICAL

    machine = found.machine
    text = f"{machine['cpu']}, {machine['cores']} cores"
    if machine["memory"] is not None:
        text += f", {machine['memory'] / 1e9:.0f} GB"
    text += f", {machine['system']}"
    if machine["load_average"] is not None:
        text += f"; load average at the start {machine['load_average']:.1f}"
    lines = [text, ", ".join(f"{name} {version}" for name, version in machine["versions"].items())]
    runs_on = {_name(measured): measured.runs_on for measured in found.measurements if not measured.error}
    if any(measured.model in CLASSICAL for measured in found.measurements):
        lines.append("Solvers without a network have their whole solve under network.")
    for name, effective in runs_on.items():
        threads = f", {effective['threads']} threads" if "threads" in effective else ""
        where = f"{effective['backend']} on {effective['device']}, {effective['precision']}{threads}"
        identity = str(effective["identity"])
        lines.append(f"{name} ({identity[:12] if len(identity) == 64 else identity}): {where}")
    return lines


def _differences(found: Bench) -> list[str]:
    """How far each backend's matte is from the reference, or why nobody knows."""
    lines = []
    for measured in found.measurements:
        if measured.difference is not None:
            apart, picture = measured.difference, f"{measured.width}x{measured.height}, band {measured.band:.0%}"
            lines.append(
                f"{picture}: {_name(measured)} differs from torch fp32 by {apart.mean:.1e} in the mean, "
                f"{apart.most:.1e} for 99.9 % of the unknown pixels, {apart.largest:.1e} at most"
            )
        if measured.peak_device_memory is not None:
            lines.append(f"{_name(measured)}: {measured.peak_device_memory / 1e9:.2f} GB on the GPU")
    lines += [
        f"{model}: no reference to compare with. {why}" for model, why in found.machine.get("no_reference", {}).items()
    ]
    return lines
