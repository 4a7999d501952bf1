"""Trimaps: read them, make them from masks and mattes, and let core and garbage mattes win."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.config import REFERENCE_WIDTH, Band
from gossamer.errors import TrimapError
from gossamer.image.guide import MatteReading, fit_to_plate, guide_channel, matte_from_image
from gossamer.image.image import FloatArray, Image

__all__ = [
    "MatteReading",
    "TrimapReading",
    "constrain_trimap",
    "is_unknown",
    "make_trimap",
    "matte_from_image",
    "trimap_from_image",
    "trimap_from_mask",
    "trimap_from_mattes",
]

KNOWN_TOLERANCE = 0.05
"""At most this far from 0 or 1 a pixel is known. 12 codes of 8 bits: more than a JPEG's noise, less than the
anti-aliased step between two areas, which becomes unknown."""
SOFT_MASK = (0.02, 0.98)
"""A mask's pixels between these are unknown however far from the edge they lie."""


@dataclass(frozen=True)
class TrimapReading:
    """A trimap and how it came about."""

    trimap: FloatArray
    """H x W, exactly 0 (background), 0.5 (unknown) or 1 (foreground)."""
    channel: str
    notes: tuple[str, ...] = ()


def is_unknown(trimap: FloatArray) -> NDArray[np.bool_]:
    """H x W, true where the trimap is neither 0 nor 1."""
    return (trimap > 0.0) & (trimap < 1.0)


def trimap_from_image(image: Image, label: str = "the trimap") -> TrimapReading:
    """Read a painted trimap: at most 0.05 is background, at least 0.95 foreground, everything between unknown.

    So 0 / 0.5 / 1, 8-bit 0 / 128 / 255 (also after an sRGB curve) and anti-aliased borders are all taken. Never
    colour-managed. Values that count 0..255 in a float file are divided by 255. NaN is unknown.

    Raises:
        TrimapError: there is no alpha, red or grey channel, or none of its values is finite.
    """
    reading = guide_channel(image, label)
    values, notes = reading.values, list(reading.notes)
    finite = values[np.isfinite(values)]
    if float(finite.max()) > 100 and float(finite.min()) >= 0:
        values = values / np.float32(255)
        notes.append(f"{label}: values reach {finite.max():g}, so they are taken as 0..255")
    trimap = _classify(values)
    notes += _remarks(trimap, label)
    return TrimapReading(trimap, reading.channel, tuple(notes))


def _classify(values: FloatArray) -> FloatArray:
    trimap = np.full(values.shape, 0.5, np.float32)
    with np.errstate(invalid="ignore"):
        trimap[values <= KNOWN_TOLERANCE] = 0.0
        trimap[values >= 1 - KNOWN_TOLERANCE] = 1.0
    trimap[np.isinf(values)] = 0.5
    return trimap


def _remarks(trimap: FloatArray, label: str) -> list[str]:
    """Legal, but seldom meant."""
    unknown = np.count_nonzero(is_unknown(trimap)) / trimap.size
    if unknown == 1:
        return [f"{label}: every pixel is unknown"]
    if unknown == 0:
        return [f"{label}: no pixel is unknown, so the result repeats the known areas"]
    remarks = []
    if not (trimap == 1).any():
        remarks.append(f"{label}: no pixel is foreground")
    if not (trimap == 0).any():
        remarks.append(f"{label}: no pixel is background")
    return remarks


def trimap_from_mask(mask: FloatArray, band: Band, plate_width: int) -> FloatArray:
    """Unknown band around a mask's 0.5 contour, by exact Euclidean distance, plus every soft pixel of the mask.

    Args:
        mask: H x W, 0..1.
        band: its widths hold at a plate width of 1920 and scale with ``plate_width``.
        plate_width: of the display window, in pixels.

    Returns:
        H x W of 0, 0.5, 1. NaN in the mask is unknown.
    """
    scale = plate_width / REFERENCE_WIDTH
    broken = np.isnan(mask)
    inside = np.where(broken, 0, mask) > 0.5
    # The contour runs half a pixel before the centre of the nearest pixel on its other side.
    depth_inside = _distance(inside) - 0.5
    depth_outside = _distance(~inside) - 0.5
    trimap = inside.astype(np.float32)
    trimap[inside & (depth_inside <= band.inside * scale)] = 0.5
    trimap[~inside & (depth_outside <= band.outside * scale)] = 0.5
    low, high = SOFT_MASK
    trimap[broken | ((mask > low) & (mask < high))] = 0.5
    return trimap


