"""Find and read the pictures of an evaluation folder: ``image/``, a trimap folder and ``alpha/`` with equal stems."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossamer.errors import DataError, FrameError, SettingError
from gossamer.image.color import resolve_space, to_display
from gossamer.image.image import FloatArray
from gossamer.image.io import IMAGE_SUFFIXES, read_header, read_image, rgb_channels
from gossamer.image.trimap import is_unknown, matte_from_image, trimap_from_image

__all__ = ["Case", "LoadedCase", "find_cases", "load_case"]

PLATES, TRUTHS = "image", "alpha"


@dataclass(frozen=True)
class Case:
    """One picture to be solved, its guide and its truth, by path."""

    stem: str
    plate: Path
    trimap: Path
    truth: Path


@dataclass(frozen=True, eq=False)
class LoadedCase:
    """The pixels of a case."""

    plate: FloatArray
    """H x W x 3, sRGB-encoded Rec.709, 0..1: what a solver sees."""
    trimap: FloatArray
    """H x W of {0, 0.5, 1}."""
    truth: FloatArray
    """H x W, 0..1."""
    notes: tuple[str, ...] = ()


def find_cases(folder: Path, trimap: str) -> tuple[Case, ...]:
    """Pair plates, trimaps and truths by stem, sorted by stem; extensions may differ.

    Args:
        folder: holds ``image/``, ``alpha/`` and the trimap folder.
        trimap: name of the trimap folder, for data sets that have several.

    Raises:
        DataError: names every missing folder or file, every double stem, wrong size and useless trimap at once.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder. Give one that holds {PLATES}/, {trimap}/ and {TRUTHS}/.")
    others = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name.startswith("trimap"))
    missing = [name for name in (PLATES, trimap, TRUTHS) if not (folder / name).is_dir()]
    if missing:
        hint = f" Trimap folders there: {', '.join(others)}." if trimap in missing and others else ""
        raise DataError(f"{folder} has no folder {', '.join(f'{name}/' for name in missing)}.{hint}")
    problems: list[str] = []
    found = {name: _by_stem(folder / name, problems) for name in (PLATES, trimap, TRUTHS)}
    cases = []
    for stem in sorted({stem for files in found.values() for stem in files}):
        absent = [f"{name}/" for name in (PLATES, trimap, TRUTHS) if stem not in found[name]]
        if absent:
            problems.append(f"{stem}: nothing in {' and '.join(absent)}")
            continue
        case = Case(stem, found[PLATES][stem], found[trimap][stem], found[TRUTHS][stem])
        problems += _problems_of(case)
        cases.append(case)
    if problems:
        listed = "\n  ".join(problems)
        raise DataError(f"{folder} cannot be evaluated; put right or take out:\n  {listed}")
    if not cases:
        raise DataError(f"{folder / PLATES} holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    return tuple(cases)


def load_case(case: Case, *, plate_space: str = "") -> LoadedCase:
    """Read the pixels of ``case``; ``plate_space`` overrules what file type and header say.

    Raises:
        ImageReadError, TrimapError, ColorError: a file is damaged, holds no guide, or its colour space is unknown.
    """
    picture = read_image(case.plate)
    names = rgb_channels(picture.channels, case.plate)
    pixels = np.stack([picture.channel(name) for name in (names if len(names) == 3 else names * 3)], axis=-1)
    space = resolve_space(picture, plate_space)
    reading = trimap_from_image(read_image(case.trimap))
    truth = matte_from_image(read_image(case.truth), "the truth")
    return LoadedCase(
        plate=np.ascontiguousarray(to_display(pixels, space.name)),
        trimap=reading.trimap,
        truth=truth.matte,
        notes=(f"the plate is {space.name}: {space.reason}", *reading.notes, *truth.notes),
    )


def _by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        if path.stem in files:
            problems.append(f"{path.stem}: both {files[path.stem].name} and {path.name} in {folder.name}/")
            continue
        files[path.stem] = path
    return files


def _problems_of(case: Case) -> list[str]:
    """What makes this case unusable, found without reading the plate's and the truth's pixels."""
    try:
        sizes, turned = {}, {}
        for path in (case.plate, case.trimap, case.truth):
            header = read_header(path)
            sizes[path] = f"{header.data_window.width}x{header.data_window.height}"
            turned[path] = header.metadata.get("Orientation", 1)
        if len(set(sizes.values())) > 1:
            return [f"{case.stem}: " + ", ".join(f"{path.parent.name}/ is {size}" for path, size in sizes.items())]
        if len(set(turned.values())) > 1:
            # Orientation is not applied: a guide would lie upside down or mirrored, at the right size.
            stated = ", ".join(f"{path.parent.name}/ has Orientation {value}" for path, value in turned.items())
            return [f"{case.stem}: some are stored rotated, save all upright ({stated})"]
        if not is_unknown(trimap_from_image(read_image(case.trimap)).trimap).any():
            return [f"{case.stem}: the trimap has no unknown pixel, so there is nothing to measure"]
    except (FrameError, SettingError) as error:
        return [f"{case.stem}: {error}"]
    return []
