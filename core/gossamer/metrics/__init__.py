"""How far a matte is from the truth: the published errors, with numpy and OpenCV only.

Every function takes ``alpha`` and ``truth`` as H x W, 0..1, and ``trimap`` as H x W of {0, 0.5, 1}; it computes in
float64 and changes nothing it is given.
"""

from gossamer.metrics.connectivity import connectivity_error
from gossamer.metrics.dtssd import dtssd
from gossamer.metrics.gradient import gradient_error
from gossamer.metrics.mad import mad
from gossamer.metrics.mse import mse
from gossamer.metrics.regions import REGIONS, VARIANTS, Region, Variant
from gossamer.metrics.sad import sad

__all__ = [
    "REGIONS",
    "VARIANTS",
    "Region",
    "Variant",
    "connectivity_error",
    "dtssd",
    "gradient_error",
    "mad",
    "mse",
    "sad",
]
