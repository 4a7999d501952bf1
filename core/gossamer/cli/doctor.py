"""``gossamer doctor``: what works on this machine and what to install for the rest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

_STYLES = {"ok": "green", "absent": "dim", "problem": "bold red"}
_MARKS = {"ok": "✓", "absent": "–", "problem": "✗"}
_ASCII_MARKS = {"ok": "+", "absent": "-", "problem": "x"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="doctor")(doctor)


def _can_show(encoding: str) -> bool:
    try:
        "".join(_MARKS.values()).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON instead.")] = False,
) -> None:
    """Say what works here and what to install for the rest. Exit code 0: the base job works, 1: it does not."""
    from gossamer import __version__
    from gossamer.evaluation.doctor import base_job_works, examine

    findings = examine(Path.cwd())
    works = base_job_works(findings)
    if as_json:
        values = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"version": __version__, "base_job_works": works, "findings": values}, indent=2))
        raise typer.Exit(0 if works else 1)

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    # A redirected Windows console writes cp1252, which has no ticks.
    marks = _ASCII_MARKS if console.options.ascii_only or not _can_show(console.encoding) else _MARKS
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            table.add_row("", f"[cyan]{group}[/]", "")
        help_text = f"\n[yellow]{escape(finding.remedy)}[/]" if finding.remedy else ""
        style = _STYLES[finding.status]
        table.add_row(f"[{style}]{marks[finding.status]}[/]", escape(finding.name), escape(finding.detail) + help_text)
    console.print(f"Gossamer {__version__}")
    console.print(table)
    if works:
        console.print("[green]The base job works:[/] gossamer matte PLATE --trimap TRIMAP -o OUT")
    else:
        console.print("[bold red]The base job does not work here.[/] Start with the first red line above.")
    raise typer.Exit(0 if works else 1)
