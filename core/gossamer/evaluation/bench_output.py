"""What ``gossamer bench`` measured, as CSV and as a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from gossamer.errors import MissingDependencyError, SettingError
from gossamer.evaluation.bench import PARTS, Bench, Measurement
from gossamer.evaluation.results import save_text

__all__ = ["check_plot", "write_csv", "write_plot"]

COLORS = ("#4c72b0", "#64b5cd", "#c44e52", "#dd8452", "#55a868", "#8172b3")
"""By PARTS."""


def write_csv(found: Bench, path: Path) -> None:
    """One row a measurement; seconds, bytes, parts of 1. Empty cells where a number is not known.

    Raises:
        SettingError: the file cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        [
            *("model", "backend", "width", "height", "band", "unknown", *PARTS, "solve", "total", "total_p95"),
            *("frames_per_second", "cpu", "network_share", "network_part", "peak_memory", "peak_device_memory", "load"),
            *("runs_on", "device", "precision", "threads", "error_mean", "error_p999", "error_max", "failure"),
        ]
    )
    for one in found.measurements:
        parts = [one.parts.get(name, "") for name in PARTS]
        apart = ["", "", ""] if one.difference is None else [*vars(one.difference).values()]
        ran = [one.runs_on.get(name, "") for name in ("backend", "device", "precision", "threads")]
        rows.writerow(
            [
                *(one.model, one.backend, one.width, one.height, one.band, one.unknown, *parts),
                *(
                    one.solve,
                    one.total,
                    one.total_p95,
                    one.frames_per_second,
                    one.cpu,
                    one.network_share,
                    one.network_part,
                ),
                *(one.peak_memory, one.peak_device_memory, one.load, *ran, *apart, one.error),
            ]
        )
    save_text(text.getvalue(), path)


def check_plot(path: Path) -> None:
    """Find out before anything is timed whether the picture can be drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        SettingError: it is not a PNG.
    """
    if path.suffix.lower() != ".png":
        raise SettingError(f"--plot is {path}; give a file that ends in .png.")
    _matplotlib()


def _matplotlib() -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError('--plot needs matplotlib: pip install "gossamer-matting[train]".') from error
    return Figure, FigureCanvasAgg


def write_plot(found: Bench, path: Path) -> None:
    """Bars of seconds a frame, one a measurement, divided into their parts; failed ones are named without a bar.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        SettingError: the file cannot be written.
    """
    figure_type, canvas_type = _matplotlib()
    shown = list(found.measurements)
    figure = figure_type(figsize=(9, 1.4 + 0.42 * len(shown)), dpi=110, layout="constrained")
    canvas_type(figure)
    axes = figure.subplots()
    for row, one in enumerate(shown):
        left = 0.0
        for name, color in zip(PARTS, COLORS, strict=True):
            seconds = one.parts.get(name, 0.0)
            axes.barh(row, seconds, left=left, color=color, label=name.replace("color", "colour") if row == 0 else None)
            left += seconds
        axes.text(left, row, f"  {one.total:.2f} s" if not one.error else "  failed", va="center", fontsize=8)
    axes.set_yticks(range(len(shown)), [_label(one) for one in shown], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(f"seconds a frame, {found.machine['cpu']}, {found.machine['cores']} cores")
    axes.legend(ncols=len(PARTS), fontsize=8, loc="upper center", bbox_to_anchor=(0.4, 1.0 + 0.45 / len(shown)))
    content = io.BytesIO()
    figure.savefig(content, format="png")
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(content.getvalue())
        temporary.replace(path)
    except OSError as error:
        raise SettingError(f"Cannot write {path}: {error.strerror}. Choose another place.") from error


def _label(one: Measurement) -> str:
    by = f" {one.backend}" if one.backend else ""
    return f"{Path(one.model).name}{by}\n{one.width}x{one.height}, {one.unknown:.0%} unknown"
