"""Which guide belongs to which frame of the plate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gossamer.errors import SequenceError
from gossamer.image.source import FrameSource, ImageSequence

__all__ = ["match_guide"]


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
