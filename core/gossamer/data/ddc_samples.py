"""DDC's training samples: crops of pictures with a trimap and nothing else (Liu et al. 2024; algorithms.md C.3)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gossamer.data.crops import TrimapSample, cut_square, enlarge_to, place_square, resize_to
from gossamer.data.layer_source import LayerSource
from gossamer.errors import SettingError

__all__ = ["DdcPipeline", "DdcSamples"]

_FEW = 10
"""Unknown pixels on a map of a quarter of the size; with fewer the crop lies anywhere."""


@dataclass(frozen=True)
class DdcSamples:
    """Pipeline ``ddc``: no mirroring and no change of colour, as published."""

    enlarge: float = 1.1
    """A picture that the crop does not fit into is enlarged to this times the crop."""

    def __post_init__(self) -> None:
        if not 1 <= self.enlarge <= 4:
            raise SettingError(f"samples.enlarge is {self.enlarge}; give 1 to 4.")


class DdcPipeline:
    """Samples by number. ``sample(i)`` depends on source, settings, seed and ``i`` only.

    A picture without a trimap file gets one drawn from its alpha, by its name and the seed (``erosion_for``): the same
    in every epoch and every run, as if it had been written once.
    """

    def __init__(self, source: LayerSource, settings: DdcSamples, *, size: int, seed: int) -> None:
        self._source, self._settings, self._size, self._seed = source, settings, size, seed

    def sample(self, index: int) -> TrimapSample:
        """Make one sample; one picture after another.

        Raises:
            GossamerError: a file cannot be read.
        """
        size = self._size
        rng = np.random.default_rng([self._seed, 5, index])
        plate, trimap = self._source.picture_with_trimap(index, self._seed)
        if min(trimap.shape) <= size:
            side = int(np.ceil(self._settings.enlarge * size))
            (plate,) = enlarge_to((plate,), side, cv2.INTER_LINEAR)
            trimap = resize_to(trimap, plate.shape[:2], cv2.INTER_NEAREST)
        unknown = (trimap == 0.5).astype(np.float32)
        if unknown[::4, ::4].sum() < _FEW:
            unknown = np.zeros_like(unknown)
        place = place_square(rng, unknown, size)
        return TrimapSample(cut_square(plate, place, size), cut_square(trimap, place, size))
