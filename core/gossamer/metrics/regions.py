"""Where an error is counted, and whose definition is followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import DataError, SettingError

__all__ = ["REGIONS", "VARIANTS", "Comparison", "Region", "Variant", "compare"]

Region = Literal["whole", "unknown", "fg", "bg"]
"""The picture, or the pixels where the trimap is 0.5, 1 or 0."""
Variant = Literal["official", "gfm", "lsa", "alpha_free"]
"""``official`` is the definition of the alpha matting benchmark (Rhemann et al., CVPR 2009) as published with Deep
Image Matting. The others repeat what the evaluation scripts of the three papers compute, to compare with
their tables."""

REGIONS: tuple[Region, ...] = get_args(Region)
VARIANTS: tuple[Variant, ...] = get_args(Variant)

_DEFINED: dict[Variant, dict[str, tuple[Region, ...]]] = {
    "official": dict.fromkeys(("sad", "mse", "mad", "grad", "conn"), REGIONS),
    "gfm": {
        "sad": REGIONS,
        "mse": ("whole", "unknown"),
        "mad": ("whole", "unknown"),
        "grad": ("whole",),
        "conn": ("whole",),
    },
    "lsa": dict.fromkeys(("sad", "mse", "grad", "conn"), ("unknown",)),
    "alpha_free": dict.fromkeys(("sad", "mse", "grad", "conn"), ("whole", "unknown")),
}


@dataclass(frozen=True)
class Comparison:
    """Two mattes made ready for measuring."""

    alpha: NDArray[np.float64]
    """H x W. The variants ``gfm`` (unknown region) and ``lsa`` overwrite its known pixels by the trimap."""
    truth: NDArray[np.float64]
    counted: NDArray[np.bool_]
    """Pixels over which the variant sums."""
    pixels: int
    """The number a mean divides by. Differs from ``counted`` where a paper sums over more than it divides by."""


def compare(
    alpha: NDArray[Any], truth: NDArray[Any], trimap: NDArray[Any] | None, region: Region, variant: Variant, metric: str
) -> Comparison:
    """Check what was given and settle which pixels count.

    Raises:
        SettingError: the paper's script does not compute ``metric`` over ``region``.
        DataError: the sizes differ, or a region other than ``whole`` was asked for without a trimap.
    """
    if variant not in _DEFINED:
        raise SettingError(f"Unknown metric variant {variant!r}; use one of {', '.join(VARIANTS)}.")
    if region not in REGIONS:
        raise SettingError(f"Unknown region {region!r}; use one of {', '.join(REGIONS)}.")
    allowed = _DEFINED[variant].get(metric, ())
    if region not in allowed:
        where = f"only over {' or '.join(allowed)}" if allowed else "at all"
        raise SettingError(
            f"The variant {variant!r} does not define {metric} over {region!r}, {where}; use 'official'."
        )
    if alpha.ndim != 2 or alpha.shape != truth.shape:
        raise DataError(f"The matte is {_size(alpha)}, the truth {_size(truth)}; both must be one H x W plane.")
    prediction, reference = alpha.astype(np.float64), truth.astype(np.float64)
    if region == "whole":
        return Comparison(prediction, reference, np.ones(alpha.shape, bool), alpha.size)
    if trimap is None:
        raise DataError(f"The region {region!r} needs a trimap; give one or measure the whole picture.")
    if trimap.shape != alpha.shape:
        raise DataError(f"The trimap is {_size(trimap)}, the matte {_size(alpha)}; they must agree.")
    is_foreground, is_background = trimap >= 1, trimap <= 0
    if region == "unknown":
        is_counted = ~is_foreground & ~is_background
    else:
        is_counted = is_foreground if region == "fg" else is_background
    pixels = int(is_counted.sum())
    if variant == "lsa" or (variant == "gfm" and region == "unknown"):
        prediction[is_foreground] = 1
        prediction[is_background] = 0
        if metric in ("sad", "mse", "mad"):
            # After overwriting, both scripts sum over the picture: truth that contradicts the trimap is counted.
            is_counted = np.ones(alpha.shape, bool)
    return Comparison(prediction, reference, is_counted, pixels)


def mean_over(comparison: Comparison, errors: NDArray[np.float64]) -> float:
    """Sum of ``errors`` where the comparison counts, divided by its number of pixels.

    Raises:
        DataError: the region holds no pixel, so there is no mean.
    """
    if comparison.pixels == 0:
        raise DataError("The region holds no pixel, so there is no mean error; choose another region or trimap.")
    return float(errors[comparison.counted].sum() / comparison.pixels)


def _size(plane: NDArray[Any]) -> str:
    return "x".join(str(side) for side in plane.shape[1::-1] + plane.shape[2:])
