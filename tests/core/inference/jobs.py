"""Jobs over the shots of ``make_shot``, and what they wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
