"""What a job's hash has to know of ``$OCIO``."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813  the name its own documentation uses

from gossamer.image.color import CINEON, LINEAR, SRGB, to_scene_linear

__all__ = ["color_identity"]


def color_identity(space: str) -> str:
    """Digest of how ``$OCIO`` defines a colour space; empty where it does not, is not set, or is not asked: Gossamer's
    own spaces are fixed.

    Two configurations may mean different things by one name. Made from the operations that the name stands for, curves
    and tables included: neither where the configuration lies nor what else it holds changes the digest.

    Raises:
        ColorError: the configuration cannot be used.
    """
    location = os.environ.get("OCIO", "")
    return _identity(space, location) if location and space not in (LINEAR, SRGB, CINEON) else ""


@lru_cache(maxsize=64)
def _identity(space: str, location: str) -> str:
    to_scene_linear(np.zeros((1, 1, 3), np.float32), space)  # reads the configuration and says what is wrong with it
    config = _config(location)
    entry = config.getColorSpace(space)
    if entry is None:
        return ""
    built_in = ocio.Config.CreateFromFile("ocio://default")
    processor = ocio.Config.GetProcessorFromConfigs(config, entry.getName(), built_in, "ACES2065-1")
    # The encoding decides whether highlights are rolled off.
    text = f"{processor.getCacheID()} {entry.getEncoding()} {entry.isData()}"
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


@lru_cache(maxsize=4)  # as long as the one that pixels are converted with: an edit counts for both in the next process
def _config(location: str) -> Any:
    return ocio.Config.CreateFromFile(location)
