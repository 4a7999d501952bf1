"""What the artist set on a node, read once on the main thread. The names are stored in scripts and never change."""

from __future__ import annotations

from dataclasses import dataclass

from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import nuke

__all__ = [
    "GUIDES",
    "NODE_CLASS",
    "OPTIONS",
    "OUTPUTS",
    "VIEWS",
    "Settings",
    "is_gossamer",
    "is_inside_gossamer",
    "put",
    "read_bands",
    "read_settings",
    "show_status",
]

NODE_CLASS = "Gossamer"
VIEWS = ("matte", "trimap", "overlay", "foreground", "confidence", "comp")
GUIDES = ("trimap", "mask", "none")
OUTPUTS = ("matte only", "foreground", "premultiplied foreground")
OPTIONS = {
    "--trimap": "trimap",
    "--mask": "trimap",
    "--core": "core",
    "--garbage": "garbage",
    "--frames": "frame_range",
    "--band-in": "band_in",
    "--band-out": "band_out",
    "--plate-space": "color_space",
    "--foreground": "write_foreground",
    "--confidence": "write_confidence",
    "--data-type": "data_type",
    "--model": "model",
    "--backend": "backend",
    "--device": "device",
    "--precision": "precision",
    "--tile": "tile",
    "--refine": "refine",
    "--tta": "tta",
    "--nonlocal": "nonlocal_mean",
}
"""The knob, or input, that an option of the command line is called on the node."""


@dataclass(frozen=True)
class Settings:
    """The knobs of one node that are the same for all frames; see also :func:`read_bands`."""

    node: str
    """Full name: ``Gossamer1``, or ``Group1.Gossamer1``."""
    view: str
    frame_range: str
    """Empty: the range of the plate."""
    views: str
    """Names, separated by blanks. Empty: all of the script's."""
    guide: str
    """What the second input is; see :data:`GUIDES`."""
    model: str
    backend: str
    device: str
    precision: str
    tile: int
    refine: int
    tta: str
    nonlocal_mean: str
    color_space: str
    """Empty: the script's working space."""
    output: str
    """See :data:`OUTPUTS`."""
    write_foreground: bool
    write_confidence: bool
    data_type: str
    transfer: str
    """Type of the EXR files that carry the inputs to the worker."""
    output_folder: str
    output_pattern: str
    skip_existing: bool
    matte_in_render: bool

    @property
    def wants_foreground(self) -> bool:
        """Whether the foreground's colours have to be solved."""
        return self.write_foreground or self.output != OUTPUTS[0]


def is_gossamer(node: nuke.Node) -> bool:
    """Whether it is one of ours, as a gizmo or copied to a group."""
    return node.knob("gossamer_version") is not None


def is_inside_gossamer(node: nuke.Node) -> bool:
    """Whether it lies directly in one of ours. At the top of a script ``parent`` may be the root or None."""
    parent = node.parent()
    return parent is not None and is_gossamer(parent)


def read_settings(node: nuke.Node) -> Settings:
    """All knobs of ``node``.

    Raises:
        NukeError: it lacks a knob, so it was made by another version or by hand.
    """
    name = node.fullName()

    def value(knob_name: str) -> object:
        return _knob(node, knob_name).value()

    def path(knob_name: str) -> str:
        knob = node.knob(knob_name)
        if not isinstance(knob, nuke.File_Knob):
            raise NukeError(f"{name} has no knob {knob_name}. Make a new Gossamer node from the menu.")
        return str(knob.getEvaluatedValue() or "").strip()

    return Settings(
        node=name,
        view=str(value("view")),
        frame_range=str(value("frame_range") or "").strip(),
        views=str(value("views") or "").strip(),
        guide=GUIDES[_index(node, "guide")],
        model=str(value("model") or "").strip(),
        backend=str(value("backend")),
        device=str(value("device")),
        precision=str(value("precision")),
        tile=int(_float(value("tile"))),
        refine=int(_float(value("refine"))),
        tta=str(value("tta")),
        nonlocal_mean=str(value("nonlocal_mean")),
        color_space=str(value("color_space") or "").strip(),
        output=OUTPUTS[_index(node, "output")],
        write_foreground=bool(value("write_foreground")),
        write_confidence=bool(value("write_confidence")),
        data_type=str(value("data_type")),
        transfer=str(value("transfer")),
        output_folder=path("output_folder"),
        output_pattern=str(value("output_pattern") or "").strip(),
        skip_existing=bool(value("skip_existing")),
        matte_in_render=bool(value("matte_in_render")),
    )


def read_bands(node: nuke.Node, frames: tuple[int, ...]) -> dict[int, tuple[float, float]]:
    """Band in and band out by frame, in pixels at a plate width of 1920. They may be animated, as the roto is.

    Raises:
        NukeError: a knob is missing.
    """
    inside, outside = _knob(node, "band_in"), _knob(node, "band_out")
    return {frame: (_float(inside.getValueAt(frame)), _float(outside.getValueAt(frame))) for frame in frames}


def put(node: nuke.Node, **values: object) -> None:
    """Set knobs by name. On the main thread."""
    for name, value in values.items():
        node[name].setValue(value)


def show_status(node: nuke.Node, text: str) -> None:
    """The line under the buttons. Nothing that an artist would want to undo."""
    nuke.Undo.disable()
    try:
        node["status"].setValue(text)
    finally:
        nuke.Undo.enable()


def _knob(node: nuke.Node, name: str) -> nuke.Knob:
    knob = node.knob(name)
    if knob is None:
        raise NukeError(f"{node.fullName()} has no knob {name}. Make a new Gossamer node from the menu.")
    return knob


def _index(node: nuke.Node, name: str) -> int:
    """Which item of a menu is chosen; independent of how Nuke spells it."""
    return int(node[name].getValue())


def _float(value: object) -> float:
    return float(value)  # type: ignore[arg-type]
