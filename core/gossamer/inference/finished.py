"""Which frames lie finished in the output folder: whole, by this job, of these pictures, and not older than they."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gossamer.config import Job, Outputs
from gossamer.errors import ColorError, ImageReadError, ImageWriteError, SequenceError
from gossamer.image.color import space_identity
from gossamer.image.comp import BACKDROPS
from gossamer.image.image import Image
from gossamer.image.io import complete_attributes, read_attributes, read_header
from gossamer.image.paths import expand_home
from gossamer.image.sequence import FrameSource, ImageSequence
from gossamer.inference.outputs import FrameOutputs, comp_attributes, frame_outputs
from gossamer.inference.sources import LINKS, SPACE, SPACE_IDENTITY, Link, Sources, links_digest, links_to

__all__ = ["find_finished"]


def find_finished(job: Job, sources: Sources, frames: Sequence[int], first: Image, job_hash: str) -> frozenset[int]:
    """Frames that need not be done again.

    Args:
        job: what to do.
        sources: where its pictures come from.
        frames: that exist.
        first: the plate of the first of them.
        job_hash: what the header of a finished matte has to say.

    Raises:
        SequenceError: files are in the way and the job does not say what to do with them.
        ImageWriteError: the outputs cannot be looked at.
    """
    existing = job.outputs.existing
    there: list[Path] = []
    done: set[int] = set()
    links: dict[Path, frozenset[Link]] = {}
    for frame in frames:
        outputs = frame_outputs(job, sources.plate, frame, sources.guides.values())
        try:
            there += [path for path in outputs.all() if path.exists()] if existing == "error" else []
            if existing == "skip" and all(path.exists() for path in outputs.all()):
                size = _data_size(sources.plate, frame, first)
                attributes = {"gossamer:jobHash": job_hash, **sources.attributes(frame)}
                found = _attributes_if_done(outputs, job.outputs, attributes, size)
                if found is not None and _is_current(outputs.matte, found, sources.files(frame), links):
                    done.add(frame)
        except OSError as error:
            raise ImageWriteError(
                f"Cannot look for a finished frame {frame}: {error.filename}: {error.strerror}. Correct the rights of "
                "that folder or choose another output."
            ) from error
    if there:
        more = f" and {len(there) - 1} more exist" if len(there) > 1 else " exists"
        raise SequenceError(
            f"{there[0]}{more} already. Give --skip-existing to keep frames that are finished, --overwrite to "
            "do them again, or another output."
        )
    return frozenset(done)


def _attributes_if_done(
    outputs: FrameOutputs, wishes: Outputs, attributes: Mapping[str, str], size: tuple[int, int]
) -> Mapping[str, str] | None:
    """What the matte's header says, if it is whole, as large as the plate, and of this job and pictures of these names.

    Times alone do not tell: a still that is copied into a folder moves those behind it to other numbers, and a copy has
    the time of its original.
    """
    width, height = size
    found = complete_attributes(outputs.matte, width=width, height=height, attributes=attributes)
    return found if _has_comp(outputs.comp, wishes, attributes["gossamer:jobHash"]) else None


def _is_current(
    matte: Path, found: Mapping[str, str], files: Sequence[Path], known: dict[Path, frozenset[Link]]
) -> bool:
    """Whether nothing that the matte was made from has changed since: its files, where links to them lead, and what
    ``$OCIO`` means by the plate's colour space.
    """
    made = matte.stat().st_mtime
    if any(path.stat().st_mtime > made for path in files if path.exists()):
        return False
    links = links_to(files, known)
    # A newer link may lead where it led before: such as one that a machine makes whenever it starts.
    if any(link.made > made for link in links) and found.get(LINKS, "") != links_digest(links):
        return False
    try:
        return space_identity(found.get(SPACE, "")) == found.get(SPACE_IDENTITY, "")
    except ColorError:
        return False


def _has_comp(comp: Path | None, outputs: Outputs, job_hash: str) -> bool:
    """Whether the preview shows this job over this backdrop, as far as there is to be one."""
    if comp is None:
        return True
    try:
        found = read_attributes(read_header(comp))
    except ImageReadError:
        return False
    is_newer = outputs.comp in BACKDROPS or comp.stat().st_mtime >= _last_change(expand_home(outputs.comp))
    return is_newer and comp_attributes(job_hash, outputs).items() <= found.items()


def _last_change(path: Path) -> float:
    """When it was written, or the newest link on the way to it made."""
    return max(path.stat().st_mtime, *(link.made for link in links_to([path], {})), 0.0)


def _data_size(plate: FrameSource, frame: int, first: Image) -> tuple[int, int]:
    if not isinstance(plate, ImageSequence):  # a movie: every frame has one size
        return first.width, first.height
    window = read_header(plate.path(frame)).data_window
    return window.width, window.height
