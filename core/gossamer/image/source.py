"""Where frames come from, by frame number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable

from gossamer.errors import SequenceError
from gossamer.image.frames import FrameRange
from gossamer.image.image import Image
from gossamer.image.reading import read_picture

__all__ = ["FrameSource", "ImageSequence", "missing_frames"]


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

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Path, ...]]:
        """The files by their names in lower case: outputs of long shots are compared with every input."""
        found: dict[str, tuple[Path, ...]] = {}
        for file in self.files.values():
            name = file.name.lower()
            found[name] = (*found.get(name, ()), file)
        return found

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
            raise SequenceError(f"There is no frame {frame} (no file {self.path(frame).name}). {self.describe()}")
        return read_picture(self.path(frame))

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


def missing_frames(source: FrameSource, wanted: Iterable[int]) -> tuple[int, ...]:
    """Those of ``wanted`` that ``source`` does not have. A still misses none."""
    if source.is_still:
        return ()
    have = set(source.frames)
    return tuple(frame for frame in wanted if frame not in have)
