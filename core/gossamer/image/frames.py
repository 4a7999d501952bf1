"""Frame ranges: ``1001-1100x2,1150``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gossamer.errors import SettingError

__all__ = ["FrameRange"]

_PIECE = re.compile(r"\s*(-?\d+)\s*(?:-\s*(-?\d+)\s*(?:x\s*(\d+)\s*)?)?")
_MOST_FRAMES = 1_000_000


@dataclass(frozen=True)
class FrameRange:
    """Frame numbers in rising order, each once."""

    frames: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", tuple(sorted(set(self.frames))))

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """Read ``7``, ``1-10``, ``1-10x3`` (every third from 1) and lists of them with commas; negative: ``-5--1``.

        Raises:
            SettingError: the text is empty, is no frame range, runs backwards, or names more than a million frames.
        """
        frames: set[int] = set()
        for piece in text.split(","):
            match = _PIECE.fullmatch(piece)
            if not match:
                raise SettingError(f"--frames {text!r}: {piece.strip()!r} is no frame range; write 1001-1100x2,1150.")
            first = int(match[1])
            last = int(match[2]) if match[2] else first
            step = int(match[3]) if match[3] else 1
            if last < first:
                raise SettingError(f"--frames {text!r}: {piece.strip()} runs backwards; write {last}-{first}.")
            if step == 0:
                raise SettingError(f"--frames {text!r}: {piece.strip()} has step 0; use 1 or more.")
            if len(frames) + (last - first) // step >= _MOST_FRAMES:
                raise SettingError(f"--frames {text!r}: more than {_MOST_FRAMES:,} frames; is a digit too many?")
            frames.update(range(first, last + 1, step))
        return cls(tuple(frames))

    def __iter__(self) -> Iterator[int]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __contains__(self, frame: object) -> bool:
        return frame in self.frames

    def __str__(self) -> str:
        return ",".join(_pieces(self.frames))


def _pieces(frames: Iterable[int]) -> Iterator[str]:
    """Longest runs of one step, from the left; a run of two with a step stays two single frames."""
    left = list(frames)
    start = 0
    while start < len(left):
        end = start
        step = left[start + 1] - left[start] if start + 1 < len(left) else 1
        while end + 1 < len(left) and left[end + 1] - left[end] == step:
            end += 1
        if end == start or (end == start + 1 and step > 1):
            yield str(left[start])
            start += 1
            continue
        yield f"{left[start]}-{left[end]}" + (f"x{step}" if step > 1 else "")
        start = end + 1
