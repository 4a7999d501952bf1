"""Pixels of like colour get like alpha: a non-local mean over the whole matte, after the network.

A network judges a pixel by what lies around it. What the same colour, in the same kind of texture, turned out to be
elsewhere in the band it does not ask. KNN matting (Chen, Li and Tang, 2013) asks nothing else; non-local means (Buades,
Coll and Morel, 2005) ask the same of noise. Here the network's matte is what is asked: every unknown pixel is joined
to the pixels that are most like it, and their mean pulls at its alpha, less where they disagree among themselves.

Runs on the merged matte, so it knows no tiles, needs no gradients and is the same for every backend. What it gives is
in core/decisions/0019-nonlocal-mean.md.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.errors import CancelledError
from gossamer.image.image import FloatArray
from gossamer.inference.solution import Cancelled

__all__ = ["REACH", "nonlocal_mean"]

REACH = 48
"""Pixels around the unknown ones whose plate is looked at. No network may have a smaller margin, for beyond the tiles'
windows the plate holds anything."""

NEIGHBOURS = 20
ROUNDS = 10
PULL = 0.9
"""Weight of the neighbours' mean against the network's alpha, in every round, where the neighbours agree."""
DISAGREEMENT = 0.1
"""Variance of the neighbours' alpha at which the pull is half as strong."""
SHARE_DOWN, SHARE_UP = 0.8, 0.45
"""Of the change that is made. Less of it towards opaque: a solid body's shade has the colours of a thin hair before
something dark, and draws that hair up."""
PLAIN, RAMP = 0.02, 0.08
"""What is this near to 0 or 1, with the eight samples around it, stays as it is, or a body gets specks of what its
colour is elsewhere; over the ramp the change comes in."""

# What likeness is measured in, beside the three encoded colours.
TEXTURE = 2.0
"""Of the standard deviation of brightness within a few samples: a hair before a wall is not the wall."""
TEXTURE_SIGMA = 1.0
ALPHA = 0.05
"""Of the matte's own alpha, blurred widely: keeps the inside, the edge and the outside apart, or a colour that two of
them have would make both grey."""
ALPHA_SIGMA = 16.0
PLACE = 1 / 8000
"""Of a sample's distance: 16 samples weigh as much as half a code of 8 bits."""

LARGEST_GRID = 1_200_000
"""Plates of more pixels are searched at a half of the resolution, of more than eight times as many at a quarter."""
CHUNK = 1 << 15
"""Pixels searched between two looks at ``cancelled``."""
_EXACT_TREE: dict[str, bool | int | float | str] = {"algorithm": 4, "leaf_max_size": 10}
"""FLANN's single k-d tree, whose answers are exact and the same on every run."""

BoolArray = NDArray[np.bool_]


def nonlocal_mean(
    plate: FloatArray,
    alpha: FloatArray,
    unknown: BoolArray,
    *,
    origin: tuple[int, int] = (0, 0),
    threads: int = 1,
    cancelled: Cancelled | None = None,
) -> FloatArray:
    """The matte with the unknown pixels drawn towards the mean of those that are most like them.

    Args:
        plate: H x W x 3, sRGB-encoded, 0..1, finite; read up to :data:`REACH` pixels from the unknown ones.
        alpha: H x W, 0..1, the network's matte.
        unknown: H x W, the pixels that may change.
        origin: x, y of the first pixel in the display window, to which the samples of large plates are anchored.
        threads: that search side by side; the answer does not depend on them.
        cancelled: asked between steps.

    Returns:
        H x W, 0..1, ``alpha`` where it is known.

    Raises:
        CancelledError: ``cancelled`` said so.
    """
    if not unknown.any():
        return alpha
    step = grid_step(*alpha.shape)
    left, top = origin[0] % step, origin[1] % step
    samples, matte = _reduce(plate, step, top, left), _reduce(alpha, step, top, left)
    asked = _reduce(unknown.astype(np.float32), step, top, left) > 0
    around = 2 * _ring(step) + 1
    told = cv2.dilate(asked.astype(np.uint8), np.ones((around, around), np.uint8)) > 0
    features = _features(samples, matte, told)
    numbers = np.cumsum(told.ravel()) - 1  # of the told pixels, in row order
    asking: NDArray[np.intp] = numbers.reshape(told.shape)[asked]
    neighbours = _nearest(features, asking, threads, cancelled)
    change = np.zeros_like(matte)
    change[asked] = _settle(matte[told], asking, neighbours, cancelled)
    change *= _openness(matte)
    height, width = alpha.shape
    if step > 1:
        size = (change.shape[1] * step, change.shape[0] * step)
        change = np.asarray(cv2.resize(change, size, interpolation=cv2.INTER_LINEAR), np.float32)
        change = change[top : top + height, left : left + width]
    settled = alpha.copy()
    settled[unknown] = np.clip(alpha[unknown] + change[unknown], 0, 1)
    return settled


