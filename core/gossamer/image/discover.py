"""Find the frames that a text names: a still, numbered files, a folder, a movie."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gossamer.errors import SequenceError
from gossamer.image.frames import FrameRange
from gossamer.image.movie import MOVIE_SUFFIXES, MovieSource
from gossamer.image.paths import expand_home, kind_of
from gossamer.image.pattern import NUMBERED, has_token, padding_of, split_pattern
from gossamer.image.reading import IMAGE_SUFFIXES
from gossamer.image.source import FrameSource, ImageSequence

__all__ = ["open_source"]

_log = logging.getLogger(__name__)


def open_source(text: str, *, frames: FrameRange | None = None) -> FrameSource:
    """Find the frames that ``text`` names.

    * ``shot.####.exr``, ``shot.#.exr``, ``shot.%04d.exr``, ``shot.%d.exr``, ``shot.$F4.exr``: numbered files. Any
      padding is taken; where one number exists with several paddings, the pattern's own wins. The case of the ending
      does not matter.
    * ``shot.1001.exr``: this file alone, as a still; with ``frames``, the sequence it belongs to (if it has
      neighbours).
    * a folder: its one sequence, or its stills when no two names form a sequence. A picture that is alone in it is a
      sequence of one frame where a dot stands before its number.
    * a movie file: its frames, counted from 1 (needs the extra ``movie``).

    ``frames`` does not limit the source: compare with :func:`missing_frames`.

    Raises:
        SequenceError: nothing is there or can be reached, the pattern is wrong, or a folder holds several things.
        MissingDependencyError: a movie is named and PyAV is not installed.
    """
    if not text.strip():
        raise SequenceError("No file, pattern or folder given.")
    path = expand_home(text)
    kind = kind_of(path)
    if kind == "folder":
        return _open_folder(path)
    if path.suffix.lower() in MOVIE_SUFFIXES:
        return MovieSource(path)
    if kind == "file":
        return _open_file(path, frames)
    if has_token(path.name):
        return _open_pattern(path)
    if kind_of(path.parent) != "folder":
        raise SequenceError(f"There is no folder {path.parent}.")
    strange = next((sign for sign in ("*", "?", "@") if sign in path.name), "")
    hint = f" Frame numbers are written ####, %04d or $F4, not {strange}." if strange else _neighbours(path)
    raise SequenceError(f"There is no file {path}.{hint}")


def _neighbours(path: Path) -> str:
    """A hint at the files whose names begin alike."""
    beginning = re.split(r"[\d#%$]", path.name)[0] or path.stem
    try:
        visible = [p.name for p in path.parent.iterdir() if not p.name.startswith(".")]
    except OSError:
        return ""
    names = sorted(name for name in visible if name.startswith(beginning))
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" In that folder: {', '.join(names[:3])}{more}."


def _list_files(folder: Path) -> list[Path]:
    """Visible files; names with a leading dot are somebody's temporary files.

    What is out of reach (a link into a closed folder) is left out with a warning, unless there is nothing else.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise SequenceError(f"Cannot list the folder {folder}: {error.strerror}.") from error
    files: list[Path] = []
    problems: list[SequenceError] = []
    for entry in entries:
        try:
            if kind_of(entry) == "file":
                files.append(entry)
        except SequenceError as error:
            problems.append(error)
    if problems and not files:
        raise problems[0]
    for problem in problems:
        _log.warning("%s It is left out.", problem)
    return files


def _open_pattern(path: Path) -> ImageSequence:
    before, padding, after = split_pattern(path)
    if kind_of(path.parent) != "folder":
        if has_token(str(path.parent)):
            raise SequenceError(f"{path}: the frame number belongs in the file name, not in a folder's name.")
        raise SequenceError(f"There is no folder {path.parent}.")
    tail, dot, ending = after.rpartition(".")
    expected = re.compile(re.escape(before) + r"(-?\d+)" + re.escape(tail + dot) + f"(?i:{re.escape(ending)})")
    found: dict[int, tuple[str, Path]] = {}
    for file in _list_files(path.parent):
        match = expected.fullmatch(file.name)
        if match:
            frame = int(match[1])
            if frame not in found or match[1] == f"{frame:0{padding}d}":
                found[frame] = (match[1], file)
    if not found:
        raise SequenceError(f"No file matches {path}." + _neighbours(path))
    files = {frame: file for frame, (_, file) in found.items()}
    return _sequence(files, before, padding_of([number for number, _ in found.values()]), after)