def _distance(region: NDArray[np.bool_]) -> FloatArray:
    """Pixels inside ``region``: distance of their centres to the nearest pixel outside; infinite if there is none."""
    if region.all():
        return np.full(region.shape, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def constrain_trimap(trimap: FloatArray, core: FloatArray | None, garbage: FloatArray | None) -> FloatArray:
    """The trimap with foreground where the core matte is solid and background where the garbage matte is.

    Garbage beats core, core beats the trimap. A matte counts where it is at least 0.95: its soft edge claims nothing.
    """
    result = trimap.copy()
    if core is not None:
        result[core >= 1 - KNOWN_TOLERANCE] = 1.0
    if garbage is not None:
        result[garbage >= 1 - KNOWN_TOLERANCE] = 0.0
    return result


def trimap_from_mattes(core: FloatArray | None, garbage: FloatArray | None, height: int, width: int) -> FloatArray:
    """Unknown everywhere but where a core or garbage matte is solid (see :func:`constrain_trimap`)."""
    return constrain_trimap(np.full((height, width), 0.5, np.float32), core, garbage)


def make_trimap(
    plate: Image,
    *,
    trimap: Image | None = None,
    mask: Image | None = None,
    core: Image | None = None,
    garbage: Image | None = None,
    band: Band | None = None,
) -> TrimapReading:
    """Build the plate's trimap from whatever guides there are: garbage beats core beats trimap beats mask.

    Where both a trimap and a mask are given the mask is not used. Core and garbage mattes alone make a trimap that is
    unknown elsewhere. In overscan that the guide does not cover, a trimap's background goes on, its foreground and its
    unknown go on as unknown; a mask's border is repeated; core and garbage claim nothing.

    Returns:
        the trimap over the plate's data window, the channel it was read from, and notes for the report.

    Raises:
        TrimapError: no guide is given, one has another size than the plate, or holds no usable values.
    """
    notes: list[str] = []
    channel = ""
    if trimap is not None:
        reading = trimap_from_image(trimap)
        result = _fit_trimap(reading.trimap, trimap, plate, notes)
        notes[:0] = reading.notes
        channel = reading.channel
        if mask is not None:
            notes.append("the mask is not used: the trimap wins")
    elif mask is not None:
        matte = matte_from_image(mask, "the mask")
        fitted, remarks = fit_to_plate(matte.matte, mask, plate, label="the mask", beyond="edge")
        wanted = band or Band()
        result = trimap_from_mask(fitted, wanted, plate.display_window.width)
        channel = matte.channel
        notes += [*matte.notes, *remarks]
        notes.append(f"the trimap is made from the mask: {wanted.inside:g} px in, {wanted.outside:g} px out (at 1920)")
        notes += _remarks(result, "the trimap from the mask")
    elif core is not None or garbage is not None:
        result = trimap_from_mattes(None, None, plate.height, plate.width)
        names = " and ".join(name for name, given in (("core", core), ("garbage", garbage)) if given is not None)
        notes.append(f"the trimap is made from the {names} matte; everything else is unknown")
    else:
        raise TrimapError("No guide: give a trimap, a mask, or core and garbage mattes, or use a model without trimap.")
    solid = {
        name: _fit_limit(image, plate, f"the {name} matte", notes)
        for name, image in (("core", core), ("garbage", garbage))
        if image is not None
    }
    result = constrain_trimap(result, solid.get("core"), solid.get("garbage"))
    if len(solid) == 2:
        both = np.count_nonzero((solid["core"] >= 1 - KNOWN_TOLERANCE) & (solid["garbage"] >= 1 - KNOWN_TOLERANCE))
        if both:
            notes.append(f"core and garbage matte overlap on {both} pixels: garbage wins")
    if solid:
        notes += [remark for remark in _remarks(result, "the final trimap") if remark not in notes]
    return TrimapReading(result, channel, tuple(notes))


def _fit_limit(image: Image, plate: Image, label: str, notes: list[str]) -> FloatArray:
    reading = matte_from_image(image, label)
    fitted, remarks = fit_to_plate(reading.matte, image, plate, label=label, beyond="zero")
    notes += [*reading.notes, *remarks]
    if not (fitted >= 1 - KNOWN_TOLERANCE).any():
        notes.append(f"{label} is nowhere solid (0.95 or more): it changes nothing")
    return fitted


def _fit_trimap(trimap: FloatArray, image: Image, plate: Image, notes: list[str]) -> FloatArray:
    fitted, remarks = fit_to_plate(trimap, image, plate, label="the trimap", beyond="edge")
    if not any("overscan" in remark for remark in remarks):
        notes += remarks
        return fitted
    covered, _ = fit_to_plate(np.ones_like(trimap), image, plate, label="the trimap", beyond="zero")
    display = plate.display_window
    data = plate.data_window
    beyond = np.ones((data.height, data.width), bool)
    beyond[
        max(display.y - data.y, 0) : max(display.y + display.height - data.y, 0),
        max(display.x - data.x, 0) : max(display.x + display.width - data.x, 0),
    ] = False
    beyond &= covered == 0
    result = fitted.copy()
    result[beyond & (fitted > 0)] = 0.5
    notes.append(
        "the trimap does not cover the plate's overscan: background goes on there, everything else is unknown there"
    )
    return result
