"""Where a job's pictures come from: which of them are missing, what they are called, when they last changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gossamer.image.sequence import FrameRange, FrameSource, ImageSequence, missing_frames

__all__ = ["LINKS", "SPACE", "SPACE_IDENTITY", "Link", "Missing", "Sources", "find_missing", "links_digest", "links_to"]


SPACE, SPACE_IDENTITY, LINKS = "gossamer:plateSpace", "gossamer:plateSpaceIdentity", "gossamer:links"
"""Header attributes: the plate's colour space, what ``$OCIO`` means by that name (see ``space_identity``), and
``links_digest``."""


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
    elsewhere: Mapping[str, FrameRange]
    """Sequences that have none of the wanted frames, by role, and the frames that they have."""
    wanted: int
    """How many frames were asked for."""

    def message(self) -> str:
        """What is missing and what can be done about it."""
        files = [file for frame in self.files for file in self.files[frame] if file not in self.movies]
        shown = [", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")] if files else []
        shown += [f"{name} has the frames {frames}" for name, frames in {**self.movies, **self.elsewhere}.items()]
        remedies = ["number plate and guides alike"] if self.elsewhere else ["provide the files"] if files else []
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
    elsewhere: dict[str, FrameRange] = {}
    for role, source in sources.by_name().items():
        lacking = missing_frames(source, wanted)
        for frame in lacking:
            missing.setdefault(frame, []).append(str(source.path(frame)))
        if lacking and not isinstance(source, ImageSequence):
            movies[str(source.path(lacking[0]))] = FrameRange(source.frames)
        elif lacking and len(lacking) == len(wanted):
            elsewhere[f"the {role}"] = FrameRange(source.frames)
    return Missing({frame: tuple(missing[frame]) for frame in sorted(missing)}, movies, elsewhere, len(wanted))


class Link(NamedTuple):
    """One on the way to a file."""

    text: str
    """Where it is and where it leads."""
    made: float
    """When it was made or put there, as a time of the file system."""


def links_to(files: Iterable[Path], known: dict[Path, frozenset[Link]]) -> frozenset[Link]:
    """All links on the way to ``files``.

    A link ``latest`` that moves from v001 to v002 leads to files that may be older than the mattes of v001.

    Args:
        files: of one frame.
        known: keeps what was found, for further files in the same folders.
    """
    return frozenset[Link]().union(*(_links(path.absolute(), known) for path in files))


def links_digest(links: Iterable[Link]) -> str:
    """By which a header tells where the links led; empty without any. Machines of a farm may differ in it."""
    texts = sorted(link.text for link in links)
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogateescape")).hexdigest()[:32] if texts else ""


def _links(path: Path, known: dict[Path, frozenset[Link]]) -> frozenset[Link]:
    if path not in known:
        found = _links(path.parent, known) if path.parent != path else frozenset()
        if path.is_symlink():
            made, target = path.lstat(), path.readlink()
            # A link that is renamed or copied into place keeps an old time of writing.
            link = Link(f"{path} -> {target}", max(made.st_mtime, made.st_ctime))
            found |= {link} | _links(path.parent / target, known)
        known[path] = found
    return known[path]
