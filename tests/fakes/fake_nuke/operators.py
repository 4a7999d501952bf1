"""What each class of node does to pictures. Evaluated for real, frame by frame, view by view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.fakes.fake_nuke.expressions import evaluate
from tests.fakes.fake_nuke.pictures import Bounds, Picture, read_file

if TYPE_CHECKING:
    from tests.fakes.fake_nuke.nodes import Node

__all__ = ["NodeError", "channel_names", "file_name", "render"]

Plane = NDArray[np.float32]
RGB = ("rgba.red", "rgba.green", "rgba.blue")


class NodeError(RuntimeError):
    """A node cannot give its picture; Nuke shows it in the node and in the render's error."""


def render(node: Node, frame: int, view: str) -> Picture:
    """The picture that leaves ``node``.

    Raises:
        NodeError: named by the node that is to blame.
    """
    kind = node.Class()
    if node._knobs["disable"]._numeric():  # type: ignore[attr-defined]
        return _input(node, 0, frame, view)
    if hasattr(node, "_members"):
        return _group(node, frame, view)
    operator = OPERATORS.get(kind)
    if operator is None:
        raise NodeError(f"{node.fullName()}: the double cannot evaluate {kind}")
    return operator(node, frame, view)


def channel_names(text: str, available: Any = ()) -> list[str]:
    """Full names of a channel knob's value: ``rgb``, ``alpha``, ``rgba.red rgba.green``, ``foreground``, ``all``."""
    short = {"red": RGB[0], "green": RGB[1], "blue": RGB[2], "alpha": "rgba.alpha"}
    names: list[str] = []
    for part in text.replace("{", " ").replace("}", " ").split():
        if part in ("none", "false", "-"):
            continue
        if part == "all":
            names += list(available)
        elif part in ("rgb", "rgba"):
            names += [*RGB, *(["rgba.alpha"] if part == "rgba" else [])]
        elif part in short:
            names.append(short[part])
        elif "." in part:
            names.append(part)
        else:
            names += [f"{part}.{colour}" for colour in ("red", "green", "blue")]
    return names


def file_name(node: Node, frame: int, view: str) -> Path:
    """The path of a file knob at a frame in a view."""
    text = node._knobs["file"]._evaluated()  # type: ignore[attr-defined]
    text = text.replace("%V", view).replace("%v", view[:1])
    if "%" in text:
        try:
            text = text % frame
        except (TypeError, ValueError) as error:
            raise NodeError(f"{node.fullName()}: {text}: {error}") from error
    elif "#" in text:
        width = text.count("#")
        text = text.replace("#" * width, f"{frame:0{width}d}")
    return Path(text)


def _input(node: Node, index: int, frame: int, view: str) -> Picture:
    upstream = node._inputs[index] if index < len(node._inputs) else None
    if upstream is None:
        width, height, aspect = node._app.script_format()
        return Picture({}, Bounds(0, 0, width, height), width, height, aspect)
    return render(upstream, frame, view)


def _group(node: Any, frame: int, view: str) -> Picture:
    output = next((member for member in node._members if member.Class() == "Output"), None)
    if output is None:
        raise NodeError(f"{node.fullName()} has no Output")
    return _input(output, 0, frame, view)


def _group_input(node: Node, frame: int, view: str) -> Picture:
    return _input(node.parent(), int(node._number_of("number")), frame, view)


def _pass(node: Node, frame: int, view: str) -> Picture:
    return _input(node, 0, frame, view)


def _read(node: Node, frame: int, view: str) -> Picture:
    first, last = int(node._number_of("first")), int(node._number_of("last"))
    if not first <= frame <= last:
        edge = "before" if frame < first else "after"
        if node._knobs[edge]._text() != "hold":
            raise NodeError(f"{node.fullName()}: the double knows hold only")
        frame = min(max(frame, first), last)
    if not node._number_of("raw"):
        raise NodeError(f"{node.fullName()}: the double reads raw files only")
    path = file_name(node, frame, view)
    try:
        return read_file(path)
    except OSError as error:
        if node._knobs["on_error"]._text() == "black":
            return _input(node, 0, frame, view)
        raise NodeError(f"{node.fullName()}: {error}") from error


def _copy(node: Node, frame: int, view: str) -> Picture:
    base, other = _input(node, 0, frame, view), _input(node, 1, frame, view)
    bounds = _merged_bounds(node, base, other)
    planes: dict[str, Plane] = {}
    for i in range(4):
        source = channel_names(node._knobs[f"from{i}"]._text())
        target = channel_names(node._knobs[f"to{i}"]._text())
        if source and target:
            planes[target[0]] = other.plane(source[0], bounds)
    for name in channel_names(node._knobs["channels"]._text(), other.planes):
        planes[name] = other.plane(name, bounds)
    return base.over(bounds).with_planes(planes)


def _merged_bounds(node: Node, base: Picture, other: Picture) -> Bounds:
    match node._knobs["bbox"]._text():
        case "A":
            return other.bounds
        case "B":
            return base.bounds
        case "intersection":
            return base.bounds.intersection(other.bounds)
        case _:
            return base.bounds.union(other.bounds)


def _switch(node: Node, frame: int, view: str) -> Picture:
    return _input(node, int(node._number_of("which")), frame, view)


