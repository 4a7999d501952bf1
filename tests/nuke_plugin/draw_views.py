"""Mattes the sample through the node in the double, with the shipped network, and draws what each view shows.

``python -m tests.nuke_plugin.draw_views`` writes ``nuke_plugin/pictures/views.png``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot
from numpy.typing import NDArray

from tests.fakes.fake_nuke import Application
from tests.nuke_plugin.in_process import InProcessKeeper
from tests.nuke_plugin.shots import channel

__all__ = ["draw_views"]

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "nuke_plugin"
FRAME = 1004


def draw_views(path: Path) -> str:
    """Write the picture; give the node's status."""
    app = Application(PLUGIN, gui=False)
    sys.modules["nuke"] = app.module
    from gossamer_nuke import session

    session._keeper = InProcessKeeper(networks=True)  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "core" / "sample", Path(folder) / "core" / "sample")
        script = Path(folder) / "nuke_plugin" / "examples" / "mask_over_grey.nk"
        script.parent.mkdir(parents=True)
        shutil.copy(PLUGIN / "examples" / script.name, script)
        app.open_text(script.read_text(encoding="utf-8"), script.as_posix())
        node: Any = app.node_by_name("Gossamer1")
        node["write_confidence"].setValue(True)
        app.frame_number = FRAME
        session.matte(node, (FRAME,))
        pictures = {"plate": _rgb(app, node.input(0))}
        pictures["matte (alpha)"] = np.dstack([channel(app, node, framed=True)] * 3)
        for view in node["view"].values()[1:]:
            node["view"].setValue(view)
            is_data = view in ("trimap", "confidence")
            pictures[view] = _rgb(app, node, is_data=is_data)
        pictures["Merge over a darker plate"] = _rgb_of_merge(app, node)
        status = str(node["status"].value())
    figure, axes = pyplot.subplots(2, 4, figsize=(15, 5), dpi=80)
    for place, (title, picture) in zip(axes.flat, pictures.items(), strict=True):
        place.imshow(np.clip(picture, 0, 1), interpolation="nearest")
        place.set_title(title, fontsize=10)
        place.axis("off")
    figure.tight_layout(pad=0.4)
    figure.savefig(path, facecolor="white")
    pyplot.close(figure)
    return status


def _rgb(app: Application, node: Any, *, is_data: bool = False) -> NDArray[Any]:
    planes = [channel(app, node, f"rgba.{name}", framed=True) for name in ("red", "green", "blue")]
    linear = np.clip(np.dstack(planes), 0, 1)
    return linear if is_data else np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _rgb_of_merge(app: Application, node: Any) -> NDArray[Any]:
    node["view"].setValue("matte")
    return _rgb(app, app.node_by_name("Merge1"))


if __name__ == "__main__":
    sys.stdout.write(draw_views(PLUGIN / "pictures" / "views.png") + "\n")
