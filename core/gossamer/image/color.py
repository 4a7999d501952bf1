"""From the plate's colour space to what a network sees, and to scene-linear and back (OpenColorIO)."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813  the name its own documentation uses
from numpy.typing import NDArray

from gossamer.errors import ColorError
from gossamer.image.image import FloatArray, Image

__all__ = [
    "CINEON",
    "LINEAR",
    "ROLL_OFF_START",
    "SRGB",
    "SpaceChoice",
    "count_non_finite",
    "from_scene_linear",
    "is_display_referred",
    "is_scene_linear",
    "resolve_space",
    "roll_off",
    "space_identity",
    "to_display",
    "to_scene_linear",
]

LINEAR = "lin_rec709"
"""Scene-linear Rec.709; an alias that every built-in ACES configuration knows."""
SRGB = "srgb_tx"
"""sRGB-encoded Rec.709, the space of 8-bit pictures."""
CINEON = "Cineon"
"""Kodak's film log: black 95, white 685, 0.002 density a code value, gamma 0.6; Rec.709 primaries."""

ROLL_OFF_START = 0.8
"""Scene-linear values up to here reach the network unchanged."""

# A missing file is an error of its own, not a kind of the other.
_OCIO_ERRORS = (ocio.Exception, ocio.ExceptionMissingFile)
_BUILT_IN = ("ocio://studio-config-latest", "ocio://default")

# CIE xy of red, green, blue and white.
_PRIMARIES: dict[str, tuple[float, ...]] = {
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "ACEScg": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767),
    "lin_rec709": (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329),
    "lin_rec2020": (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329),
    "lin_p3d65": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329),
    "Linear ARRI Wide Gamut 3": (0.684, 0.313, 0.221, 0.848, 0.0861, -0.102, 0.3127, 0.329),
    "Linear ARRI Wide Gamut 4": (0.7347, 0.2653, 0.1424, 0.8576, 0.0991, -0.0308, 0.3127, 0.329),
}
_DPX_TRANSFER = {
    "Printing density": CINEON,
    "Logarithmic": CINEON,
    "Linear": LINEAR,
    "ITU-R 709-4": "g24_rec709",
    "ITU-R 601-5 system B or G": "g24_rec709",
    "ITU-R 601-5 system M": "g24_rec709",
    "SMPTE 274M": "g24_rec709",
}


@dataclass(frozen=True)
class SpaceChoice:
    """The colour space of a plate and how it was found."""

    name: str
    """Name, alias or role that the other functions of this module take."""
    reason: str
    """For the log and the report."""


def resolve_space(image: Image, stated: str) -> SpaceChoice:
    """Decide the plate's colour space.

    In this order: what the user states; the header's ``colorInteropID`` (or a PNG's own statement); the ACES container
    flag or the chromaticities of a float file; the transfer characteristic of a DPX; the file rule: 10-bit is Cineon
    log, other integers are sRGB, float is scene-linear Rec.709.

    Raises:
        ColorError: ``stated`` is no colour space, alias or role. The message lists similar names.
    """
    if stated:
        config, name = _find(stated)
        how = "" if name.lower() == stated.lower() else f" ({stated!r} is {name})"
        return SpaceChoice(name, f"stated by the user{how}, from {_title(config)}")
    if image.color_space and _canonical(_built_in(), image.color_space):
        return SpaceChoice(_canonical(_built_in(), image.color_space), f"the header says {image.color_space}")
    meta = image.metadata
    if image.data_type in ("half", "float", "double"):
        return _float_rule(meta, image.data_type)
    transfer = str(meta.get("dpx:Transfer", ""))
    if transfer in _DPX_TRANSFER:
        return SpaceChoice(_name(_DPX_TRANSFER[transfer]), f"the DPX header's transfer characteristic is {transfer}")
    if image.data_type == "uint10":
        return SpaceChoice(CINEON, "10-bit files default to Cineon log")
    return SpaceChoice(_name(SRGB), f"{image.data_type} files default to sRGB")


