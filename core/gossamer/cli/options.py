"""Options that more than one command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Cutouts", "Fur", "Photos", "Renders"]

Photos = Annotated[
    list[Path] | None, typer.Option("--photos", help="Folder of photographs for backgrounds; repeatable.")
]
Cutouts = Annotated[
    list[Path] | None, typer.Option("--cutouts", help="Folder of RGBA pictures used as foregrounds; repeatable.")
]
Fur = Annotated[
    list[Path] | None, typer.Option("--fur", help="Folder with image/ and alpha/ used as foregrounds; repeatable.")
]
Renders = Annotated[
    list[Path] | None, typer.Option("--renders", help="Folder of rendered foregrounds, NUMBER.KIND.png; repeatable.")
]
