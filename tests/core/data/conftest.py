"""Miniature pictures and folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO
import pytest

Paint = Callable[..., Path]


@pytest.fixture
def paint() -> Paint:
    """Writes one small picture: ``paint(path, width=12, height=10, channels=3, value=None)``; noise by default."""

    def write(path: Path, *, width: int = 12, height: int = 10, channels: int = 3, value: int | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (height, width, channels) if channels > 1 else (height, width)
        pixels = np.random.default_rng(len(path.name)).integers(0, 256, shape, np.uint8)
        if value is not None:
            pixels[:] = value
        assert cv2.imwrite(str(path), pixels)
        return path

    return write


@pytest.fixture
def store_rotated() -> Callable[[Path], None]:
    """Turns a picture by 180 degrees and writes into its header that it has to be turned back (``Orientation`` 3)."""

    def write(path: Path) -> None:
        picture = OpenImageIO.ImageBuf(str(path))
        turned = OpenImageIO.ImageBufAlgo.rotate180(picture)
        turned.specmod().attribute("Orientation", 3)
        assert turned.write(str(path))

    return write