def _float_rule(meta: Mapping[str, Any], data_type: str) -> SpaceChoice:
    if int(meta.get("acesImageContainerFlag", 0)) == 1:
        return SpaceChoice(_name("ACES2065-1"), "the header's acesImageContainerFlag is 1")
    stated = meta.get("chromaticities")
    if stated is None:
        return SpaceChoice(_name(LINEAR), f"{data_type} files default to scene-linear Rec.709")
    found = np.asarray(stated, np.float64)
    for name, primaries in _PRIMARIES.items():
        if found.shape == (8,) and np.abs(found - primaries).max() < 2e-3 and _canonical(_built_in(), name):
            return SpaceChoice(_name(name), f"the header's chromaticities are those of {_name(name)}")
    return SpaceChoice(
        _name(LINEAR),
        "the header's chromaticities are of no known space, so scene-linear Rec.709 is taken; "
        "state the space with --plate-space",
    )


def to_scene_linear(pixels: FloatArray, space: str) -> FloatArray:
    """H x W x 3 in ``space`` to scene-linear Rec.709; unclamped, a new array."""
    return _apply(_processor(space, LINEAR), pixels)


def from_scene_linear(pixels: FloatArray, space: str) -> FloatArray:
    """H x W x 3 scene-linear Rec.709 to ``space``; unclamped, a new array."""
    return _apply(_processor(LINEAR, space), pixels)


def to_display(pixels: FloatArray, space: str) -> FloatArray:
    """What the network sees: H x W x 3, sRGB-encoded Rec.709, 0..1.

    Display-referred spaces (sRGB, Rec.709 video) are only converted, so an 8-bit sRGB picture comes back unchanged.
    Scene-referred ones are rolled off above :data:`ROLL_OFF_START` (see :func:`roll_off`). What is then still outside
    0..1 is clipped. NaN becomes 0 and infinities the brightest or darkest value (:func:`count_non_finite` counts
    them). Codes of log spaces are held within -1..2, as far as their curves can be computed. Data spaces (``Raw``) are
    shown as they are.
    """
    clean = np.array(pixels, np.float32, order="C")
    largest = 65504.0 if is_scene_linear(space) else 1.0
    if count_non_finite(clean):
        np.nan_to_num(clean, copy=False, nan=0.0, posinf=largest, neginf=-largest)
    if is_display_referred(space):
        shown = _apply(_processor(space, SRGB), clean)
    else:
        if not is_scene_linear(space):
            np.clip(clean, -1.0, 2.0, out=clean)
        linear = roll_off(_apply(_processor(space, LINEAR), clean))
        np.maximum(linear, 0.0, out=linear)
        shown = _apply(_processor(LINEAR, SRGB), linear)
    np.nan_to_num(shown, copy=False, nan=0.0)
    return np.clip(shown, 0.0, 1.0, out=shown)


def roll_off(linear: FloatArray) -> FloatArray:
    """Compress scene-linear highlights: identity up to k = 0.8, then k + (1-k) u / (1+u) with u = (x-k) / (1-k).

    Smooth (slope 1 at k), strictly rising and below 1, so 1.0 (0.9) and 16.0 (0.997) stay apart. Each channel alone;
    values below 0 pass.
    """
    room = np.float32(1.0 - ROLL_OFF_START)
    above = np.maximum(linear - np.float32(ROLL_OFF_START), 0)
    result: FloatArray = np.minimum(linear, np.float32(ROLL_OFF_START)) + room * above / (room + above)
    return result


def count_non_finite(pixels: NDArray[Any]) -> int:
    """How many samples are NaN or infinite."""
    # The sum is finite for nearly every picture and much cheaper than looking at each sample.
    with np.errstate(all="ignore"):
        if np.isfinite(pixels.sum(dtype=np.float64)):
            return 0
    return int(pixels.size - np.count_nonzero(np.isfinite(pixels)))


