"""Camera noise taken out of pictures, for RSSN. Why this filter: ``core/decisions/0005-denoising.md``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gossamer.data.dataset_files import read_color
from gossamer.data.derived_files import DerivedReport, Progress, derive, require_own_folder
from gossamer.errors import DataError
from gossamer.image.image import FloatArray

__all__ = ["denoise", "denoise_files", "estimate_noise"]

TEMPLATE, SEARCH, STRENGTH = 3, 13, 1.1
"""Sides of the patch and of the search window, and the filter's strength over sigma."""
LARGEST_NOISE = 10 / 255
"""What is taken for noise at most; beyond it is texture."""


def estimate_noise(pixels: FloatArray) -> float:
    """Standard deviation of the noise of H x W x 3 colours 0..1, from the median response to a Laplacian difference.

    Texture everywhere raises it, so it is an upper estimate (after Immerkær, "Fast Noise Variance Estimation", 1996,
    with the median in place of the mean).
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(np.asarray(pixels, np.float32), -1, kernel, borderType=cv2.BORDER_REFLECT)
    return float(np.median(np.abs(response)) / (6 * 0.6745))


def denoise(pixels: FloatArray, *, sigma: float | None = None) -> FloatArray:
    """Non-local means over all channels at once (Buades et al. 2005, in OpenCV).

    Args:
        pixels: H x W x 3, 0..1, sRGB-encoded; it is brought to 8 bits.
        sigma: the noise's standard deviation; None estimates it and takes 10/255 at most.

    Returns:
        H x W x 3 float32, 0..1.
    """
    if sigma is None:
        sigma = min(estimate_noise(pixels), LARGEST_NOISE)
    coded = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    strength = STRENGTH * sigma * 255
    if strength <= 0:
        return coded.astype(np.float32) / np.float32(255)
    quiet = cv2.fastNlMeansDenoising(coded, None, strength, TEMPLATE, SEARCH)
    return np.asarray(quiet, np.float32) / np.float32(255)


def denoise_files(sources: Sequence[Path], output: Path, *, progress: Progress | None = None) -> DerivedReport:
    """Write a denoised copy of every picture to ``output`` as ``<stem>.png``: AM-2k's ``fg_denoise``, BG-20k's
    ``train_denoise``. A copy that an earlier run made from the same file is left as it is.

    Raises:
        DataError: two pictures share a stem.
        SettingError: ``output`` holds the originals.
        FrameError: a file cannot be read or written. What was finished stays.
    """
    stems = [path.stem for path in sources]
    doubled = sorted({stem for stem in stems if stems.count(stem) > 1})
    if doubled:
        raise DataError(f"Denoised copies need names of their own; these stems occur twice: {', '.join(doubled)}.")
    require_own_folder(output, {path.parent for path in sources})
    jobs = [(path.stem, (path,), output / f"{path.stem}.png") for path in sources]
    method = f"non-local means 1: {TEMPLATE}, {SEARCH}, {STRENGTH}, up to {LARGEST_NOISE}"
    return derive(jobs, method, lambda _, given: denoise(read_color(given[0])), data_type="uint8", progress=progress)
