"""Strategies that look at the whole picture: in one pass, or reduced, as the papers' test scripts do."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from gossamer.image.image import FloatArray, Window
from gossamer.image.trimap import is_unknown
from gossamer.inference.backends import Backend
from gossamer.inference.backends.pytorch import TorchBackend
from gossamer.inference.solution import Cancelled
from gossamer.inference.strategies import CountingStrategy, Place
from gossamer.inference.tiling import Tile
from gossamer.models.gfm_sizes import FOCUS_RATIO, GLANCE_RATIO, reduced_size, resize_picture
from gossamer.models.weights import Manifest

__all__ = ["LARGEST_AREA", "LARGEST_SIDE", "HybridStrategy", "ResizeStrategy", "WholeStrategy"]

LARGEST_SIDE = 2176
"""Of a whole picture in one pass; larger ones are reduced, as by LSA's published script."""
LARGEST_AREA = {"vitmatte": 1920 * 1088}
"""Pixels of a whole picture in one pass, by family: global attention takes memory with the square of this."""
UNGUIDED = (
    "known pixels of the trimap are obeyed, but this file's network takes no trimap: in between it decides by itself "
    "what is foreground. --backend torch lets the trimap overrule that"
)
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)


class _WholePicture(CountingStrategy):
    """One tile: the picture."""

    def tiles(self, trimap: FloatArray, origin: tuple[int, int]) -> list[Tile]:
        """The whole picture, if anything in it is unknown."""
        height, width = trimap.shape
        window = Window(0, 0, width, height)
        return [Tile(window, window)] if is_unknown(trimap).any() else []


class WholeStrategy(_WholePicture):
    """One pass over the whole picture, padded as the papers' test scripts do.

    Pictures of which a side is longer than LARGEST_SIDE (for ViTMatte also with more pixels than LARGEST_AREA) are
    reduced, both sides alike, and the matte is resized back.
    """

    name = "whole"

    def __init__(self, manifest: Manifest, backend: Backend) -> None:
        super().__init__(backend)
        self._family, self._multiple_of = manifest.family, manifest.multiple_of

    def infer(
        self,
        plate: FloatArray,
        trimap: FloatArray | None,
        place: Place,
        *,
        alone: bool = False,
        cancelled: Cancelled | None = None,
    ) -> FloatArray:
        """See :class:`Strategy`."""
        height, width = plate.shape[2:]
        scale = min(1.0, LARGEST_SIDE / max(height, width))
        if self._family in LARGEST_AREA:
            scale = min(scale, (LARGEST_AREA[self._family] / (height * width)) ** 0.5)
        if scale < 1:
            size = max(1, int(height * scale)), max(1, int(width * scale))
            plate = resize_picture(plate, *size).clip(0, 1)
            if trimap is not None:
                seen = cv2.resize(trimap[0, 0], size[::-1], interpolation=cv2.INTER_NEAREST)
                trimap = seen.reshape(1, 1, *size)
        alpha = self._padded(plate, trimap)
        return alpha if scale == 1 else resize_picture(alpha, height, width)

    def _padded(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        height, width = plate.shape[2:]
        top = left = 0
        if self._family == "lsa":
            # By reflection to multiples of 64, then 16 reflected and 16 black rows and columns of background around.
            bottom, right = -height % 64, -width % 64
            top = left = 32

            def published(x: FloatArray) -> FloatArray:
                more = ((0, 0), (0, 0), (16, bottom + 16), (16, right + 16))
                return np.pad(np.pad(x, more, mode="reflect"), ((0, 0), (0, 0), (16, 16), (16, 16)))

            plate, trimap = published(plate), None if trimap is None else published(trimap)
        elif self._family == "vitmatte":
            # With the mean colour and background; if one side needs it, both get it.
            bottom, right = -height % 32, -width % 32
            if bottom or right:
                bottom, right = bottom or 32, right or 32
                frame = np.broadcast_to(
                    IMAGENET_MEAN[None, :, None, None], (1, 3, height + bottom, width + right)
                ).copy()
                frame[..., :height, :width] = plate
                plate = frame
                trimap = None if trimap is None else np.pad(trimap, ((0, 0), (0, 0), (0, bottom), (0, right)))
        else:
            rest = ((0, 0), (0, 0), (0, -height % self._multiple_of), (0, -width % self._multiple_of))
            plate = np.pad(plate, rest, mode="reflect")
            trimap = None if trimap is None else np.pad(trimap, rest, mode="reflect")
        answer = self.ask(plate, trimap)
        return answer[..., top : top + height, left : left + width]


class ResizeStrategy(_WholePicture):
    """GFM's RESIZE: one pass at a part of the picture's size, the matte resized back.

    A trimap is reduced as well; of its blended values only those close to known count as known. The network must be
    able to read it: an ONNX file of GFM takes the plate alone.
    """

    name = "resize"

    def __init__(self, backend: Backend, *, ratio: float = FOCUS_RATIO, compat: bool = False) -> None:
        """``compat``: the sizes of the published script (:func:`gossamer.models.gfm_sizes.reduced_size`)."""
        super().__init__(backend)
        self._ratio, self._compat = ratio, compat
        self._is_guided = False

    def infer(
        self,
        plate: FloatArray,
        trimap: FloatArray | None,
        place: Place,
        *,
        alone: bool = False,
        cancelled: Cancelled | None = None,
    ) -> FloatArray:
        """See :class:`Strategy`."""
        height, width = plate.shape[2:]
        size = reduced_size(height, width, self._ratio, compat=self._compat)
        small, self._is_guided = None, trimap is not None
        if trimap is not None:
            blended = resize_picture(trimap, *size)
            small = (1 + (blended > 0.99).astype(np.float32) - (blended < 0.01).astype(np.float32)) / np.float32(2)
        return resize_picture(self.ask(resize_picture(plate, *size), small), height, width)

    def end_frame(self) -> dict[str, Any]:
        """See :class:`Strategy`; says so where the trimap could not overrule the glance."""
        facts = super().end_frame()
        if self._is_guided and not isinstance(self.backend, TorchBackend):
            facts["notes"] = [UNGUIDED]
        return facts


class HybridStrategy(_WholePicture):
    """GFM's HYBRID: the glance from a third of the picture's size, the focus from half, fused at full size."""

    name = "hybrid"

    def __init__(self, backend: TorchBackend) -> None:
        super().__init__(backend)
        self._torch_backend = backend

    def infer(
        self,
        plate: FloatArray,
        trimap: FloatArray | None,
        place: Place,
        *,
        alone: bool = False,
        cancelled: Cancelled | None = None,
    ) -> FloatArray:
        """See :class:`Strategy`."""
        from gossamer.models.gfm_strategies import matte_hybrid  # torch

        height, width = plate.shape[2:]
        for ratio in (GLANCE_RATIO, FOCUS_RATIO):
            high, wide = reduced_size(height, width, ratio, compat=False)
            self.sizes.append((wide, high))
        return self._torch_backend.run(lambda network, *inputs: matte_hybrid(network, *inputs).alpha, plate, trimap)