@lru_cache(maxsize=64)
def _is_display_referred(space: str, _config_key: str) -> bool:
    config, name = _find(space)
    entry = config.getColorSpace(name)
    encoding = entry.getEncoding()
    if entry.isData() or encoding in ("sdr-video", "data"):
        return True
    if encoding:
        return False
    probe = np.array([[[0.0] * 3, [0.5] * 3, [1.0] * 3]], np.float32)
    black, middle, white = _apply(_processor(space, LINEAR), probe)[0, :, 1]
    return bool(abs(black) < 0.01 and white < 1.05 and middle < 0.4)


def is_display_referred(space: str) -> bool:
    """Whether values of ``space`` describe a finished picture (sRGB, Rec.709 video) rather than scene light.

    Taken from the configuration's ``encoding``; a space without one is judged by its curve.
    """
    return _is_display_referred(space, os.environ.get("OCIO", ""))


def is_scene_linear(space: str) -> bool:
    """Whether values of ``space`` are proportional to scene light, so that the matting equation holds in it."""
    return _is_scene_linear(space, os.environ.get("OCIO", ""))


@lru_cache(maxsize=64)
def _is_scene_linear(space: str, _config_key: str) -> bool:
    config, name = _find(space)
    encoding = config.getColorSpace(name).getEncoding()
    if encoding:
        return bool(encoding == "scene-linear")
    probe = np.array([[[0.25] * 3, [0.5] * 3, [2.0] * 3]], np.float32)
    quarter, half, double = to_scene_linear(probe, space)[0, :, 1]
    return bool(abs(half - 2 * quarter) < 1e-4 and abs(double - 8 * quarter) < 1e-3)


@lru_cache(maxsize=1)
def _built_in() -> Any:
    problem: Exception | None = None
    for name in _BUILT_IN:
        try:
            config = ocio.Config.CreateFromFile(name)
        except _OCIO_ERRORS as error:
            problem = error
            continue
        config.addColorSpace(_cineon())
        return config
    raise ColorError(f"OpenColorIO has no built-in ACES configuration ({problem}). Install opencolorio 2.4 or newer.")


def _cineon() -> Any:
    """Kodak's curve as a colour space whose reference is ACES2065-1, as in the built-in configurations."""
    # linear = (10 ** ((1023 v - 685) * 0.002 / 0.6) - offset) / (1 - offset), where code 95 gives 0.
    slope = 1023 * 0.002 / 0.6
    offset = 10 ** ((95 - 685) * 0.002 / 0.6)
    curve = ocio.LogAffineTransform(
        logSideSlope=[1 / slope] * 3,
        logSideOffset=[685 / 1023] * 3,
        linSideSlope=[1 - offset] * 3,
        linSideOffset=[offset] * 3,
        direction=ocio.TRANSFORM_DIR_INVERSE,
    )
    curve.setBase(10.0)
    to_reference = ocio.ColorSpaceTransform(src=LINEAR, dst="ACES2065-1")
    space = ocio.ColorSpace(ocio.REFERENCE_SPACE_SCENE, CINEON)
    space.setEncoding("log")
    space.setTransform(ocio.GroupTransform([curve, to_reference]), ocio.COLORSPACE_DIR_TO_REFERENCE)
    return space


@lru_cache(maxsize=4)
def _user_config(location: str) -> Any:
    try:
        return ocio.Config.CreateFromFile(location)
    except _OCIO_ERRORS as error:
        raise ColorError(f"$OCIO is {location!r}, which cannot be used: {error}. Correct it or unset $OCIO.") from error


def _configs() -> list[Any]:
    """The user's configuration, if any, then the built-in one for the names that it lacks."""
    location = os.environ.get("OCIO", "")
    return [_user_config(location), _built_in()] if location else [_built_in()]


def _canonical(config: Any, name: str) -> str:
    """The colour space that a name, alias or role stands for; empty when there is none."""
    entry = config.getColorSpace(name)
    return str(entry.getName()) if entry is not None else ""


def _name(alias: str) -> str:
    return _canonical(_built_in(), alias) or alias


def _title(config: Any) -> str:
    return "the built-in ACES configuration" if config is _built_in() else f"$OCIO ({config.getName() or 'unnamed'})"