def grid_step(height: int, width: int) -> int:
    """Pixels a side of the samples that a plate of that size is searched in: 1, 2 or 4.

    By the size of its data window alone, so that all frames of a plate are treated alike, however much of each is
    unknown.
    """
    if height * width <= LARGEST_GRID:
        return 1
    return 2 if height * width <= 8 * LARGEST_GRID else 4


def _ring(step: int) -> int:
    """Samples around the asking ones that are asked, so that what is blurred for them ends within REACH."""
    return (REACH - (step - 1)) // step - math.ceil(4 * TEXTURE_SIGMA)


def _reduce(picture: FloatArray, step: int, top: int, left: int) -> FloatArray:
    """Means over squares of ``step`` pixels, the first of which begins ``top`` and ``left`` pixels before the picture.

    Outside, the border's pixels are repeated.
    """
    if step == 1:
        return picture
    height, width = picture.shape[0] + top, picture.shape[1] + left
    below, beside = -height % step, -width % step
    if top or left or below or beside:
        picture = np.asarray(cv2.copyMakeBorder(picture, top, below, left, beside, cv2.BORDER_REPLICATE), np.float32)
    size = ((width + beside) // step, (height + below) // step)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _features(samples: FloatArray, matte: FloatArray, told: BoolArray) -> FloatArray:
    """N x 7, of the told pixels: what likeness is measured in."""
    brightness = samples.mean(axis=2)
    mean = cv2.GaussianBlur(brightness, (0, 0), TEXTURE_SIGMA)
    square = cv2.GaussianBlur(brightness * brightness, (0, 0), TEXTURE_SIGMA)
    texture = np.sqrt(np.maximum(square - mean * mean, 0))
    around = cv2.GaussianBlur(matte, (0, 0), ALPHA_SIGMA)
    rows, columns = np.nonzero(told)
    planes = [texture[told] * TEXTURE, around[told] * ALPHA, rows * PLACE, columns * PLACE]
    features: FloatArray = np.concatenate([samples[told], np.stack(planes, axis=1)], axis=1).astype(np.float32)
    return features


def _nearest(
    features: FloatArray, asking: NDArray[np.intp], threads: int, cancelled: Cancelled | None
) -> NDArray[np.int32]:
    """Numbers of the nearest pixels of each that asks, itself among them: M x NEIGHBOURS, or all there are."""
    count = min(NEIGHBOURS, len(features))
    found = np.empty((len(asking), count), np.int32)
    threads = max(1, min(threads, -(-len(asking) // CHUNK)))
    bounds = [len(asking) * part // threads for part in range(threads + 1)]

    def search(first: int, last: int) -> None:
        # Each thread has a tree of its own: nothing says that one may be asked from several at a time.
        tree = cv2.flann.Index(features, _EXACT_TREE)
        for start in range(first, last, CHUNK):
            _stop_if(cancelled)
            stop = min(start + CHUNK, last)
            found[start:stop] = tree.knnSearch(features[asking[start:stop]], count, params={"checks": -1})[0]

    with ThreadPoolExecutor(threads, "gossamer-nonlocal") as pool:
        for search_done in [pool.submit(search, first, last) for first, last in pairwise(bounds)]:
            search_done.result()
    return found


def _openness(matte: FloatArray) -> FloatArray:
    """How much of the change each sample takes: 0 where all around it is plainly opaque, or plainly clear."""
    square = np.ones((3, 3), np.uint8)
    solid, clear = 1 - cv2.erode(matte, square), cv2.dilate(matte, square)
    openness: FloatArray = np.clip((np.minimum(solid, clear) - PLAIN) / RAMP, 0, 1)
    return openness


def _settle(
    alpha: FloatArray, asking: NDArray[np.intp], neighbours: NDArray[np.int32], cancelled: Cancelled | None
) -> FloatArray:
    """What is added to alpha of the pixels that ask.

    Args:
        alpha: N, of all that are asked; those that ask change from round to round.
        asking: M numbers among them.
        neighbours: M x K numbers.
        cancelled: asked between rounds.
    """
    first = alpha[asking]
    pieces = [slice(start, start + CHUNK) for start in range(0, len(asking), CHUNK)]
    for _ in range(ROUNDS):
        _stop_if(cancelled)
        drawn = np.empty_like(first)
        for piece in pieces:
            around = alpha[neighbours[piece]]
            pull = PULL / (1 + around.var(axis=1) / DISAGREEMENT)
            drawn[piece] = first[piece] + pull * (around.mean(axis=1) - first[piece])
        alpha[asking] = drawn
    change = alpha[asking] - first
    shared: FloatArray = change * np.where(change > 0, np.float32(SHARE_UP), np.float32(SHARE_DOWN))
    return shared


def _stop_if(cancelled: Cancelled | None) -> None:
    if cancelled is not None and cancelled():
        raise CancelledError("Cancelled.")
