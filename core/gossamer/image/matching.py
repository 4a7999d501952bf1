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
    name without ending, where the guide's name may go on (``cat.png`` and ``cat_trimap.png``). A sequence of one frame
    goes either way: beside a sequence it has a number, beside stills a name.

    Raises:
        SequenceError: one is a set of stills with names of their own and the other is not, or a still has no partner.
    """
    if guide.is_still:
        return guide
    sets = [source for source in (plate, guide) if isinstance(source, ImageSequence) and source.is_set]
    if isinstance(plate, ImageSequence) and isinstance(guide, ImageSequence):
        if sets and _may_go_by_name(plate) and _may_go_by_name(guide):
            return _pair(plate.files, guide, plate.frames)
        is_unnumbered = plate.is_still and not plate.padding
        if is_unnumbered and len(guide.frames) == 1 and guide.frames != plate.frames:
            return _pair(plate.files, guide, plate.frames)  # cat.png, and cat_7.png alone in a folder
    if sets:
        raise SequenceError(
            f"Cannot tell which pictures belong together: {plate.describe()} {guide.describe()} "
            "Number both alike, or give both as folders with the same file names."
        )
    return guide


def _may_go_by_name(source: ImageSequence) -> bool:
    """A picture without neighbours may be a still that has a number in its name: IMG_1234.jpg."""
    return source.is_set or len(source.frames) == 1


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