def _find(name: str) -> tuple[Any, str]:
    for config in _configs():
        found = _canonical(config, name)
        if found:
            return config, found
    known: dict[str, str] = {}
    for config in _configs():
        for entry in config.getColorSpaces():
            for label in (entry.getName(), *entry.getAliases()):
                known.setdefault(label.lower(), entry.getName())
        for role in config.getRoleNames():
            known.setdefault(role.lower(), role)
    close = [known[label] for label in difflib.get_close_matches(name.lower(), known, n=8, cutoff=0.5)]
    close += [known[label] for label in known if name.lower() in label]
    listed = ", ".join(dict.fromkeys(close).keys()) if close else ", ".join(_main_spaces())
    raise ColorError(f"There is no colour space, alias or role {name!r}. Similar: {listed}.")


def _main_spaces() -> tuple[str, ...]:
    return tuple(_name(alias) for alias in (LINEAR, SRGB, "ACEScg", "ACES2065-1", CINEON))


def _processor(source: str, target: str) -> Any:
    return _cached_processor(source, target, os.environ.get("OCIO", ""))


@lru_cache(maxsize=64)
def _cached_processor(source: str, target: str, _config_key: str) -> Any:
    """CPU processor between two names, or None where nothing has to be done."""
    source_config, source_name = _find_own_first(source)
    target_config, target_name = _find_own_first(target)
    try:
        if source_config is target_config:
            processor = source_config.getProcessor(source_name, target_name)
        else:
            processor = ocio.Config.GetProcessorFromConfigs(source_config, source_name, target_config, target_name)
    except _OCIO_ERRORS as error:
        raise ColorError(
            f"OpenColorIO cannot convert {source_name} to {target_name}: {error}. A configuration in $OCIO needs the "
            "role aces_interchange."
        ) from error
    if processor.isNoOp():
        return None
    # Lossless: the default replaces powers by approximations that leave an error of some 1e-5.
    return processor.getOptimizedCPUProcessor(ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS)


def space_identity(name: str) -> str:
    """Digest of how ``$OCIO`` defines a colour space; empty where pixels come out as without ``$OCIO``.

    Two configurations may mean different things by one name. Made from the operations that the name stands for, curves
    and tables included: neither where the configuration lies nor what else it holds changes the digest.

    Raises:
        ColorError: there is no such space, or the configuration cannot be used.
    """
    location = os.environ.get("OCIO", "")
    return _cached_identity(name, location) if location else ""


@lru_cache(maxsize=64)
def _cached_identity(name: str, _config_key: str) -> str:
    config, found = _find_own_first(name)
    definition = _definition(config, found)
    if _canonical(_built_in(), name) and definition == _definition(_built_in(), _canonical(_built_in(), name)):
        return ""
    return hashlib.sha256(definition.encode("utf-8")).hexdigest()[:32]


def _definition(config: Any, name: str) -> str:
    try:
        processor = ocio.Config.GetProcessorFromConfigs(config, name, _built_in(), "ACES2065-1")
    except _OCIO_ERRORS as error:
        raise ColorError(f"OpenColorIO cannot convert {name}: {error}.") from error
    space = config.getColorSpace(name)
    # The encoding decides whether highlights are rolled off.
    operations = processor.getOptimizedProcessor(ocio.OPTIMIZATION_LOSSLESS).getCacheID()
    return f"{operations} {space.getEncoding()} {space.isData()}"


def _find_own_first(name: str) -> tuple[Any, str]:
    """Our own fixed spaces come from the built-in configuration, whatever ``$OCIO`` calls by the same name."""
    return (_built_in(), _name(name)) if name in (LINEAR, SRGB, CINEON) else _find(name)


def _apply(processor: Any, pixels: FloatArray) -> FloatArray:
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected H x W x 3, not {pixels.shape}")
    result = np.array(pixels, np.float32, order="C")
    if processor is not None and result.size:
        processor.applyRGB(result)
    return result
