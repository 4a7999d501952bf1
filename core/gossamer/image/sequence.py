"""Where frames come from: a still, numbered files, a folder of stills, a movie. And what output files are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable

from gossamer.errors import SequenceError
from gossamer.image.frames import FrameRange
from gossamer.image.header import picture_channels
from gossamer.image.image import Image
from gossamer.image.movie import MovieSource
from gossamer.image.reading import IMAGE_SUFFIXES, read_header, read_image

__all__ = [
    "MOVIE_SUFFIXES",
    "FrameRange",
    "FrameSource",
    "ImageSequence",
    "match_guide",
    "missing_frames",
    "open_source",
    "output_path",
]

MOVIE_SUFFIXES = frozenset({".mov", ".mp4", ".m4v", ".mkv", ".avi", ".webm", ".mxf"})

_TOKEN = re.compile(r"#+|%(0?\d*)d|\$F(\d*)")
# A minus sign counts only after a dot, an underscore or nothing: shot-0005.exr is frame 5, shot.-0005.exr is -5.
_NUMBERED = re.compile(r"(?P<stem>.*?)(?P<number>(?:(?<![^._])-)?\d+)(?P<suffix>\.[^.]+)")


@runtime_checkable
class FrameSource(Protocol):
    """Pictures by frame number."""

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames that exist, rising."""
        ...

    @property
    def is_still(self) -> bool:
        """One picture that stands for every frame: as a guide it fits a whole sequence."""
        ...

    def read(self, frame: int) -> Image:
        """Colour and alpha of a frame. A still gives its picture for any number. Raises FrameError."""
        ...

    def path(self, frame: int) -> Path:
        """The file that holds the frame; of a missing frame, the name it would have."""
        ...

    def describe(self) -> str:
        """One line for the log: what was found, and what lies beside it."""
        ...


@dataclass(frozen=True)
class ImageSequence:
    """Numbered files of one element, a set of stills, or one still."""

    files: Mapping[int, Path]
    """File of each frame that exists."""
    is_still: bool = False
    is_set: bool = False
    """Files with unrelated names, numbered 1, 2, 3 in the order of their names."""
    stem: str = ""
    """File name in front of the frame number, without the separator: the element's name."""
    separator: str = ""
    padding: int = 0
    """Digits of the frame number; 0 for stills without a number."""
    suffix: str = ""
    """File name ending with its dot."""
    note: str = ""
    """What a user should know about how the frames were found."""
    frames: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", tuple(sorted(self.files)))

    def path(self, frame: int) -> Path:
        """The frame's file, or the name it would have."""
        if self.is_still:
            return self.files[self.frames[0]]
        if frame in self.files:
            return self.files[frame]
        folder = self.files[self.frames[0]].parent
        if self.is_set:
            return folder / f"(picture {frame})"
        return folder / f"{self.stem}{self.separator}{frame:0{self.padding}d}{self.suffix}"

    def read(self, frame: int) -> Image:
        """Colour and alpha channels of the frame; other layers are left in the file.

        Raises:
            SequenceError: there is no such frame.
            ImageReadError: its file cannot be read.
        """
        if not self.is_still and frame not in self.files:
            raise SequenceError(f"Frame {frame}: there is no file {self.path(frame)}. {self.describe()}")
        path = self.path(frame)
        return read_image(path, channels=picture_channels(read_header(path).channels))

    def missing(self, wanted: Iterable[int]) -> tuple[int, ...]:
        """Those of ``wanted`` that do not exist. A still misses none."""
        return () if self.is_still else tuple(frame for frame in wanted if frame not in self.files)

    def describe(self) -> str:
        """One line: name, frames, gaps, notes."""
        first = self.files[self.frames[0]]
        if self.is_still:
            text = f"{first} (still)."
        elif self.is_set:
            text = f"{first.parent}: {len(self.frames)} stills, {first.name} to {self.files[self.frames[-1]].name}."
        else:
            name = f"{self.stem}{self.separator}{'#' * self.padding}{self.suffix}"
            text = f"{first.parent / name}: frames {FrameRange(self.frames)}."
            gaps = self.frames[-1] - self.frames[0] + 1 - len(self.frames)
            text += f" {gaps} missing in between." if gaps and _step(self.frames) == 0 else ""
        return f"{text} {self.note}".strip()


def _step(frames: Sequence[int]) -> int:
    """The one distance between neighbours, or 0 where distances differ."""
    steps = {b - a for a, b in pairwise(frames)}
    return steps.pop() if len(steps) == 1 else 0


