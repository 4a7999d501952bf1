"""The inputs on which every artifact is compared with its network, and a small set whose true alpha is known.

Three kinds, all at sides that are multiples of 32:

* computed ones: gradients, a batch of two, noise without any known pixel, flat pictures, the ends of the range, a
  foreground and a background of one colour;
* the truth set, ten pictures of hair, fur, feathers, twigs and holes in the folder ``golden`` (RGB is the plate, the
  fourth channel the true alpha; ``NAME.trimap.png`` beside it), made by this project's own generator
  (as of commit 9d26f48; they stay as they are when it changes): Apache-2.0, no photograph in them;
* for self-contained artifacts the same at odd sizes, as small as 1 x 1, with values out of range
  (:func:`any_size_cases`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from operator import le
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.errors import DataError, ModelError, SettingError
from gossamer.image.image import FloatArray

__all__ = ["GoldenCase", "any_size_cases", "fit_cases", "golden_cases"]

FOLDER = Path(__file__).parent / "golden"
STEP = 32
"""Sides of the golden inputs are multiples of this, which every registered network accepts."""
_SEED = 20261124
_TRUTH_SET = (
    "twig", "mesh", "fur", "leaves", "feather", "curls", "long-hair", "frizz", "creature-ear", "creature-tail",
)  # fmt: skip
"""Pictures in :data:`FOLDER`; the last two are cut out of the sample shot."""


@dataclass(frozen=True, eq=False)
class GoldenCase:
    """One input."""

    name: str
    plate: FloatArray
    """N 3 H W, sRGB-encoded, 0..1."""
    trimap: FloatArray
    """N 1 H W in {0, 0.5, 1}."""
    truth: FloatArray | None = None
    """N 1 H W, true alpha."""

    @property
    def label(self) -> str:
        """Name and size, for messages."""
        batch, _, height, width = self.plate.shape
        return f"{self.name!r} ({width}x{height}{f', batch of {batch}' if batch > 1 else ''})"


def golden_cases(multiple_of: int) -> list[GoldenCase]:
    """All golden inputs whose sides are multiples of ``multiple_of``.

    Raises:
        ModelError: no golden input fits that.
        DataError: a picture of the truth set is missing or damaged.
    """
    if STEP % multiple_of:
        raise ModelError(f"The golden inputs have sides that are multiples of {STEP}, the network wants {multiple_of}.")
    return [*_computed(), *_truth_set()]


def any_size_cases() -> list[GoldenCase]:
    """Inputs for self-contained artifacts: odd sizes, values out of range, trimaps with other values than three."""
    cases = []
    for case, height, width in zip(_truth_set(), (97, 160, 33, 131, 192), (131, 65, 192, 97, 191), strict=False):
        cut = (slice(None), slice(None), slice(0, height), slice(0, width))
        truth = None if case.truth is None else case.truth[cut].copy()
        cases.append(GoldenCase(case.name, case.plate[cut].copy(), case.trimap[cut].copy(), truth))
    random = np.random.default_rng(_SEED)
    wild = random.normal(0.5, 1.0, (2, 3, 70, 45)).astype(np.float32)
    wild[0, :, 5, 5:9] = (np.nan, np.inf, -np.inf, 65504.0)
    guide = random.uniform(-0.1, 1.1, (2, 1, 70, 45)).astype(np.float32)
    guide[0, 0, 9, 9:12] = np.nan, 0.04, 0.96
    cases.append(GoldenCase("out-of-range", wild, guide))
    for height, width in ((1, 1), (2, 37), (31, 33)):
        plate = random.random((1, 3, height, width), np.float32)
        cases.append(GoldenCase("small", plate, np.full((1, 1, height, width), 0.5, np.float32)))
    return cases


def fit_cases(cases: Sequence[GoldenCase], smallest: tuple[int, int], largest: tuple[int, int]) -> list[GoldenCase]:
    """Those of ``cases`` that an engine for sizes from ``smallest`` to ``largest`` (height, width) can be shown.

    Smaller ones are continued by reflection, for network and engine alike; larger ones are left out.

    Raises:
        SettingError: no picture with a known alpha is left.
    """
    grown = [_grow(case, *smallest) for case in cases]
    fitting = [case for case in grown if all(map(le, case.plate.shape[2:], largest))]
    if not any(case.truth is not None for case in fitting):
        height, width = (min(case.plate.shape[axis] for case in grown if case.truth is not None) for axis in (2, 3))
        raise SettingError(
            f"An engine for at most {largest[1]}x{largest[0]} cannot be compared with the network: the golden pictures "
            f"begin at {width}x{height}. Give a larger --size-range or --tile."
        )
    return fitting


def _grow(case: GoldenCase, height: int, width: int) -> GoldenCase:
    below, right = max(height - case.plate.shape[2], 0), max(width - case.plate.shape[3], 0)
    if not below and not right:
        return case

    def grow(planes: FloatArray) -> FloatArray:
        return np.pad(planes, ((0, 0), (0, 0), (0, below), (0, right)), mode="symmetric")

    return GoldenCase(case.name, grow(case.plate), grow(case.trimap), None if case.truth is None else grow(case.truth))


def _ring(height: int, width: int) -> FloatArray:
    """Trimap: a disc of foreground, a ring of unknown, background outside."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5)
    ring = np.where(distance < 0.15, 1.0, np.where(distance > 0.4, 0.0, 0.5))
    trimap: FloatArray = ring.astype(np.float32)[None, None]
    return trimap


