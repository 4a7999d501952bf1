"""Foreground elements by number: drawn on first use, kept while memory allows, the same in every process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data import fur, plants, surfaces, vessels
from gossamer.data.elements import Element, motion_kernel
from gossamer.data.photos import CutoutLibrary, RenderLibrary
from gossamer.data.shapes import random_gaps
from gossamer.image.image import FloatArray

__all__ = ["ELEMENT_KINDS", "ElementPool", "render_element"]

ELEMENT_KINDS: dict[str, tuple[float, Callable[[np.random.Generator, int], Element]]] = {
    "fur": (0.27, fur.render_fur),
    "long_hair": (0.1, fur.render_long_hair),
    "spikes": (0.07, fur.render_spikes),
    "curly": (0.06, fur.render_curly),
    "wisps": (0.03, fur.render_wisps),
    "foliage": (0.07, plants.render_foliage),
    "flower": (0.04, plants.render_flower),
    "dandelion": (0.03, plants.render_dandelion),
    "feather": (0.02, plants.render_feather),
    "yarn": (0.05, plants.render_yarn),
    "solid": (0.2, surfaces.render_solid),
    "net": (0.05, surfaces.render_net),
    "basket": (0.035, vessels.render_basket),
    "vessel": (0.055, vessels.render_vessel),
    "lace": (0.03, surfaces.render_lace),
    "smoke": (0.012, surfaces.render_smoke),
    "glass": (0.03, surfaces.render_glass),
    "plastic": (0.02, surfaces.render_plastic),
}
"""Share and renderer of each kind of procedural element."""

_GAPS = {"solid": 0.5, "fur": 0.35, "long_hair": 0.15, "flower": 0.5, "foliage": 0.4}
"""Probability of openings in the body by kind of element; all others have none, or have them already."""

_NAMES = tuple(ELEMENT_KINDS)
_SHARES = np.array([share for share, _ in ELEMENT_KINDS.values()])
_SHARES = _SHARES / _SHARES.sum()


def render_element(rng: np.random.Generator, size: int) -> Element:
    """Draw one procedural element of a random kind; some have openings, some are blurred by motion or
    defocus."""
    name = _NAMES[int(rng.choice(len(_NAMES), p=_SHARES))]
    element = ELEMENT_KINDS[name][1](rng, size)
    if rng.random() < _GAPS.get(name, 0):
        element = _open(element, random_gaps(rng, element.layers[..., -1]))
    return _blur(rng, element)


def _blur(rng: np.random.Generator, element: Element) -> Element:
    """Some elements move during the exposure, some are out of focus as a whole, most stay as they are."""
    blur = rng.random()
    if blur < 0.06:
        return _move(element, motion_kernel(rng, float(rng.uniform(5, 45))))
    if blur < 0.2:
        return surfaces.soften(element, float(np.exp(rng.uniform(np.log(0.7), np.log(14)))))
    return element


def _open(element: Element, gaps: NDArray[np.uint8]) -> Element:
    layers = element.layers.copy()
    layers[..., -1] = cv2.multiply(layers[..., -1], 255 - gaps, scale=1 / 255)
    return Element(layers, element.kind)


def _move(element: Element, kernel: FloatArray) -> Element:
    layers = element.layers.copy()
    layers[..., -1] = cv2.filter2D(layers[..., -1], -1, kernel, borderType=cv2.BORDER_REPLICATE)
    # The fields are straight and continue outside the object, so the same blur keeps them consistent with alpha.
    layers[..., :-1] = cv2.filter2D(layers[..., :-1], -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return Element(layers, element.kind)


class ElementPool:
    """Endless numbered elements with a bounded cache. Element ``k`` depends on the seed and ``k`` only."""

    def __init__(
        self, *, seed: int, size: int, cutouts: CutoutLibrary, cutout_share: float, cache_bytes: int,
        renders: RenderLibrary | None = None, render_share: float = 0.0,
    ) -> None:  # fmt: skip
        self._seed = seed
        self._size = size
        self._cutouts = cutouts
        self._cutout_share = cutout_share
        self._renders, self._render_share = renders, render_share
        self._capacity = max(8, cache_bytes // (size * size * 4))
        self._kept: OrderedDict[int, Element] = OrderedDict()

    def __getitem__(self, number: int) -> Element:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        rng = np.random.default_rng([self._seed, 1, number])
        if self._renders and rng.random() < self._render_share:
            rgba, kind = self._renders.draw(rng)
            filter_ = cv2.INTER_AREA if self._size < rgba.shape[0] else cv2.INTER_CUBIC
            whole = cv2.resize(rgba, (self._size, self._size), interpolation=filter_)
            element = _blur(rng, Element(np.asarray(whole, np.uint8), kind))
        elif self._cutouts and rng.random() < self._cutout_share:
            element = self._crop_cutout(rng)
        else:
            element = render_element(rng, self._size)
        self._kept[number] = element
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return element

    def _crop_cutout(self, rng: np.random.Generator) -> Element:
        """A square around the edge of a real foreground, at a scale between the whole object and a close-up."""
        rgba = self._cutouts.draw(rng)
        height, width = rgba.shape[:2]
        size = self._size
        scale = float(rng.uniform(max(0.45, 0.6 * size / max(height, width)), 1.0))
        edge = np.flatnonzero((rgba[::4, ::4, 3] > 12) & (rgba[::4, ::4, 3] < 243))
        columns = rgba[::4, ::4, 3].shape[1]
        place = int(rng.choice(edge)) if len(edge) else 0
        y, x = 4 * (place // columns), 4 * (place % columns)
        half = size / 2 / scale
        # Keep the square inside the picture where it is large enough.
        x = float(np.clip(x, half, width - half)) if width > 2 * half else width / 2
        y = float(np.clip(y, half, height - half)) if height > 2 * half else height / 2
        matrix = np.array([[scale, 0, size / 2 - x * scale], [0, scale, size / 2 - y * scale]])
        if scale < 0.75:
            rgba = np.asarray(cv2.GaussianBlur(rgba, (0, 0), 0.35 / scale), np.uint8)
        layers = cv2.warpAffine(rgba, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
        return Element(np.asarray(layers, np.uint8), "photograph")
