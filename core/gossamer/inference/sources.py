"""Where a job's pictures come from: which of them are missing, what they are called, when they last changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gossamer.image.sequence import FrameRange, FrameSource, ImageSequence, missing_frames

__all__ = ["Missing", "Sources", "find_missing", "last_change"]


@dataclass(frozen=True)
class Sources:
    """Where a job's pictures come from."""

    plate: FrameSource
    guides: Mapping[str, FrameSource]
    """``trimap``, ``mask``, ``core``, ``garbage``, as far as they are given."""

    def by_name(self) -> dict[str, FrameSource]:
        """All of them, ``plate`` first."""
        return {"plate": self.plate, **self.guides}

    def files(self, frame: int) -> list[Path]:
        """Every file that a frame is made from."""
        return [source.path(frame) for source in self.by_name().values()]

    def attributes(self, frame: int) -> dict[str, str]:
        """Header attributes that name the files of a frame. Without their folders, which differ from machine to machine
        of a farm.
        """
        return {f"gossamer:{name}": source.path(frame).name for name, source in self.by_name().items()}


@dataclass(frozen=True)
class Missing:
    """Frames that cannot be solved."""

    files: Mapping[int, tuple[str, ...]]
    """By frame, rising: what plate or guides lack."""
    movies: Mapping[str, FrameRange]
    """Movies that lack some of them, by file, and the frames that they have."""
    wanted: int
    """How many frames were asked for."""

    def message(self) -> str:
        """What is missing and what can be done about it."""
        files = [file for frame in self.files for file in self.files[frame] if file not in self.movies]
        shown = [", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")] if files else []
        shown += [f"{movie} has the frames {frames}" for movie, frames in self.movies.items()]
        remedies = ["provide the files"] if files else []
        remedies += ["give numbered pictures in place of the movie, which counts from 1"] if self.movies else []
        remedies += ["choose --frames", "or leave these frames out with --missing skip."]
        return (
            f"{len(self.files)} of {self.wanted} frames are missing: {FrameRange(tuple(self.files))} "
            f"({'; '.join(shown)}). {', '.join(remedies).capitalize()}"
        )


def find_missing(sources: Sources, wanted: Iterable[int]) -> Missing:
    """The ``wanted`` frames that the plate or a guide does not have."""
    wanted = tuple(wanted)
    missing: dict[int, list[str]] = {}
    movies: dict[str, FrameRange] = {}
    for source in sources.by_name().values():
        lacking = missing_frames(source, wanted)
        for frame in lacking:
            missing.setdefault(frame, []).append(str(source.path(frame)))
        if lacking and not isinstance(source, ImageSequence):
            movies[str(source.path(lacking[0]))] = FrameRange(source.frames)
    return Missing({frame: tuple(missing[frame]) for frame in sorted(missing)}, movies, len(wanted))


def last_change(path: Path, links: dict[Path, float]) -> float:
    """When ``path`` last became other bytes: when the file was written, or a link on the way to it made.

    A link ``latest`` that moves from v001 to v002 leads to files that may be older than the mattes of v001. Where links
    lead is compared with nothing: machines of a farm reach the same files in different ways.

    Args:
        path: a file that exists.
        links: keeps what was found, for further files in the same folders.
    """
    return max(path.stat().st_mtime, _newest_link(path.absolute(), links))


def _newest_link(path: Path, known: dict[Path, float]) -> float:
    """When the newest link on the way to ``path`` was made; 0 without any."""
    if path not in known:
        newest = _newest_link(path.parent, known) if path.parent != path else 0.0
        if path.is_symlink():
            made = path.lstat()
            # A link that is renamed or copied into place keeps an old time of writing.
            newest = max(newest, made.st_mtime, made.st_ctime, _newest_link(path.parent / path.readlink(), known))
        known[path] = newest
    return known[path]
