"""``gossamer run``: repeat a saved job, or a part of it on a farm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gossamer.cli.job_runner import absolute, choose_existing, perform
from gossamer.config import load_job

__all__ = ["register"]

EPILOG = """
What is given here replaces what the job says; everything else is as saved. Frames that a farm does in chunks are the \
same bytes as those of one long run.

Examples:

gossamer matte plate.####.exr -t trimap.####.exr -o out/ --save-job shot.json

gossamer run shot.json --frames 1001-1010 --skip-existing
"""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="run", epilog=EPILOG)(run_job)


def run_job(
    job_file: Annotated[Path, typer.Argument(metavar="JOB", help="A file that --save-job wrote.")],
    frames: Annotated[str | None, typer.Option(help="Only these: 1001-1100x2,1150.")] = None,
    missing: Annotated[
        Literal["error", "skip"] | None, typer.Option(help="When plate or guide lack a frame: stop, or leave it out.")
    ] = None,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Another folder, file or pattern.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; 0 is all cores. Changes no pixel.")] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Keep frames that are finished; do the others.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do frames again that exist.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write what was done, frame by frame, as JSON.")] = None,
) -> None:
    """Repeat a job that `gossamer matte --save-job` wrote."""
    job = load_job(job_file)
    given: dict[str, Any] = {"frames": frames, "missing": missing, "threads": threads}
    existing = choose_existing(skip_existing, overwrite)
    outputs: dict[str, Any] = {"existing": existing, "path": None if output is None else absolute(output)}
    job = replace(
        job,
        outputs=replace(job.outputs, **{name: value for name, value in outputs.items() if value is not None}),
        **{name: value for name, value in given.items() if value is not None},
    )
    perform(job, report)
