"""Commands of this room, added to ``gossamer`` through the entry point group ``gossamer.commands``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the weights; its name becomes theirs.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", help="'NAME: LICENCE' of something trained on; repeatable.")
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option("--evaluation", help="JSON of `gossamer evaluate` for these very weights; repeatable."),
    ] = None,
    device: Annotated[str, typer.Option(help="What it was trained on, in words.")] = "",
) -> None:
    """Turn a training run into weights: safetensors, ONNX (checked against the network) and manifest."""
    from gossamer_export.publish import publish as write

    manifest = write(run, output, sources=source or [], evaluations=evaluation or [], device=device)
    for kind, entry in manifest.files.items():
        typer.echo(f"{kind}: {output / entry.path} {entry.bytes / 1e6:.1f} MB {entry.sha256[:12]}")
    typer.echo(f"ONNX against torch, largest distance of alpha: {manifest.training['onnx_distance']:.1e}")


def register(app: typer.Typer) -> None:
    """Add this room's commands to ``app``."""
    app.command()(publish)
