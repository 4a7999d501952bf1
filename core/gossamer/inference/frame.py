"""One frame's way in and out: files to what the solver takes, its answer to files. Runs in the reader and writer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from gossamer import __version__
from gossamer.config import Outputs
from gossamer.errors import CancelledError, FrameError, GossamerError
from gossamer.image.color import SpaceChoice, count_non_finite, resolve_space, space_identity
from gossamer.image.header import choice_note, rgb_channels
from gossamer.image.image import FloatArray, Image
from gossamer.image.io import write_image
from gossamer.image.trimap import make_trimap
from gossamer.inference.display import display_plate
from gossamer.inference.outputs import comp_attributes, compose, compose_preview, frame_outputs, solve_colors
from gossamer.inference.plan import Plan
from gossamer.inference.report import FrameReport
from gossamer.inference.solution import Solution
from gossamer.inference.sources import LINKS, SPACE, SPACE_IDENTITY, links_digest, links_to

__all__ = ["Loaded", "load_frame", "naming", "needs_foreground", "write_frame"]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A frame in memory, ready to be solved."""

    frame: int
    plate: Image
    """Windows and header; no pixels."""
    rgb: FloatArray | None
    """H x W x 3, the plate's own values, kept only if an output needs them."""
    display: FloatArray | None
    """H x W x 3, what the network sees; None once it has been solved."""
    trimap: FloatArray | None
    space: SpaceChoice
    bad_pixels: int
    notes: tuple[str, ...]
    read_seconds: float
    color_seconds: float

    @property
    def origin(self) -> tuple[int, int]:
        """Of the data window, counted from the display window."""
        data, display = self.plate.data_window, self.plate.display_window
        return data.x - display.x, data.y - display.y

    def for_writing(self) -> Loaded:
        """Without what only the solver needs: the writer holds a frame for seconds."""
        return replace(self, display=None, trimap=None)


@contextmanager
def naming(frame: int) -> Iterator[None]:
    """Errors inside get the frame's number in front, and running out of memory becomes one of ours."""
    try:
        yield
    except CancelledError:
        raise
    except GossamerError as error:
        raise type(error)(f"Frame {frame}: {error}") from error
    except MemoryError as error:
        raise FrameError(
            f"Frame {frame}: not enough memory. Give --tile a smaller number, or close programs."
        ) from error


def needs_foreground(outputs: Outputs) -> bool:
    """Whether any output shows the foreground's own colours."""
    return outputs.channels == "premult" or outputs.foreground or bool(outputs.comp)


def _needs_plate(outputs: Outputs) -> bool:
    """Whether any output is made from the plate's colours."""
    return outputs.channels == "rgba" or needs_foreground(outputs)


def load_frame(plan: Plan, frame: int) -> Loaded:
    """Read the plate and its guides, make the trimap, convert what the network will look at.

    Raises:
        FrameError: with the frame's number; see the message.
    """
    started = time.monotonic()
    with naming(frame):
        plate = plan.sources.plate.read(frame)
        _check_size(plan, plate)
        trimap, notes = _read_trimap(plan, frame, plate)
        names = rgb_channels(plate.channels)
        if note := choice_note(plate.channels, names):
            notes = (note, *notes)
        rgb = _pick(plate, names)
        space = resolve_space(plate, plan.job.plate_space)
        bare = plate.with_pixels(np.empty((plate.height, plate.width, 0), np.float32), ())
        data, display_window = plate.data_window, plate.display_window
        del plate
        origin = (data.x - display_window.x, data.y - display_window.y)
        read = time.monotonic()
        display = display_plate(rgb, space.name, plan.solver.reads(trimap, origin=origin))
        bad = count_non_finite(rgb)
        return Loaded(
            frame=frame,
            plate=bare,
            rgb=rgb if _needs_plate(plan.job.outputs) else None,
            display=display,
            trimap=trimap,
            space=space,
            bad_pixels=bad,
            notes=notes,
            read_seconds=read - started,
            color_seconds=time.monotonic() - read,
        )


