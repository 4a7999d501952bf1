"""Jobs over the shots of ``make_shot``, and what they wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import PyOpenColorIO as ocio  # noqa: N813  the name its own documentation uses

from gossamer.config import Job, Outputs

Shot = tuple[Path, list[Any]]
MakeShot = Callable[..., Shot]


def job_for(folder: Path, weights: Path, out: Path, **changes: Any) -> Job:
    outputs = Outputs(**{"path": str(out), **changes.pop("outputs", {})})
    values = {"plate": str(folder / "plate.####.exr"), "trimap": str(folder / "trimap.####.exr"), **changes}
    return Job(model=str(weights), outputs=outputs, **values)


def written(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def frames_in(out: Path) -> dict[str, bytes]:
    """What a user sees: hidden temporary files of a killed process are not frames."""
    return {name: data for name, data in written(out).items() if not name.startswith(".")}


def truncate(path: Path) -> None:
    """As a full disk or a killed writer leaves a file."""
    path.write_bytes(path.read_bytes()[:-200])


def write_config(folder: Path, *, gamma: float, middle: float = 0.5, encoding: str = "", more: str = "") -> Path:
    """An OCIO configuration with the space ``show_plate``: a table in a file of its own, then a power."""
    (folder / "luts").mkdir(parents=True)
    table = f"Version 1\nFrom 0 1\nLength 3\nComponents 1\n{{\n0\n{middle}\n1\n}}\n"
    (folder / "luts" / "curve.spi1d").write_text(table, encoding="utf-8")
    config = ocio.Config.CreateFromFile("ocio://default")
    config.setSearchPath("luts")
    space = ocio.ColorSpace(ocio.REFERENCE_SPACE_SCENE, "show_plate")
    space.setEncoding(encoding)
    steps = [ocio.FileTransform("curve.spi1d"), ocio.ExponentTransform([gamma, gamma, gamma, 1.0])]
    space.setTransform(ocio.GroupTransform(steps), ocio.COLORSPACE_DIR_TO_REFERENCE)
    config.addColorSpace(space)
    if more:
        config.addColorSpace(ocio.ColorSpace(ocio.REFERENCE_SPACE_SCENE, more))
    path = folder / "config.ocio"
    path.write_text(config.serialize(), encoding="utf-8")
    return path
