"""Test-time averaging: the same picture mirrored, transposed and resized, and the mean of what the network answers.

Source: Wang et al., "Improving Deep Image Matting via Local Smoothness Assumption" (2021), and the published script for
alphamatting.com: eight views at each of the scales 0.8, 1 and 1.25, then the mean of the three. Works for any network
on any backend; no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gossamer.image.image import FloatArray, Window

__all__ = [
    "DIHEDRAL",
    "FINE",
    "IDENTITY",
    "MIRRORED",
    "SCALES",
    "SolveArray",
    "TTA_SCALES",
    "TTA_VIEWS",
    "View",
    "average_views",
    "reduce_alpha",
    "resize_alpha",
    "resize_plate",
    "resize_trimap",
    "scaled_size",
]

SolveArray = Callable[[FloatArray, FloatArray | None], FloatArray]
"""Plate N 3 H W and trimap N 1 H W or None to alpha N 1 H W in 0..1."""

SCALES = (0.8, 1.0, 1.25)
"""The published ones."""
FINE = 1.5
"""Our own: detail near the size of a pixel is seen better on a finer grid (core/decisions/0013-test-time.md)."""


@dataclass(frozen=True)
class View:
    """One way of looking at a picture: transposed or not, then mirrored or not."""

    columns: bool = False
    """Left and right change places."""
    rows: bool = False
    """Top and bottom change places."""
    transposed: bool = False
    """Rows become columns first."""

    def show(self, x: FloatArray) -> FloatArray:
        """... H W as this view shows it, contiguous."""
        x = x.swapaxes(-2, -1) if self.transposed else x
        return np.ascontiguousarray(self._flip(x))

    def back(self, x: FloatArray) -> FloatArray:
        """What :meth:`show` gave, as it was; a view of ``x``."""
        x = self._flip(x)
        return x.swapaxes(-2, -1) if self.transposed else x

    def window(self, window: Window) -> Window:
        """Where ``window`` lies in the view's own coordinates, whose origin is the picture's."""
        x, y, width, height = window.x, window.y, window.width, window.height
        if self.transposed:
            x, y, width, height = y, x, height, width
        return Window(-x - width if self.columns else x, -y - height if self.rows else y, width, height)

    def _flip(self, x: FloatArray) -> FloatArray:
        x = x[..., ::-1] if self.columns else x
        return x[..., ::-1, :] if self.rows else x


IDENTITY, MIRRORED = View(), View(columns=True)
DIHEDRAL = tuple(
    View(columns, rows, transposed)
    for transposed in (False, True)
    for rows in (False, True)
    for columns in (False, True)
)
"""As it is, mirrored in either direction or both, and the same four transposed."""

TTA_VIEWS: Mapping[str, tuple[View, ...]] = {
    "none": (IDENTITY,), "flips": (IDENTITY, MIRRORED), "fine": (IDENTITY,), "views": DIHEDRAL,
}  # fmt: skip
"""By the values of ``--tta``: which views are averaged at each scale."""
TTA_SCALES: Mapping[str, tuple[float, ...]] = {
    "none": (1.0,), "flips": (1.0,), "fine": (1.0, FINE), "views": SCALES,
}  # fmt: skip
"""By the values of ``--tta``: at which scales."""


def scaled_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Height and width times ``scale`` in whole pixels, at least one."""
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize_plate(plate: FloatArray, height: int, width: int) -> FloatArray:
    """H x W x 3 in 0..1 to another size by cubic interpolation, overshoot clamped to 0..1."""
    resized = np.asarray(cv2.resize(plate, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    return np.clip(resized.reshape(height, width, plate.shape[2]), 0, 1)


def resize_alpha(alpha: FloatArray, height: int, width: int) -> FloatArray:
    """H x W in 0..1 to another size; as :func:`resize_plate`."""
    return resize_plate(alpha[..., None], height, width)[..., 0]


def reduce_alpha(alpha: FloatArray, height: int, width: int) -> FloatArray:
    """H x W in 0..1 to a smaller size, by the mean over each pixel's area: what is finer than a pixel is coverage."""
    reduced = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    return reduced.reshape(height, width)


def resize_trimap(trimap: FloatArray, height: int, width: int) -> FloatArray:
    """H x W of 0, 0.5, 1 to another size, by the nearest pixel."""
    resized = np.asarray(cv2.resize(trimap, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)
    return resized.reshape(height, width)


def average_views(answers: Sequence[FloatArray]) -> FloatArray:
    """Mean of answers that lie on each other; one alone is returned as it is."""
    if len(answers) == 1:
        return answers[0]
    total = answers[0].copy()
    for answer in answers[1:]:
        total += answer
    total /= len(answers)
    return total
