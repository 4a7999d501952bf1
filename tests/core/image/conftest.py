"""Small pictures for the tests of the image room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.image.image import Image
from gossamer.image.io import write_image


def _picture(height: int = 6, width: int = 8, channels: str = "RGB", seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).random((height, width, len(channels)), dtype=np.float32)
    return Image.from_pixels(pixels, tuple(channels))


@pytest.fixture
def picture() -> Callable[..., Image]:
    """Random values in 0..1: ``picture(height, width, "RGBA", seed)``."""
    return _picture


@pytest.fixture
def save() -> Callable[..., Path]:
    """Write a random picture and give its path back: ``save(path, height=.., width=.., channels=..)``."""

    def write(path: Path, **size: Any) -> Path:
        data_type = "half" if path.suffix.lower() == ".exr" else "uint8"
        write_image(path, _picture(**size), data_type=data_type)
        return path

    return write