def _computed() -> list[GoldenCase]:
    random = np.random.default_rng(_SEED)

    def gradient(batch: int, height: int, width: int) -> FloatArray:
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        smooth = np.stack([x, y, np.abs(x - y)])[None] + random.uniform(-0.1, 0.1, (batch, 3, height, width))
        return np.asarray(smooth.clip(0, 1), np.float32)

    def flat(value: float, height: int, width: int) -> FloatArray:
        return np.full((1, 3, height, width), value, np.float32)

    ring = _ring(96, 128)
    noise = random.random((1, 3, 128, 128), np.float32)
    unknown = np.full((1, 1, 128, 128), 0.5, np.float32)
    # Bars of pure primaries, black and white: every channel at both ends of its range.
    bars = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)], np.float32).T
    primaries = np.broadcast_to(np.repeat(bars, 16, axis=1)[None, :, None], (1, 3, 96, 128)).copy()
    dark = (gradient(1, 96, 128) * 0.02).astype(np.float32)
    return [
        GoldenCase("gradient", gradient(1, 128, 224), _ring(128, 224)),
        GoldenCase("gradients", gradient(2, 96, 64), np.repeat(_ring(96, 64), 2, axis=0)),
        GoldenCase("smallest", gradient(1, 64, 64), _ring(64, 64)),
        GoldenCase("checked-noise", noise.round(), unknown),
        GoldenCase("random-trimap", noise, np.asarray(np.floor(noise[:, :1] * 3) / 2, np.float32)),
        GoldenCase("flat-grey", flat(0.5, 96, 128), ring),
        GoldenCase("flat-black", flat(0.0, 96, 128), ring),
        GoldenCase("flat-white", flat(1.0, 96, 128), ring),
        GoldenCase("primaries", primaries, ring),
        GoldenCase("dark", dark, ring),
    ]


@cache
def _truth_set() -> tuple[GoldenCase, ...]:
    return tuple(_read_case(name) for name in _TRUTH_SET)


def _read_case(name: str) -> GoldenCase:
    picture = _read_png(FOLDER / f"{name}.png", 4)
    trimap = _read_png(FOLDER / f"{name}.trimap.png", 1)
    levels = np.where(trimap < 64, 0.0, np.where(trimap > 192, 1.0, 0.5)).astype(np.float32)
    values = picture.astype(np.float32).transpose(2, 0, 1)[None] / np.float32(255)
    plate = np.ascontiguousarray(values[:, 2::-1])  # OpenCV reads blue first
    return GoldenCase(name, plate, levels[None, None], np.ascontiguousarray(values[:, 3:]))


def _read_png(path: Path, channels: int) -> NDArray[np.uint8]:
    # Not imread, which on Windows opens no path with letters beyond ASCII.
    found = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if found is None or found.ndim != (3 if channels > 1 else 2) or found.dtype != np.uint8:
        raise DataError(f"The golden picture {path} is missing or damaged; install the package again.")
    return np.asarray(found, np.uint8)
