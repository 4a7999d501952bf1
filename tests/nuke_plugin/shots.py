"""Plates, trimaps and masks as files, and the nodes that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio  # noqa: N813
from numpy.typing import NDArray

from tests.fakes.fake_nuke import Application
from tests.fakes.fake_nuke.operators import render
from tests.fakes.fake_nuke.pictures import Bounds

__all__ = ["Shot", "channel", "read_exr", "save_exr", "wait_for"]

Array = NDArray[np.float32]
WIDTH, HEIGHT = 48, 32


def save_exr(
    path: Path,
    channels: dict[str, Array],
    *,
    display: tuple[int, int] | None = None,
    origin: tuple[int, int] = (0, 0),
    attributes: dict[str, Any] | None = None,
) -> None:
    """Write float planes; ``origin`` is the data window's corner in the display window, which has (width, height)."""
    height, width = next(iter(channels.values())).shape
    spec = oiio.ImageSpec(width, height, len(channels), "float")
    spec.channelnames = list(channels)
    spec.x, spec.y = origin
    spec.full_width, spec.full_height = display or (width, height)
    for name, value in (attributes or {}).items():
        spec.attribute(name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    target: Any = oiio.ImageOutput.create(str(path))
    assert target.open(str(path), spec), target.geterror()
    assert target.write_image(np.stack(list(channels.values()), axis=-1)), target.geterror()
    target.close()


def read_exr(path: Path) -> tuple[dict[str, Array], Any]:
    """Planes by the names in the file, and the header."""
    source: Any = oiio.ImageInput.open(str(path))
    assert source is not None, f"{path}: {oiio.geterror()}"
    spec = source.spec()
    pixels = source.read_image(0, 0, 0, spec.nchannels, "float")
    source.close()
    return {name: np.ascontiguousarray(pixels[..., i]) for i, name in enumerate(spec.channelnames)}, spec


class Shot:
    """A small sequence: a disc that moves, in front of a gradient."""

    def __init__(self, folder: Path, random: np.random.Generator, frames: tuple[int, ...] = (1001, 1002, 1003, 1004)):
        self.folder, self.frames, self.random = folder, frames, random
        for frame in frames:
            self.save(frame)

    def save(self, frame: int, **options: Any) -> None:
        """Write plate, trimap and mask of a frame."""
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
        distance = np.hypot(columns - 16 - (frame - self.frames[0]), rows - 16)
        alpha = np.clip(9 - distance, 0, 1).astype(np.float32)
        noise = self.random.uniform(0, 0.02, (HEIGHT, WIDTH)).astype(np.float32)
        planes = {
            "R": alpha * 0.7 + (1 - alpha) * columns / 96 + noise,
            "G": alpha * 0.2 + (1 - alpha) * rows / 64 + noise,
            "B": np.float32(0.1) + noise,
        }
        trimap = np.where(distance < 6, 1, np.where(distance > 12, 0, 0.5)).astype(np.float32)
        save_exr(self.folder / f"plate.{frame}.exr", planes, **options)
        save_exr(self.folder / f"trimap.{frame}.exr", {"A": trimap})
        save_exr(self.folder / f"mask.{frame}.exr", {"A": (distance < 9).astype(np.float32)})

    def read(self, app: Application, what: str = "plate", **knobs: Any) -> Any:
        """A Read node for one of the sequences."""
        return app.module.nodes.Read(
            file=f"{self.folder.as_posix()}/{what}.%04d.exr",
            first=self.frames[0],
            last=self.frames[-1],
            raw=True,
            **knobs,
        )

    def node(self, app: Application, guide: str = "trimap", **knobs: Any) -> Any:
        """A Gossamer node below Reads of plate and guide, in a saved script."""
        plate, second = self.read(app), self.read(app, guide)
        node = app.module.nodes.Gossamer(inputs=[plate, second])
        node["guide"].setValue({"trimap": 0, "mask": 1}[guide])
        for name, value in knobs.items():
            node[name].setValue(value)
        app.save_as(self.folder.parent / "shot.nk")
        app.frame_number = self.frames[0]
        return node


def channel(
    app: Application, node: Any, name: str = "rgba.alpha", frame: int | None = None, *, framed: bool = False
) -> Array:
    """What leaves a node, over its bounding box or ``framed`` by its format."""
    picture = render(node, app.frame_number if frame is None else frame, app.view)
    return picture.plane(name, Bounds(0, 0, picture.width, picture.height) if framed else None)


def wait_for(app: Application, node: Any) -> None:
    """Let the event loop run until the node's job is over and what it left to do is done."""
    from gossamer_nuke import session

    app.idle(lambda: not session.is_running(node) and not app.calls)