def _pick(plate: Image, names: tuple[str, ...]) -> FloatArray:
    """H x W x 3 of the named channels; a grey picture three times. A view where the channels lie side by side."""
    first = plate.channels.index(names[0])
    if len(names) == 3 and plate.channels[first : first + 3] == names:
        return plate.pixels[..., first : first + 3]
    indices = [plate.channels.index(name) for name in names]
    return np.ascontiguousarray(plate.pixels[..., indices * (3 // len(indices))])


def _check_size(plan: Plan, plate: Image) -> None:
    """One shot has one size; a folder of unrelated stills may have many."""
    width, height = plate.display_window.width, plate.display_window.height
    if getattr(plan.sources.plate, "is_set", False) or (width, height) == (plan.width, plan.height):
        return
    raise FrameError(
        f"the plate is {width}x{height}, the shot began with {plan.width}x{plan.height}. Frames of one shot have one "
        "size: correct the file, or choose --frames of one size."
    )


def _read_trimap(plan: Plan, frame: int, plate: Image) -> tuple[FloatArray | None, tuple[str, ...]]:
    guides = plan.sources.guides
    if not guides:
        return None, ()
    pictures = {name: guide.read(frame) for name, guide in guides.items()}
    files = ", ".join(f"{name} {guide.path(frame).name}" for name, guide in guides.items())
    try:
        reading = make_trimap(plate, **pictures, band=plan.job.band)
    except GossamerError as error:
        raise type(error)(f"{error} ({files})") from error
    return reading.trimap, reading.notes


def write_frame(plan: Plan, loaded: Loaded, solution: Solution, solve_seconds: float) -> FrameReport:
    """Write every output of a frame, the matte last: where it is, the frame is finished.

    Raises:
        FrameError: with the frame's number; see the message.
    """
    started = time.monotonic()
    frame, job = loaded.frame, plan.job
    with naming(frame):
        outputs = frame_outputs(job, plan.sources.plate, frame, plan.sources.guides.values())
        colors = None
        if loaded.rgb is not None and needs_foreground(job.outputs):
            colors = solve_colors(loaded.rgb, loaded.space.name, solution.alpha)
        if outputs.comp is not None and colors is not None:
            preview = compose_preview(job.outputs, loaded.plate, loaded.space.name, colors, solution.alpha)
            marks = comp_attributes(plan.job_hash, job.outputs)
            write_image(outputs.comp, preview, data_type="uint8", attributes=marks)
            del preview
        composed = compose(job.outputs, loaded.plate, loaded.rgb, loaded.space.name, colors, solution)
        del colors
        write_image(
            outputs.matte,
            composed.image,
            data_type=composed.data_types,
            compression=job.outputs.compression,
            attributes={**_attributes(plan, loaded), **composed.spaces},
        )
    return FrameReport(
        frame=frame,
        plate=str(plan.sources.plate.path(frame)),
        outputs=tuple(str(path) for path in outputs.all()),
        width=loaded.plate.width,
        height=loaded.plate.height,
        color_space=loaded.space.name,
        color_space_reason=loaded.space.reason,
        effective=solution.effective,
        seconds={
            "read": round(loaded.read_seconds, 4),
            "color": round(loaded.color_seconds, 4),
            "solve": round(solve_seconds, 4),
            **{part: round(seconds, 4) for part, seconds in solution.seconds.items()},
            "write": round(time.monotonic() - started, 4),
        },
        bad_pixels=loaded.bad_pixels,
        notes=loaded.notes,
    )


def _attributes(plan: Plan, loaded: Loaded) -> dict[str, str | int | float]:
    """Provenance for the header. Nothing in it changes from run to run, so that bytes do not either."""
    effective = plan.solver.effective
    attributes: dict[str, str | int | float] = {
        "gossamer:version": __version__,
        "gossamer:jobHash": plan.job_hash,
        "gossamer:model": plan.solver.name,
        "gossamer:weights": plan.solver.identity,
        "gossamer:backend": str(effective["backend"]),
        "gossamer:device": str(effective["device"]),
        "gossamer:precision": str(effective["precision"]),
        **plan.sources.attributes(loaded.frame),
        SPACE: loaded.space.name,
    }
    links = links_digest(links_to(plan.sources.files(loaded.frame), {}))
    for name, value in ((SPACE_IDENTITY, space_identity(loaded.space.name)), (LINKS, links)):
        if value:
            attributes[name] = value
    for setting, default in (("strategy", "tiles"), ("tta", "none"), ("refine", 0), ("nonlocal_mean", False)):
        if effective.get(setting, default) != default:
            attributes[f"gossamer:{setting}"] = effective[setting]
    return attributes