def open_source(text: str, *, frames: FrameRange | None = None) -> FrameSource:
    """Find the frames that ``text`` names.

    * ``shot.####.exr``, ``shot.#.exr``, ``shot.%04d.exr``, ``shot.%d.exr``, ``shot.$F4.exr``: numbered files. Any
      padding is taken; where one number exists with several paddings, the pattern's own wins. The case of the ending
      does not matter.
    * ``shot.1001.exr``: this file alone, as a still; with ``frames``, the sequence it belongs to (if it has
      neighbours).
    * a folder: its one sequence, or its stills when no two names form a sequence.
    * a movie file: its frames, counted from 1 (needs the extra ``movie``).

    ``frames`` does not limit the source: compare with :func:`missing_frames`.

    Raises:
        SequenceError: nothing is there, the pattern is wrong, or a folder holds several things.
        MissingDependencyError: a movie is named and PyAV is not installed.
    """
    if not text.strip():
        raise SequenceError("No file, pattern or folder given.")
    path = Path(text).expanduser()
    if path.is_dir():
        return _open_folder(path)
    if path.suffix.lower() in MOVIE_SUFFIXES:
        return MovieSource(path)
    if path.is_file():
        return _open_file(path, frames)
    if _TOKEN.search(path.name):
        return _open_pattern(path)
    if not path.parent.is_dir():
        raise SequenceError(f"There is no folder {path.parent}.")
    raise SequenceError(f"There is no file {path}." + _neighbours(path))


def _neighbours(path: Path) -> str:
    """A hint at the files whose names begin alike."""
    beginning = re.split(r"[\d#%$]", path.name)[0] or path.stem
    names = sorted(p.name for p in path.parent.iterdir() if not p.name.startswith(".") and p.name.startswith(beginning))
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" In that folder: {', '.join(names[:3])}{more}."