def _sequence(files: Mapping[int, Path], before: str, padding: int, after: str, note: str = "") -> ImageSequence:
    stem = before.rstrip("._-")
    return ImageSequence(
        files=files,
        stem=stem,
        separator=before[len(stem) :],
        padding=padding,
        suffix=after,
        note=note,
    )


def _open_file(path: Path, frames: FrameRange | None) -> ImageSequence:
    match = NUMBERED.fullmatch(path.name)
    still = ImageSequence({1: path}, is_still=True, stem=path.stem, suffix=path.suffix)
    if not match:
        return still
    try:
        files = _list_files(path.parent)
    except SequenceError:
        if frames is not None:
            raise
        files = [path]  # a file can be read in a folder that cannot be listed
    members = _families(files).get((match["stem"], path.suffix.lower()), {})
    frame = int(match["number"])
    if frames is not None and len(members) > 1:
        return _sequence({**members, frame: path}, match["stem"], padding_of(_numbers(members)), path.suffix)
    stem = match["stem"].rstrip("._-")
    belongs_to_name = stem == match["stem"] and bool(stem)  # hero_v2.exr
    if len(members) == 1 and belongs_to_name:
        return still
    note = ""
    if len(members) > 1:
        beside = FrameRange(tuple(members))
        note = f"{len(members)} frames of this name lie beside it; take them with --frames {beside}."
    if belongs_to_name:
        # Its number may be wanted, as by a guide's sequence; its results are called the same whoever lies beside it.
        return ImageSequence({frame: path}, is_still=True, stem=path.stem, suffix=path.suffix, note=note)
    return ImageSequence(
        {frame: path},
        is_still=True,
        stem=stem,
        separator=match["stem"][len(stem) :],
        padding=len(match["number"]),
        suffix=path.suffix,
        note=note,
    )


def _families(files: Iterable[Path]) -> dict[tuple[str, str], dict[int, Path]]:
    """Numbered files by what stands before the number and by ending."""
    families: dict[tuple[str, str], dict[int, Path]] = {}
    for file in files:
        match = NUMBERED.fullmatch(file.name)
        if match:
            families.setdefault((match["stem"], file.suffix.lower()), {})[int(match["number"])] = file
    return families


def _open_folder(folder: Path) -> FrameSource:
    files = _list_files(folder)
    pictures = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES]
    movies = [p for p in files if p.suffix.lower() in MOVIE_SUFFIXES]
    if not pictures:
        also = f" It holds the movie {movies[0].name}; name that file." if movies else ""
        raise SequenceError(f"The folder {folder} holds no pictures.{also}")
    alone = len(pictures) == 1
    families = {
        (stem, suffix): members
        for (stem, suffix), members in _families(pictures).items()
        # Alone, a number behind anything else belongs to the name: hero_v2.exr, IMG_1234.jpg.
        if len(members) > 1 or (alone and stem.endswith("."))
    }
    in_families = sum(len(members) for members in families.values())
    if len(families) == 1 and in_families == len(pictures):
        ((stem, _), members) = next(iter(families.items()))
        return _sequence(members, stem, padding_of(_numbers(members)), members[min(members)].suffix)
    if not families:
        return _stills(folder, pictures)
    listed = [
        f"{stem}{'#' * padding_of(_numbers(members))}{suffix} ({len(members)} files)"
        for (stem, suffix), members in families.items()
    ]
    others = len(pictures) - in_families
    listed += [f"{others} other picture{'s' if others > 1 else ''}"] if others else []
    raise SequenceError(f"The folder {folder} holds several things: {', '.join(listed)}. Name one with a pattern.")


def _numbers(members: Mapping[int, Path]) -> list[str]:
    matches = [NUMBERED.fullmatch(path.name) for path in members.values()]
    return [match["number"] for match in matches if match]


def _stills(folder: Path, pictures: Sequence[Path]) -> ImageSequence:
    doubles = [stem for stem, count in Counter(p.stem for p in pictures).items() if count > 1]
    if doubles:
        raise SequenceError(
            f"The folder {folder} holds several pictures named {doubles[0]} with different endings; "
            "their results would overwrite each other. Name one with a pattern."
        )
    ordered = sorted(pictures, key=_natural)
    return ImageSequence(dict(enumerate(ordered, start=1)), is_set=True, suffix=ordered[0].suffix)


def _natural(path: Path) -> list[tuple[int, str]]:
    """``b2`` before ``b10``."""
    pieces = re.split(r"(\d+)", path.name.lower())
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]
