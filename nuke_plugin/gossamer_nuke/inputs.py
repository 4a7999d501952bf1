"""The pictures that arrive at a node: whether they can be used, and which Write inside the node takes each out."""

from __future__ import annotations

from dataclasses import dataclass

from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import Settings

__all__ = ["INPUTS", "Transfer", "check_inputs", "transfers"]

INPUTS = ("plate", "trimap", "core", "garbage")
"""In the order of the node's inputs."""
WRITES = {"plate": "WritePlate", "trimap": "WriteGuide", "core": "WriteCore", "garbage": "WriteGarbage"}


@dataclass(frozen=True)
class Transfer:
    """One input on its way to the worker."""

    write: str
    """The Write inside the node."""
    stem: str
    """Beginning of the file names."""
    job_field: str
    """``plate``, ``trimap``, ``mask``, ``core_matte``, ``garbage_matte``."""


def transfers(node: nuke.Node, settings: Settings) -> tuple[Transfer, ...]:
    """The inputs that are connected and wanted, the plate first."""
    fields = {"plate": "plate", "trimap": settings.guide, "core": "core_matte", "garbage": "garbage_matte"}
    found = []
    for index, name in enumerate(INPUTS):
        is_wanted = name != "trimap" or settings.guide != "none"
        if is_wanted and node.input(index) is not None:
            found.append(Transfer(WRITES[name], name, fields[name]))
    return tuple(found)


def check_inputs(node: nuke.Node, settings: Settings, frames: tuple[int, ...]) -> None:
    """Find what can be known to be wrong before anything is rendered.

    Nuke knows of errors at the frame it is at only, so they count if that frame is one of ``frames``.

    Raises:
        NukeError: an input is missing or in error, or formats differ.
    """
    name = settings.node
    plate = node.input(0)
    if plate is None:
        raise NukeError(f"{name}: nothing is connected to the input plate. Connect the plate to the first input.")
    if settings.guide != "none" and node.input(1) is None:
        raise NukeError(
            f"{name}: nothing is connected to the input trimap. Connect a trimap or a roto, or set 'second input is' "
            "to none if core and garbage mattes are all there is."
        )
    for index, label in enumerate(INPUTS):
        above = node.input(index)
        if above is not None and nuke.frame() in frames and (above.hasError() or above.treeHasError()):
            raise NukeError(
                f"{name}: the input {label} has an error at frame {nuke.frame()}: look at {above.fullName()} and what "
                "is above it."
            )
    size = _size(plate)
    for index, label in enumerate(INPUTS[1:], start=1):
        above = node.input(index)
        if above is None or (label == "trimap" and settings.guide == "none"):
            continue
        other = _size(above)
        if other != size:
            raise NukeError(
                f"{name}: the {label} is {_size_text(other)} and the plate {_size_text(size)}. Put a Reformat between "
                f"{above.fullName()} and the input {label}."
            )


def _size(node: nuke.Node) -> tuple[int, int, float]:
    picture = node.format()
    return picture.width(), picture.height(), round(picture.pixelAspect(), 4)


def _size_text(size: tuple[int, int, float]) -> str:
    text = f"{size[0]}x{size[1]}"
    return text if size[2] == 1 else f"{text} with pixel aspect {size[2]:g}"