def _list_files(folder: Path) -> list[Path]:
    """Visible files; names with a leading dot are somebody's temporary files."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file())


def _split_pattern(path: Path) -> tuple[str, int, str]:
    """Text before the frame number, its padding, text after it."""
    tokens = list(_TOKEN.finditer(path.name))
    if len(tokens) != 1:
        raise SequenceError(f"{path}: give the frame number once (####, %04d or $F4) in the file name.")
    token = tokens[0]
    hashes = len(token[0]) if token[0].startswith("#") else 0
    padding = hashes or int(token[1] or token[2] or 0) or 1
    return path.name[: token.start()], padding, path.name[token.end() :]


def _open_pattern(path: Path) -> ImageSequence:
    before, padding, after = _split_pattern(path)
    if _TOKEN.search(str(path.parent)):
        raise SequenceError(f"{path}: the frame number belongs in the file name, not in a folder's name.")
    if not path.parent.is_dir():
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
    return _sequence(files, before, _padding([number for number, _ in found.values()]), after)


def _padding(numbers: Sequence[str]) -> int:
    """Width of the frame numbers as written; a minus sign counts, as in ``%04d``."""
    return min(len(number) for number in [n for n in numbers if not n.startswith("-")] or numbers)


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
    match = _NUMBERED.fullmatch(path.name)
    still = ImageSequence({1: path}, is_still=True, stem=path.stem, suffix=path.suffix)
    if not match:
        return still
    members = _families(_list_files(path.parent)).get((match["stem"], path.suffix.lower()), {})
    frame = int(match["number"])
    if frames is not None and len(members) > 1:
        return _sequence({**members, frame: path}, match["stem"], _padding(_numbers(members)), path.suffix)
    stem = match["stem"].rstrip("._-")
    if len(members) == 1 and stem == match["stem"] and stem:
        return still  # hero_v2.exr: the digit belongs to the name
    note = ""
    if len(members) > 1:
        note = (
            f"{len(members)} frames of this name lie beside it ({FrameRange(tuple(members))}); "
            f"take them with --frames {min(members)}-{max(members)}."
        )
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
        match = _NUMBERED.fullmatch(file.name)
        if match:
            families.setdefault((match["stem"], file.suffix.lower()), {})[int(match["number"])] = file
    return families


def _open_folder(folder: Path) -> FrameSource:
    try:
        files = _list_files(folder)
    except OSError as error:
        raise SequenceError(f"Cannot list the folder {folder}: {error.strerror}.") from error
    pictures = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES]
    movies = [p for p in files if p.suffix.lower() in MOVIE_SUFFIXES]
    if not pictures:
        also = f" It holds the movie {movies[0].name}; name that file." if movies else ""
        raise SequenceError(f"The folder {folder} holds no pictures.{also}")
    families = {key: members for key, members in _families(pictures).items() if len(members) > 1}
    in_families = sum(len(members) for members in families.values())
    if len(families) == 1 and in_families == len(pictures):
        ((stem, _), members) = next(iter(families.items()))
        return _sequence(members, stem, _padding(_numbers(members)), members[min(members)].suffix)
    if not families:
        return _stills(folder, pictures)
    listed = [
        f"{stem}{'#' * _padding(_numbers(members))}{suffix} ({len(members)} files)"
        for (stem, suffix), members in families.items()
    ]
    others = len(pictures) - in_families
    listed += [f"{others} other picture{'s' if others > 1 else ''}"] if others else []
    raise SequenceError(f"The folder {folder} holds several things: {', '.join(listed)}. Name one with a pattern.")


def _numbers(members: Mapping[int, Path]) -> list[str]:
    matches = [_NUMBERED.fullmatch(path.name) for path in members.values()]
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


def missing_frames(source: FrameSource, wanted: Iterable[int]) -> tuple[int, ...]:
    """Those of ``wanted`` that ``source`` does not have. A still misses none."""
    if source.is_still:
        return ()
    have = set(source.frames)
    return tuple(frame for frame in wanted if frame not in have)


def match_guide(plate: FrameSource, guide: FrameSource) -> FrameSource:
    """The guide, numbered as the plate.

    Sequences match by frame number and a still fits every frame. Of two folders of stills the pictures match by file
    name without ending, where the guide's name may go on (``cat.png`` and ``cat_trimap.png``).

    Raises:
        SequenceError: one is a set of stills with names of their own and the other is not, or a still has no partner.
    """
    plate_set = isinstance(plate, ImageSequence) and plate.is_set
    guide_set = isinstance(guide, ImageSequence) and guide.is_set
    if guide.is_still or not (plate_set or guide_set):
        return guide
    if not (isinstance(plate, ImageSequence) and isinstance(guide, ImageSequence) and plate_set and guide_set):
        if plate.is_still and len(plate.frames) == 1 and isinstance(guide, ImageSequence):
            named = {1: plate.path(plate.frames[0])}
            return _pair(named, guide, plate.frames)
        raise SequenceError(
            f"Cannot tell which pictures belong together: {plate.describe()} {guide.describe()} "
            "Number both alike, or give both as folders with the same file names."
        )
    return _pair(plate.files, guide, plate.frames)


def _pair(named: Mapping[int, Path], guide: ImageSequence, frames: tuple[int, ...]) -> ImageSequence:
    by_stem = {path.stem: path for path in guide.files.values()}
    plate_stems = {path.stem for path in named.values()}
    found: dict[int, Path] = {}
    for frame, path in zip(frames, named.values(), strict=True):
        candidates = [by_stem[path.stem]] if path.stem in by_stem else []
        if not candidates:
            candidates = [
                file
                for stem, file in by_stem.items()
                if re.match(re.escape(path.stem) + r"[._-]", stem) and stem not in plate_stems
            ]
        if len(candidates) != 1:
            what = "no partner" if not candidates else "several partners"
            raise SequenceError(f"{path.name} has {what} in {next(iter(by_stem.values())).parent}.")
        found[frame] = candidates[0]
    return ImageSequence(found, is_set=True, suffix=guide.suffix)


def output_path(
    pattern_or_folder: str | Path,
    source: FrameSource,
    frame: int,
    suffix: str,
    *,
    ending: str = ".exr",
    inputs: Iterable[FrameSource] = (),
) -> Path:
    """The file that receives a result.

    * a folder: ``<plate name>_<suffix>.<frame>.exr`` with the plate's own padding, or ``<plate name>_<suffix>.exr`` for
      stills without a number;
    * a pattern or a file name: taken as written for the main result, the suffix ``alpha``; other suffixes are added to
      the name (``out_comp.####.png``).

    Args:
        suffix: which result: ``alpha``, ``comp``, ``foreground`` ...
        ending: of the file in a folder, and of all results but ``alpha``.
        inputs: further sources (guides) whose files must not be overwritten.

    Raises:
        SequenceError: one file name for several frames, a wrong pattern, or the result would overwrite an input.
    """
    text = str(pattern_or_folder)
    target = Path(text).expanduser()
    is_pattern = bool(_TOKEN.search(target.name))
    is_file = target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir() and not text.endswith("/")
    if is_pattern:
        before, padding, after = _split_pattern(target)
        number = f"{frame:0{padding}d}"
        if suffix != "alpha":
            stem = before.rstrip("._-")
            before = f"{stem}_{suffix}{before[len(stem) :]}"
            after = after[: len(after) - len(Path(after).suffix)] + ending if Path(after).suffix else after
        result = target.with_name(f"{before}{number}{after}")
    elif is_file:
        if len(source.frames) > 1 and not source.is_still:
            raise SequenceError(
                f"The output {target} names one file for {len(source.frames)} frames. "
                f"Write {target.stem}.####{target.suffix}, or give a folder."
            )
        result = target if suffix == "alpha" else target.with_name(f"{target.stem}_{suffix}{ending}")
    else:
        result = target / _result_name(source, frame, suffix, ending)
    _refuse_inputs(result, frame, (source, *inputs))
    return result


def _result_name(source: FrameSource, frame: int, suffix: str, ending: str) -> str:
    if isinstance(source, ImageSequence) and source.padding and not source.is_set:
        shown = source.frames[0] if source.is_still else frame
        return f"{source.stem}_{suffix}{source.separator or '.'}{shown:0{source.padding}d}{ending}".lstrip("_")
    stem = source.path(frame).stem
    if isinstance(source, ImageSequence):
        return f"{stem}_{suffix}{ending}"
    return f"{stem}_{suffix}.{frame:04d}{ending}"


def _refuse_inputs(result: Path, frame: int, sources: Iterable[FrameSource]) -> None:
    for source in sources:
        files = source.files.values() if isinstance(source, ImageSequence) else (source.path(frame),)
        place = result.parent.resolve() / result.name
        for file in files:
            if file.name.lower() == result.name.lower() and (
                file.parent.resolve() / file.name == place or _same(file, result)
            ):
                raise SequenceError(f"The output {result} would overwrite an input. Choose another folder or name.")


def _same(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)
