# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene frames and the numbers of the plate's files: two countings that must not be mixed up. No Blender in here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "FrameMap",
    "at_frame",
    "element_name",
    "file_number",
    "files_pattern",
    "frame_padding",
    "safe_name",
    "sequence_numbers",
    "sequence_pattern",
]

# Blender counts with the last digits of a file name: nothing behind them may be a digit.
_NUMBERED = re.compile(r"(?P<head>.*?)(?P<digits>\d+)(?P<tail>[^\d]*)", re.DOTALL)
_ENDING = re.compile(r"(?P<stem>.+)\.[A-Za-z][A-Za-z0-9]{1,4}(?P<twin>\.\d{3})?")


@dataclass(frozen=True)
class FrameMap:
    """Which file of a sequence (or picture of a movie, counted from 1) a frame of the scene shows."""

    start: int = 1
    """The scene frame at which the element begins."""
    offset: int = 0
    """Added after counting from 1: 1000 where the first file is numbered 1001."""

    def number(self, scene_frame: int) -> int:
        """The file's number that the scene shows at ``scene_frame``."""
        return scene_frame - self.start + 1 + self.offset

    def scene_frame(self, number: int) -> int:
        """The scene frame that shows the file ``number``."""
        return number + self.start - 1 - self.offset


def file_number(path: str) -> int | None:
    """The frame number in a file name; None where it has no digits."""
    found = _split(path)
    return int(found[1]) if found else None


def sequence_pattern(path: str) -> str:
    """``/shots/fur.1001.exr`` as ``/shots/fur.####.exr``; unchanged where there is no number."""
    found = _split(path)
    return f"{found[0]}{'#' * len(found[1])}{found[2]}" if found else path


def files_pattern(path: str, *, is_numbered: bool) -> str:
    """One text for the same files, however their path was put together; of a sequence with ``####``."""
    path = os.path.normpath(path)
    return sequence_pattern(path) if is_numbered else path


def frame_padding(path: str) -> int:
    """Digits of the frame number in a file name."""
    found = _split(path)
    return len(found[1]) if found else 0


def at_frame(pattern: str, number: int) -> str:
    """``/shot #3/fur.####.exr`` at frame 7 is ``/shot #3/fur.0007.exr``: a folder's name is not a pattern."""
    folder, name = _folder_and_name(pattern)
    return folder + re.sub("#+", lambda hashes: f"{number:0{len(hashes[0])}d}", name)


def sequence_numbers(path: str) -> list[int]:
    """The numbers of all files on disk that form one sequence with ``path``, rising."""
    found = _split(path)
    if found is None:
        return []
    folder, start = _folder_and_name(found[0])
    named = re.compile(re.escape(start) + r"(\d+)" + re.escape(found[2]))
    try:
        matches = [named.fullmatch(file.name) for file in Path(folder).iterdir()]
    except OSError:
        return []
    texts = [match[1] for match in matches if match is not None]
    return sorted(int(text) for text in texts if text == f"{int(text):0{len(found[1])}d}")


def _folder_and_name(path: str) -> tuple[str, str]:
    cut = max(path.rfind("/"), path.rfind("\\")) + 1
    return path[:cut], path[cut:]


def _split(path: str) -> tuple[str, str, str] | None:
    """Path up to the number, the number, the rest."""
    folder, name = _folder_and_name(path)
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    found = _NUMBERED.fullmatch(stem)
    if found is None:
        return None
    return folder + found["head"], found["digits"], found["tail"] + dot + ending


def element_name(name: str, *, numbered: bool) -> str:
    """What the results of a datablock called ``name`` are called after.

    Blender's own ``.001`` behind a file ending stays, for it tells two datablocks apart (``fur.1001.exr.001`` gives
    ``fur_001``); the frame number goes where ``numbered`` says that there is one. ``hero.png`` and ``hero.jpg`` still
    are called alike: ``orders.py`` sees to it that they do not share a result.
    """
    found = _ENDING.fullmatch(name)
    stem, twin = (found["stem"], found["twin"] or "") if found else (name, "")
    if numbered:
        stem = re.sub(r"[._-]?\d+$", "", stem) or stem
    return safe_name(stem + twin.replace(".", "_"))


def safe_name(name: str) -> str:
    """``name`` as a file name on every system, free of what stands for frame numbers in patterns."""
    cleaned = re.sub(r'[<>:"/\\|?*#%$\x00-\x1f]', "_", name).strip(" .")
    return cleaned or "plate"
