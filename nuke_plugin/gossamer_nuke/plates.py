"""Takes the inputs of one frame out of Nuke: the Writes inside the node, switched on for this alone."""

from __future__ import annotations

from pathlib import Path

from gossamer_bridge.errors import JobCancelledError
from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import put
from gossamer_nuke.plan import Plan, find_node

__all__ = ["remove_frames", "render_inputs"]

DATATYPES = {"float": "32 bit float", "half": "16 bit half"}
UNUSED = "unused.exr"
"""File name of a Write that is off. Without an ending Nuke would forget what belongs to EXR."""


def render_inputs(plan: Plan, frame: int, view: str, scratch: Path) -> None:
    """Render every input of ``frame`` into ``scratch``. On the main thread.

    The Writes are raw, name their channels, and keep format, bounding box and overscan: all that is stored in the
    node's definition. Here they get a file name, are switched on, executed and switched off again.

    Raises:
        NukeError: Nuke could not render; its own words are in the message.
        JobCancelledError: the artist pressed Cancel in Nuke's own progress bar.
    """
    node = find_node(plan)
    for transfer in plan.transfers:
        write = node.node(transfer.write)
        if write is None:
            raise NukeError(f"{plan.node} has no node {transfer.write} inside. Make a new Gossamer node from the menu.")
        path = scratch / f"{transfer.stem}.%04d.exr"
        nuke.Undo.disable()
        try:
            # The file name comes first: another ending sets what belongs to the format back to its defaults.
            put(
                write,
                file=path.as_posix(),
                file_type="exr",
                datatype=DATATYPES[plan.settings.transfer],
                compression="Zip (1 scanline)",
                metadata="all metadata" if transfer.job_field == "plate" else "no metadata",
                disable=False,
            )
            _execute(plan, write, transfer.stem, frame, view)
        finally:
            try:
                put(write, disable=True, file=UNUSED)
            finally:
                nuke.Undo.enable()
        if not path.with_name(path.name % frame).is_file():
            raise NukeError(
                f"{plan.node}: Nuke rendered the {transfer.stem} of frame {frame}, but wrote no file into {scratch}. "
                "Check that the disk is not full and that no filename filter moves it."
            )


def _execute(plan: Plan, write: nuke.Node, stem: str, frame: int, view: str) -> None:
    try:
        nuke.execute(write, frame, frame, 1, [view])
    except nuke.CancelledError:
        raise JobCancelledError("Cancelled in Nuke's progress bar.") from None
    except RuntimeError as error:
        reason = str(error).strip()
        if "already executing" in reason:
            next_step = (
                "Nuke allows no render inside a render here: matte the frames before rendering, with the button or "
                "with nuke_plugin/render.py on the farm."
            )
        elif "licen" in reason.lower():
            next_step = "Matte where a Nuke that may render is at hand."
        else:
            next_step = f"Look at what is above the input {stem} at that frame."
        raise NukeError(
            f"{plan.node}: the {stem} of frame {frame} ({view}) cannot be rendered: {reason}. {next_step}"
        ) from error


def remove_frames(plan: Plan, frames: tuple[int, ...], scratch: Path) -> None:
    """Delete the inputs of frames that are done with."""
    for transfer in plan.transfers:
        for frame in frames:
            path = scratch / (f"{transfer.stem}.%04d.exr" % frame)
            if path.is_file():
                path.unlink()
