"""Draws the node from its own definition: the graph inside, and the knobs. And the icon.

``python -m tests.nuke_plugin.draw_node`` writes ``nuke_plugin/pictures/node.png``, ``knobs.png`` and
``nuke_plugin/icons/Gossamer.png``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import OpenImageIO as oiio  # noqa: N813

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.patches import FancyBboxPatch, Rectangle

from tests.fakes.fake_nuke import Application
from tests.fakes.fake_nuke import knobs as k

__all__ = ["draw_graph", "draw_icon", "draw_knobs"]

PLUGIN = Path(__file__).resolve().parents[2] / "nuke_plugin"
WIDTH, HEIGHT = 118, 36
COLORS = {
    "Input": "#d9d9d9",
    "Output": "#d9d9d9",
    "Read": "#c2a14d",
    "Write": "#d6b656",
    "Merge2": "#7b9fd4",
    "Copy": "#c993a0",
    "Switch": "#a8a8a8",
    "Expression": "#b9a6d3",
    "Dilate": "#9ccb8f",
    "Premult": "#9ccbc6",
    "FrameRange": "#c9bfa3",
}


def draw_graph(node: Any, path: Path, dpi: int = 100) -> None:
    """The nodes inside, where their ``xpos`` and ``ypos`` put them; dashed lines are input A."""
    figure, axes = pyplot.subplots(figsize=(15, 10.5), dpi=dpi)
    places = {id(inner): (inner["xpos"].value(), inner["ypos"].value()) for inner in node.nodes()}
    for inner in node.nodes():
        x, y = places[id(inner)]
        for index, upstream in enumerate(inner._inputs):
            if upstream is None:
                continue
            from_x, from_y = places[id(upstream)]
            spread = (index - (len(inner._inputs) - 1) / 2) * min(14, 60 / max(1, len(inner._inputs)))
            style = "--" if index == 1 and len(inner._inputs) == 2 and inner.Class() in ("Copy", "Merge2") else "-"
            axes.plot(
                [from_x, x + spread],
                [from_y + HEIGHT / 2, y - HEIGHT / 2],
                style,
                color="#555555",
                linewidth=1.1,
                zorder=1,
            )
    for inner in node.nodes():
        _box(axes, inner, *places[id(inner)])
    xs, ys = zip(*places.values(), strict=True)
    axes.set_xlim(min(xs) - 70, max(xs) + 70)
    axes.set_ylim(max(ys) + 40, min(ys) - 40)
    axes.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, facecolor="white")
    pyplot.close(figure)


def _box(axes: Any, inner: Any, x: float, y: float) -> None:
    is_off = inner.Class() == "Write" and inner["disable"].value()
    axes.add_patch(
        FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2),
            WIDTH,
            HEIGHT,
            boxstyle="round,pad=0,rounding_size=7",
            facecolor=COLORS.get(inner.Class(), "#eeeeee"),
            edgecolor="#333333",
            linewidth=0.9,
            linestyle=":" if is_off else "-",
            zorder=2,
        )
    )
    axes.text(
        x,
        y - 6,
        inner.name(),
        ha="center",
        va="center",
        fontsize=8 if len(inner.name()) < 16 else 7,
        weight="bold",
        zorder=3,
    )
    axes.text(x, y + 8, _detail(inner, is_off), ha="center", va="center", fontsize=6.5, color="#222222", zorder=3)


def _detail(inner: Any, is_off: bool) -> str:
    kind = str(inner.Class())
    if kind == "Merge2":
        return f"Merge {inner['operation'].value()}"
    if kind == "Copy" and inner["channels"].value() != "none":
        return f"Copy {inner['channels'].value()}"
    if kind == "Copy" and inner["to2"].value() != "none":
        return f"Copy {inner['from0'].value().replace('.red', '').replace('rgba', 'rgb')} to rgb"
    if kind == "Copy" and inner["from0"].value() == inner["to0"].value():
        return f"Copy {inner['from0'].value().replace('rgba.', '')}"
    if kind == "Copy":
        return f"Copy {inner['from0'].value().replace('rgba.', '')} to {inner['to0'].value().replace('rgba.', '')}"
    if kind in ("Switch", "Dilate"):
        knob = inner["which" if kind == "Switch" else "size"]
        text = knob._expression.replace("parent.", "").replace("*input.width/1920", "")
        return f"{kind} {text}"
    if kind == "Expression":
        shown = next(inner[f"expr{i}"].value() for i in (3, 0) if inner[f"expr{i}"].value())
        return shown if len(shown) < 20 else "levels 0, 0.5, 1"
    if kind == "Input":
        return f"input {int(inner['number'].value()) + 1}"
    return f"{kind}, off" if is_off else kind


def draw_knobs(node: Any, path: Path, dpi: int = 100) -> None:
    """The panel, tab by tab: labels, kinds of widgets, defaults."""
    tabs: list[list[Any]] = []
    for knob in node._knobs.values():
        if isinstance(knob, k.Tab_Knob):
            tabs.append([knob])
        elif knob._user_definition and knob.visible():
            tabs[-1].append(knob)
    figure, axes = pyplot.subplots(figsize=(15, 6.2), dpi=dpi)
    for column, (tab, *members) in enumerate(tabs):
        left = column * 52
        axes.text(left + 1, -1.2, tab.label() or tab.name(), fontsize=12, weight="bold")
        y = 0.0
        for line in _rows(members):
            _row(axes, left, y, line)
            y += 2.4 if line[0].name() == "worker_help" else 1.35
    axes.set_xlim(-1, 52 * len(tabs))
    axes.set_ylim(25, -2.4)
    axes.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, facecolor="white")
    pyplot.close(figure)


def _rows(members: list[Any]) -> list[list[Any]]:
    """Knobs that share a line."""
    rows: list[list[Any]] = []
    for knob in members:
        if knob.name() == "buttons_line":
            continue
        if rows and "-STARTLINE" in knob._user_definition:
            rows[-1].append(knob)
        else:
            rows.append([knob])
    return rows


def _row(axes: Any, left: float, y: float, line: list[Any]) -> None:
    x = left + 11.5
    for index, knob in enumerate(line):
        label = knob.label()
        if isinstance(knob, k.PyScript_Knob):
            width = 2.4 + len(label) * 0.72
            axes.add_patch(
                Rectangle((x, y - 0.45), width, 0.95, facecolor="#d8e4ea", edgecolor="#333333", linewidth=0.8)
            )
            axes.text(x + width / 2, y, label, ha="center", va="center", fontsize=8)
            x += width + 1
            continue
        if knob.name().endswith("_line") or knob.name() == "worker_help":
            axes.plot([left + 1, left + 50], [y - 0.55, y - 0.55], color="#999999", linewidth=0.7)
            text = label or str(knob._value)
            axes.text(left + 1, y + 0.1, text, fontsize=8, weight="bold" if label else "normal", va="center")
            return
        if index == 0:
            axes.text(x - 0.6, y, label, ha="right", va="center", fontsize=8)
        else:
            axes.text(x, y, label, ha="left", va="center", fontsize=8)
            x += len(label) * 0.74 + 1
        if isinstance(knob, k.Boolean_Knob):
            axes.add_patch(Rectangle((x, y - 0.35), 1.4, 0.75, facecolor="white", edgecolor="#333333", linewidth=0.8))
            if knob.value():
                axes.text(x + 0.7, y, "x", ha="center", va="center", fontsize=7)
            x += 3
            continue
        value = _value(knob)
        width = max(7.0, 2 + len(value) * 0.78)
        axes.add_patch(Rectangle((x, y - 0.45), width, 0.9, facecolor="white", edgecolor="#888888", linewidth=0.7))
        axes.text(x + 0.5, y, value, ha="left", va="center", fontsize=7.6, color="#222222")
        x += width + 1.2


def _value(knob: Any) -> str:
    if isinstance(knob, k.Enumeration_Knob):
        return f"{knob.value()}  v"
    if isinstance(knob, k.Link_Knob):
        return f"{knob.value()}  v"
    if isinstance(knob, k.Array_Knob):
        return f"{knob.value():g}"
    return str(knob._value) or " " * 16


def draw_icon(path: Path, size: int = 24) -> None:
    """Strands of hair between a light and a dark half."""
    scale = 8
    rows, columns = np.mgrid[0 : size * scale, 0 : size * scale].astype(np.float32) / (size * scale)
    shape = np.clip((0.46 - np.hypot(rows - 0.5, columns - 0.5)) * 60, 0, 1)
    strands = np.zeros_like(rows)
    for start in np.linspace(0.12, 0.88, 7):
        bend = start + 0.16 * np.sin(2.4 * columns + 5 * start) * columns
        strands = np.maximum(strands, np.clip(1.6 - np.abs(rows - bend) * 110 * (0.35 + columns), 0, 1))
    solid = np.clip((0.36 - columns) * 14, 0, 1)
    cover = np.maximum(solid, strands)[..., None]
    colour = cover * np.array([0.93, 0.93, 0.9]) + (1 - cover) * np.array([0.235, 0.43, 0.443])
    pixels = np.dstack([colour, shape]).reshape(size, scale, size, scale, 4).mean((1, 3)).astype(np.float32)
    spec = oiio.ImageSpec(size, size, 4, "uint8")
    spec.attribute("oiio:UnassociatedAlpha", 1)
    target: Any = oiio.ImageOutput.create(str(path))
    assert target.open(str(path), spec), target.geterror()
    assert target.write_image(pixels), target.geterror()
    target.close()


def main() -> None:
    """Write all three."""
    app = Application(PLUGIN)
    node = app.make("Gossamer")
    (PLUGIN / "pictures").mkdir(exist_ok=True)
    draw_graph(node, PLUGIN / "pictures" / "node.png")
    draw_knobs(node, PLUGIN / "pictures" / "knobs.png")
    draw_icon(PLUGIN / "icons" / "Gossamer.png")


if __name__ == "__main__":
    main()
