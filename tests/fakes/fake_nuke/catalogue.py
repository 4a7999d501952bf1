"""The node classes the double knows: their inputs and their knobs, by the names that scripts store.

A knob that is not listed does not exist: setting it in a script or from Python is an error, as it is in Nuke.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.fakes.fake_nuke import knobs as k

__all__ = ["CLASSES", "COMMON", "NodeClass"]

Make = Callable[[str], k.Knob]


def text(default: str = "") -> Make:
    return lambda name: k.String_Knob(name, default=default)


def file(name: str) -> k.Knob:
    return k.File_Knob(name)


def number(default: float = 0) -> Make:
    return lambda name: k.Double_Knob(name, default=float(default))


def whole(default: int = 0) -> Make:
    return lambda name: k.Int_Knob(name, default=default)


def flag(default: bool = False) -> Make:
    return lambda name: k.Boolean_Knob(name, default=int(default))


def choice(*values: str) -> Make:
    return lambda name: k.Enumeration_Knob(name, values=values)


def channel(default: str = "none") -> Make:
    return lambda name: k.Channel_Knob(name, default=default)


def mask(default: str = "rgba") -> Make:
    return lambda name: k.ChannelMask_Knob(name, default=default)


def script(name: str) -> k.Knob:
    return k.Script_Knob(name)


def button(name: str) -> k.Knob:
    return k.PyScript_Knob(name)


@dataclass(frozen=True)
class NodeClass:
    """What ``nuke.nodes.X`` makes."""

    inputs: int
    """Inputs a node has at most."""
    knobs: Mapping[str, Make] = field(default_factory=dict)


COMMON: dict[str, Make] = {
    "name": text(),
    "label": text(),
    "note_font": text(),
    "note_font_size": number(11),
    "note_font_color": number(),
    "tile_color": whole(),
    "gl_color": whole(),
    "selected": flag(),
    "xpos": whole(),
    "ypos": whole(),
    "hide_input": flag(),
    "disable": flag(),
    "postage_stamp": flag(),
    "icon": text(),
    "help": text(),
    "knobChanged": text(),
    "onCreate": text(),
    "autolabel": text(),
}

BBOX = choice("union", "intersection", "A", "B")

CLASSES: dict[str, NodeClass] = {
    "Root": NodeClass(
        0,
        {
            "format": text("1920 1080 0 0 1920 1080 1 HD_1080"),
            "first_frame": whole(1),
            "last_frame": whole(100),
            "frame": whole(1),
            "fps": number(24),
            "proxy": flag(),
            "proxy_type": choice("format", "scale"),
            "proxy_format": text("1024 778 0 0 1024 778 1 1K_Super_35(full-ap)"),
            "lock_range": flag(),
            "views": lambda name: k.MultiView_Knob(name, default="main"),
            "colorManagement": choice("Nuke", "OCIO"),
            "OCIO_config": choice("nuke-default", "aces_1.2", "fn-nuke_cg-config-v1.0.0", "custom"),
            "customOCIOConfigPath": file,
            "workingSpaceLUT": text("linear"),
            "project_directory": file,
            "int8Lut": text("sRGB"),
            "int16Lut": text("sRGB"),
            "logLut": text("Cineon"),
            "floatLut": text("linear"),
        },
    ),
    "Read": NodeClass(
        0,
        {
            "file": file,
            "file_type": text(),
            "format": text(),
            "first": whole(1),
            "last": whole(1),
            "before": choice("hold", "loop", "bounce", "black"),
            "after": choice("hold", "loop", "bounce", "black"),
            "frame_mode": choice("expression", "start at", "offset"),
            "frame": text(),
            "origfirst": whole(1),
            "origlast": whole(1),
            "origset": flag(),
            "on_error": choice("error", "black", "checkerboard", "nearest frame"),
            "raw": flag(),
            "colorspace": text("default"),
            "premultiplied": flag(),
            "auto_alpha": flag(),
            "reload": script,
            "version": whole(),
        },
    ),
    "Write": NodeClass(
        1,
        {
            "file": file,
            "file_type": text(),
            "channels": mask("rgb"),
            "datatype": choice("16 bit half", "32 bit float"),
            "compression": choice(
                "none", "Zip (1 scanline)", "Zip (16 scanlines)", "PIZ Wavelet (32 scanlines)", "RLE"
            ),
            "autocrop": flag(),
            "metadata": choice(
                "no metadata",
                "default metadata",
                "default metadata and exr/*",
                "all metadata except input/*",
                "all metadata",
            ),
            "raw": flag(),
            "colorspace": text("default"),
            "premultiplied": flag(),
            "create_directories": flag(),
            "render_order": number(1),
            "views": lambda name: k.MultiView_Knob(name, default=""),
            "first": whole(1),
            "last": whole(1),
            "use_limit": flag(),
            "reading": flag(),
            "beforeRender": text(),
            "beforeFrameRender": text(),
            "Render": script,
            "version": whole(),
        },
    ),
    "Group": NodeClass(32),
    "Gizmo": NodeClass(32),
    "Input": NodeClass(1, {"number": whole()}),
    "Output": NodeClass(1),
    "Dot": NodeClass(1),
    "NoOp": NodeClass(1),
    "Viewer": NodeClass(10),
    "Copy": NodeClass(
        2,
        {
            **{f"from{i}": channel() for i in range(4)},
            **{f"to{i}": channel() for i in range(4)},
            "channels": mask("none"),
            "bbox": BBOX,
            "mix": number(1),
        },
    ),
    "Switch": NodeClass(16, {"which": number()}),
    "Dilate": NodeClass(1, {"channels": mask("all"), "size": number()}),
    "Merge2": NodeClass(
        3,
        {
            "operation": choice("over", "plus", "multiply", "max", "min", "average", "stencil", "mask", "minus"),
            "Achannels": mask(),
            "Bchannels": mask(),
            "output": mask(),
            "also_merge": mask("none"),
            "mix": number(1),
            "bbox": BBOX,
        },
    ),
    "Multiply": NodeClass(1, {"channels": mask("all"), "value": number(1)}),
    "Premult": NodeClass(1, {"channels": mask("rgb"), "alpha": channel("rgba.alpha")}),
    "Expression": NodeClass(
        1,
        {
            **{f"channel{i}": mask(name) for i, name in enumerate(("red", "green", "blue", "alpha"))},
            **{f"expr{i}": text() for i in range(4)},
        },
    ),
    "Constant": NodeClass(0, {"channels": mask(), "color": number(), "format": text()}),
    "Crop": NodeClass(1, {"box": number(), "crop": flag(True), "reformat": flag(), "intersect": flag()}),
    "TimeOffset": NodeClass(1, {"time_offset": number(), "reverse_input": flag()}),
    "FrameRange": NodeClass(1, {"first_frame": whole(1), "last_frame": whole(100), "time": text()}),
}
