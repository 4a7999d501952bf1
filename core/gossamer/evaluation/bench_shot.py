"""The files of the picture that ``gossamer bench`` solves: a shot of equal frames in a temporary folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from gossamer.evaluation.bench_picture import make_plate, make_trimap
from gossamer.image.image import FloatArray, Image
from gossamer.image.io import write_image

__all__ = ["FIRST_FRAME", "pictures"]

FIRST_FRAME = 1001


def pictures(
    root: Path, sizes: Sequence[tuple[int, int]], bands: Sequence[float], frames: int
) -> Iterator[tuple[Path, tuple[int, int], float, FloatArray]]:
    """A folder for every picture with its size, its band and its trimap; removed when the next is asked for."""
    for size in sizes:
        for band in bands:
            folder = root / f"{size[0]}x{size[1]}-{band:g}"
            folder.mkdir()
            yield folder, size, band, _write_picture(folder, size, band, frames)
            shutil.rmtree(folder)


def _write_picture(folder: Path, size: tuple[int, int], band: float, frames: int) -> FloatArray:
    """Write ``frames`` equal plates and trimaps; returns the trimap."""
    trimap = make_trimap(*size, band)
    pictures = {
        "trimap": Image.from_pixels(trimap[..., None], ("A",)),
        "plate": Image.from_pixels(make_plate(*size, band), ("R", "G", "B")),
    }
    for name, picture in pictures.items():
        first = folder / f"{name}.{FIRST_FRAME}.exr"
        write_image(first, picture, data_type="half")
        for frame in range(FIRST_FRAME + 1, FIRST_FRAME + frames):
            copy = folder / f"{name}.{frame}.exr"
            try:
                os.link(first, copy)
            except OSError:  # a file system without links
                shutil.copyfile(first, copy)
    return trimap
