"""Pictures made from other pictures, once: written whole, and found again by what they were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gossamer.errors import SettingError
from gossamer.image.image import FloatArray, Image
from gossamer.image.io import is_complete, read_header, write_image

__all__ = ["DerivedReport", "Progress", "derive", "require_own_folder"]

ATTRIBUTE = "gossamer:source"
"""Header attribute that holds the hash of method, settings and source files."""

Progress = Callable[[int, int, str], None]
"""Told how many of how many are done, and the name of the one at hand."""


@dataclass(frozen=True)
class DerivedReport:
    """What one run did."""

    written: int
    kept: int
    """Files that an earlier run had written from the same sources in the same way."""


def require_own_folder(output: Path, sources: Iterable[Path]) -> None:
    """Make the folder ``output``, which must not be one of ``sources``: nothing given is ever written over.

    Raises:
        SettingError: it is one of them, or a file.
    """
    if any(output.resolve() == source.resolve() for source in sources):
        raise SettingError(f"The output folder {output} holds the originals; give a folder of its own.")
    if output.exists() and not output.is_dir():
        raise SettingError(f"{output} is a file; give a folder.")
    output.mkdir(parents=True, exist_ok=True)


def _hash(method: str, sources: Iterable[Path]) -> str:
    digest = hashlib.sha256(method.encode())
    for source in sources:
        with source.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def derive(
    jobs: Iterable[tuple[str, tuple[Path, ...], Path]],
    method: str,
    make: Callable[[str, tuple[Path, ...]], FloatArray],
    *,
    data_type: str | None = None,
    progress: Progress | None = None,
) -> DerivedReport:
    """Make every output that is not there yet, or was made from other files or in another way.

    Args:
        jobs: for each output its name, its sources and its path (PNG); the picture has the first source's size.
        method: names the method and its settings; another text makes everything anew.
        make: name and sources to H x W x 3 or H x W, 0..1.
        data_type: of the samples; None takes the first source's, ``uint8`` or ``uint16``.
        progress: called before each output and once at the end.

    Raises:
        GossamerError: from ``make``, and from reading and writing. What was finished stays and is not made again.
    """
    jobs = list(jobs)
    written = kept = 0
    for done, (name, sources, path) in enumerate(jobs):
        if progress is not None:
            progress(done, len(jobs), name)
        key = _hash(method, sources)
        header = read_header(sources[0])
        window = header.data_window
        if is_complete(path, width=window.width, height=window.height, attributes={ATTRIBUTE: key}):
            kept += 1
            continue
        pixels = make(name, sources)
        image = Image.from_pixels(pixels if pixels.ndim == 3 else pixels[..., None], _names(pixels))
        kind = data_type or ("uint8" if header.data_type == "uint8" else "uint16")
        write_image(path, image, data_type=kind, attributes={ATTRIBUTE: key})
        written += 1
    if progress is not None:
        progress(len(jobs), len(jobs), "")
    return DerivedReport(written, kept)


def _names(pixels: FloatArray) -> tuple[str, ...]:
    return ("R", "G", "B") if pixels.ndim == 3 else ("Y",)
