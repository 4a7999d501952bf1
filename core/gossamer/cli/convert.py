"""``gossamer convert``: a paper's official checkpoint to weights that every command can use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.errors import MissingDependencyError

__all__ = ["register"]


def convert(
    file: Annotated[Path, typer.Argument(help="The checkpoint: .pth, .pt, .ckpt or .safetensors.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The .safetensors file to write, in a folder of its own."),
    ],
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture",
            "-a",
            help="Network it was trained for; `gossamer models` lists them. Found out if left away, but nothing in a "
            "file tells GFM's FT from BT: say gfm-r34-ft or gfm-r34-bt.",
        ),
    ] = None,
    license_text: Annotated[str, typer.Option("--license", help="Terms of the weights, noted in their manifest.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace weights in the output's folder.")] = False,
) -> None:
    """Convert an official GFM, LSA-Matting, ViTMatte or DDC checkpoint.

    Nothing in the file is run: it is read as plain tensors. It has to fill the network completely; every tensor that
    is missing or left over is named.
    """
    try:
        from gossamer.models.convert import convert_checkpoint
    except ImportError as error:
        raise MissingDependencyError(
            f'Converting needs {error.name}: pip install "gossamer-matting[torch]".'
        ) from error
    manifest = convert_checkpoint(
        file, output, architecture=architecture, license_text=license_text, overwrite=overwrite
    )
    print(f"{output}: {manifest.architecture}, {manifest.parameters:,} parameters")
    print(f"Use it with: gossamer matte --model {manifest.folder}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(convert)
