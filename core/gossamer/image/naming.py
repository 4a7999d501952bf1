"""What the files with the results are called."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from gossamer.errors import SequenceError
from gossamer.image.paths import expand_home, kind_of
from gossamer.image.pattern import has_token, split_pattern
from gossamer.image.reading import IMAGE_SUFFIXES
from gossamer.image.source import FrameSource, ImageSequence

__all__ = ["names_folder", "output_path"]


def names_folder(text: str) -> bool:
    """Whether an output is a folder whatever its name looks like: it is one already, or ends with a slash.

    Raises:
        SequenceError: it lies in a folder that is closed to the user.
    """
    return text.endswith(("/", os.sep)) or kind_of(expand_home(text)) == "folder"


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
        SequenceError: one file name for several frames, a wrong pattern, a folder that is closed to the user, or the
            result would overwrite an input.
    """
    text = str(pattern_or_folder)
    target = expand_home(text)
    is_folder = names_folder(text)
    is_pattern = has_token(target.name) and not is_folder
    is_file = target.suffix.lower() in IMAGE_SUFFIXES and not is_folder
    if is_pattern:
        before, padding, after = split_pattern(target)
        number = f"{frame:0{padding}d}"
        if suffix != "alpha":
            stem = before.rstrip("._-")
            before = f"{stem}_{suffix}{before[len(stem) :]}"
            after = after.rpartition(".")[0] + ending
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
    name = result.name.lower()
    for source in sources:
        files = source.by_name.get(name, ()) if isinstance(source, ImageSequence) else (source.path(frame),)
        for file in files:
            if file.name.lower() == name and (_place(file) == _place(result) or _same(file, result)):
                raise SequenceError(f"The output {result} would overwrite an input. Choose another folder or name.")


def _place(path: Path) -> Path:
    return path.parent.resolve() / path.name


def _same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:  # one is not there, or out of reach: writing will tell
        return False