def _dilate(node: Node, frame: int, view: str) -> Picture:
    picture = _input(node, 0, frame, view)
    size = int(node._number_of("size"))
    if size == 0:
        return picture
    reach = abs(size)
    grown = picture.bounds
    if size > 0:
        grown = Bounds(grown.x - reach, grown.y - reach, grown.r + reach, grown.t + reach)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    filtered = cv2.dilate if size > 0 else cv2.erode
    planes = {}
    for name in picture.planes:
        plane = picture.plane(name, grown)
        wanted = name in channel_names(node._knobs["channels"]._text(), picture.planes)
        planes[name] = np.asarray(filtered(plane, kernel), np.float32) if wanted else plane
    return replace(picture, planes=planes, bounds=grown)


def _merge(node: Node, frame: int, view: str) -> Picture:
    base, other = _input(node, 0, frame, view), _input(node, 1, frame, view)
    bounds = _merged_bounds(node, base, other)
    a_alpha = other.plane("rgba.alpha", bounds)
    operation = node._knobs["operation"]._text()
    planes = {}
    for name in channel_names(node._knobs["output"]._text(), base.planes):
        a, b = other.plane(name, bounds), base.plane(name, bounds)
        blend: dict[str, Callable[[Any, Any], Any]] = {
            "over": lambda a, b: a + b * (1 - a_alpha),
            "plus": lambda a, b: a + b,
            "minus": lambda a, b: a - b,
            "multiply": lambda a, b: a * b,
            "max": np.maximum,
            "min": np.minimum,
            "average": lambda a, b: (a + b) / 2,
            "stencil": lambda a, b: b * (1 - a_alpha),
            "mask": lambda a, b: b * a_alpha,
        }
        planes[name] = np.asarray(blend[operation](a, b), np.float32)
    return base.over(bounds).with_planes(planes)


def _multiply(node: Node, frame: int, view: str) -> Picture:
    picture = _input(node, 0, frame, view)
    value = node._knobs["value"]._number()  # type: ignore[attr-defined]
    planes = {}
    for name in channel_names(node._knobs["channels"]._text(), picture.planes):
        index = ("red", "green", "blue", "alpha").index(name.rpartition(".")[2]) if isinstance(value, list) else 0
        factor = value[index] if isinstance(value, list) else value
        planes[name] = np.asarray(picture.plane(name) * np.float32(factor), np.float32)
    return picture.with_planes(planes)


def _premult(node: Node, frame: int, view: str) -> Picture:
    picture = _input(node, 0, frame, view)
    alpha = picture.plane(channel_names(node._knobs["alpha"]._text())[0])
    names = channel_names(node._knobs["channels"]._text(), picture.planes)
    return picture.with_planes({name: picture.plane(name) * alpha for name in names})


def _expression(node: Node, frame: int, view: str) -> Picture:
    picture = _input(node, 0, frame, view)
    letters = dict(zip("rgba", (*RGB, "rgba.alpha"), strict=True))

    def lookup(name: str) -> Any:
        bounds = picture.bounds
        if name == "x":
            return np.arange(bounds.x, bounds.r, dtype=np.float64)[None, :]
        if name == "y":
            return np.arange(bounds.t - 1, bounds.y - 1, -1, dtype=np.float64)[:, None]
        return picture.plane(letters[name]) if name in letters else node._lookup(name)

    planes = {}
    for i in range(4):
        text = node._knobs[f"expr{i}"]._text()
        if not text:
            continue
        value = evaluate(text, lookup)
        for name in channel_names(node._knobs[f"channel{i}"]._text()):
            full = np.broadcast_to(np.asarray(value, np.float32), (picture.bounds.height, picture.bounds.width))
            planes[name] = np.ascontiguousarray(full)
    return picture.with_planes(planes)


def _constant(node: Node, frame: int, view: str) -> Picture:
    width, height, aspect = node._app.script_format(node._knobs["format"]._text())
    value = node._knobs["color"]._number()  # type: ignore[attr-defined]
    values = value if isinstance(value, list) else [value] * 4
    names = (*RGB, "rgba.alpha")
    planes = {name: np.full((height, width), values[i], np.float32) for i, name in enumerate(names)}
    return Picture(planes, Bounds(0, 0, width, height), width, height, aspect)


def _crop(node: Node, frame: int, view: str) -> Picture:
    picture = _input(node, 0, frame, view)
    x, y, r, t = (int(value) for value in node._knobs["box"]._number())  # type: ignore[attr-defined]
    return picture.over(picture.bounds.intersection(Bounds(x, y, r, t)))


def _time_offset(node: Node, frame: int, view: str) -> Picture:
    return _input(node, 0, frame - int(node._number_of("time_offset")), view)


OPERATORS: dict[str, Callable[[Node, int, str], Picture]] = {
    "Read": _read,
    "Write": _pass,
    "Input": _group_input,
    "Output": _pass,
    "Dot": _pass,
    "NoOp": _pass,
    "FrameRange": _pass,
    "Viewer": _pass,
    "Copy": _copy,
    "Switch": _switch,
    "Dilate": _dilate,
    "Merge2": _merge,
    "Multiply": _multiply,
    "Premult": _premult,
    "Expression": _expression,
    "Constant": _constant,
    "Crop": _crop,
    "TimeOffset": _time_offset,
}
