"""Where a pipeline's pictures come from: a data set's files or the sample generator, behind four questions.

An index may be as large as it likes: files are gone through in a new random order each time round, which depends on the
seed alone.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gossamer.data.dataset_files import Item, Layers, MattingSet, load_item, read_color
from gossamer.data.paper_trimaps import ellipse_trimap, erosion_for
from gossamer.data.recent import Recent
from gossamer.data.rssn import Composition, Route, RssnSettings, compose_rssn, draw_layers
from gossamer.data.synthetic import SampleGenerator
from gossamer.errors import DataError
from gossamer.image.image import FloatArray

__all__ = ["LayerSource", "SetSource", "SyntheticSource"]

_MANY = 2**31


class LayerSource(Protocol):
    """What pipelines ask. Colours H x W x 3, sRGB-encoded, 0..1, straight; planes H x W."""

    def foreground(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """A random foreground and its alpha."""
        ...

    def background(self, rng: np.random.Generator, index: int) -> FloatArray:
        """The background number ``index``, of any size."""
        ...

    def composition(
        self, rng: np.random.Generator, index: int, *, route: Route, settings: RssnSettings
    ) -> tuple[Composition, FloatArray]:
        """Picture number ``index`` with its colours, and its alpha: GFM's question."""
        ...

    def picture_with_trimap(self, index: int, seed: int) -> tuple[FloatArray, FloatArray]:
        """Picture number ``index`` and its trimap of 0, 0.5, 1: DDC's question. ``seed`` for trimaps without a file."""
        ...


def _layer_bytes(layers: Layers) -> int:
    return sum(plane.nbytes for plane in vars(layers).values() if plane is not None)


class SetSource:
    """The files of a data set."""

    def __init__(self, found: MattingSet, *, seed: int, cache_bytes: int = 500_000_000) -> None:
        """``cache_bytes``: decoded pictures kept in memory, per process."""
        self._set, self._seed = found, seed
        self._kept = Recent(cache_bytes)
        pool = found.backgrounds or tuple(item.background for item in found.items if item.background is not None)
        self._backgrounds = pool

    def _read_item(self, item: Item) -> Layers:
        return self._kept.get(item, lambda: load_item(item), _layer_bytes)

    def _read_picture(self, path: Path) -> FloatArray:
        return self._kept.get(path, lambda: read_color(path), lambda pixels: pixels.nbytes)

    def _item(self, index: int) -> Item:
        return self._set.items[_in_random_order(self._seed, len(self._set.items), index)]

    def foreground(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """See :class:`LayerSource`.

        Raises:
            DataError: the item has no alpha or no foreground colours.
        """
        item = self._set.items[int(rng.integers(len(self._set.items)))]
        layers = self._read_item(item)
        if layers.alpha is None or layers.foreground is None:
            raise DataError(f"{self._set.name}: {item.name} has no alpha or no foreground colours.")
        return layers.foreground, layers.alpha

    def background(self, rng: np.random.Generator, index: int) -> FloatArray:
        """See :class:`LayerSource`.

        Raises:
            DataError: the set has no backgrounds.
        """
        if not self._backgrounds:
            raise DataError(f"{self._set.name} has no backgrounds; name some with data.backgrounds.")
        return self._read_picture(self._backgrounds[_in_random_order(self._seed, len(self._backgrounds), index)])

    def composition(
        self, rng: np.random.Generator, index: int, *, route: Route, settings: RssnSettings
    ) -> tuple[Composition, FloatArray]:
        """See :func:`gossamer.data.rssn.draw_layers`."""
        number = _in_random_order(self._seed, len(self._set.items), index)
        return draw_layers(
            rng, self._set, number, route=route, settings=settings, read_item=self._read_item,
            read_picture=self._read_picture,
        )  # fmt: skip

    def picture_with_trimap(self, index: int, seed: int) -> tuple[FloatArray, FloatArray]:
        """See :class:`LayerSource`.

        Raises:
            DataError: the item has no picture, or neither trimap nor alpha.
        """
        item = self._item(index)
        layers = self._read_item(item)
        if layers.plate is None:
            raise DataError(f"{self._set.name}: {item.name} has no picture.")
        if layers.trimap is not None:
            return layers.plate, layers.trimap
        if layers.alpha is None:
            raise DataError(f"{self._set.name}: {item.name} has neither trimap nor alpha to draw one from.")
        return layers.plate, ellipse_trimap(layers.alpha, erosion_for(item.name, seed))


class SyntheticSource:
    """The sample generator's layers."""

    def __init__(self, generator: SampleGenerator) -> None:
        self._generator = generator

    def foreground(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """See :class:`LayerSource`."""
        sample = self._generator.sample(int(rng.integers(_MANY)) % 4096)
        return sample.foreground, sample.alpha

    def background(self, rng: np.random.Generator, index: int) -> FloatArray:
        """See :class:`LayerSource`."""
        return self._generator.sample(index).background

    def composition(
        self, rng: np.random.Generator, index: int, *, route: Route, settings: RssnSettings
    ) -> tuple[Composition, FloatArray]:
        """See :class:`LayerSource`; there is one route, the true colours."""
        sample = self._generator.sample(index)
        return compose_rssn(rng, sample.foreground, sample.background, sample.alpha, settings=settings), sample.alpha

    def picture_with_trimap(self, index: int, seed: int) -> tuple[FloatArray, FloatArray]:
        """See :class:`LayerSource`."""
        sample = self._generator.sample(index)
        trimap = np.where(sample.trimap == 255, 1.0, np.where(sample.trimap == 0, 0.0, 0.5)).astype(np.float32)
        return np.asarray(sample.plate, np.float32) / np.float32(255), trimap


@lru_cache(maxsize=4)
def _order(seed: int, count: int, turn: int) -> NDArray[np.int64]:
    return np.asarray(np.random.default_rng([seed, 6, turn]).permutation(count), np.int64)


def _in_random_order(seed: int, count: int, index: int) -> int:
    """The ``index``-th of ``count`` things that are gone through in a new order each time."""
    return int(_order(seed, count, index // count)[index % count])
