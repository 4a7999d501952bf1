"""Pictures of a run to look at: loss curves and sample mattes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gossamer.errors import MissingDependencyError
from gossamer.models.registry import model_entry
from gossamer.training.samples import AnyBatch, TrimapBatch

__all__ = ["write_curves", "write_samples"]


def _replace_file(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def write_curves(log: Path, path: Path) -> None:
    """Plot the columns of ``log.csv`` over the steps into a PNG."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError('Loss curves need matplotlib: pip install "gossamer-matting[train]".') from error
    with log.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        return
    steps = [int(row["step"]) for row in rows]
    names = [name for name in rows[0] if name not in ("step", "samples_per_second", "learning_rate")]
    figure = Figure(figsize=(9, 5), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name in names:
        axes.plot(steps, [float(row[name]) for row in rows], label=name, linewidth=1)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_yscale("log")
    axes.legend()
    axes.grid(alpha=0.3)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    _replace_file(path, content.getvalue())


@torch.no_grad()
def write_samples(
    model_name: str, state: dict[str, Tensor], batch: AnyBatch, path: Path, *, count: int = 6
) -> NDArray[np.uint8]:
    """A sheet: one sample a row; plate, trimap, predicted alpha; where the truth is known, it and four times their
    distance.

    Returns what was written into the PNG: H x W x 3, RGB.
    """
    entry = model_entry(model_name)
    model = entry.build()
    model.load_state_dict({key: value.cpu() for key, value in state.items()})
    model.eval()
    plate, trimap = (tensor[:count].cpu().float() for tensor in batch[:2])
    predicted = model.forward_matte(plate, trimap if entry.needs_trimap else None)  # type: ignore[operator]

    def grey(x: Tensor) -> Tensor:
        return x.expand(-1, 3, -1, -1)

    panels = [plate, grey(trimap), grey(predicted)]
    if not isinstance(batch, TrimapBatch):
        alpha = batch.alpha[:count].cpu().float()
        panels += [grey(alpha), grey((predicted - alpha).abs() * 4)]
    sheet = torch.cat(panels, dim=3).permute(0, 2, 3, 1).flatten(0, 1)
    pixels: NDArray[np.uint8] = (sheet * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    _, coded = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
    _replace_file(path, coded.tobytes())
    return pixels
