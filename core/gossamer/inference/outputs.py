"""What is written for a frame: file names, channels, types, header attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from gossamer.config import Job, Outputs
from gossamer.errors import SettingError
from gossamer.image.alpha import premultiply
from gossamer.image.color import LINEAR, is_display_referred, to_scene_linear
from gossamer.image.comp import BACKDROPS, comp_preview
from gossamer.image.foreground import estimate_foreground
from gossamer.image.header import Metadata
from gossamer.image.image import FloatArray, Image
from gossamer.image.io import IMAGE_SUFFIXES, lossless_type
from gossamer.image.paths import expand_home, kind_of
from gossamer.image.sequence import MOVIE_SUFFIXES, FrameSource, has_token, names_folder, output_path
from gossamer.inference.solution import Solution

__all__ = [
    "Colors",
    "Composed",
    "FrameOutputs",
    "check_outputs",
    "comp_attributes",
    "compose",
    "compose_preview",
    "frame_outputs",
    "scene_linear",
    "solve_colors",
]

INTEGER_TYPES = {".png": ("uint16", "uint8"), ".tif": ("uint16", "uint8"), ".tiff": ("uint16", "uint8")}
"""Endings beside EXR that can hold a matte, with the type they get when none is asked for first."""


@dataclass(frozen=True)
class FrameOutputs:
    """The files of one frame."""

    matte: Path
    comp: Path | None

    def all(self) -> tuple[Path, ...]:
        """Every file, the matte first."""
        return (self.matte,) if self.comp is None else (self.matte, self.comp)


@dataclass(frozen=True, eq=False)
class Composed:
    """A picture ready to be written."""

    image: Image
    data_types: Mapping[str, str]
    """By channel."""
    spaces: Mapping[str, str]
    """Header attributes that name the colour space of R, G, B (``gossamer:rgbSpace``) and of ``foreground``
    (``gossamer:foregroundSpace``), of those that there are: beside an encoded plate the foreground is scene-linear."""


_OTHER_PICTURES = frozenset({".webp", ".gif", ".jp2", ".heic", ".avif", ".psd"})
"""Endings that nobody gives to a folder; so are those of :data:`IMAGE_SUFFIXES` and :data:`MOVIE_SUFFIXES`."""


def _ending(outputs: Outputs) -> str:
    """The ending of the main result's file: what the output names, EXR in a folder."""
    target = Path(outputs.path)
    suffix = target.suffix.lower()
    if names_folder(outputs.path):
        return ".exr"
    is_file = has_token(target.name) or suffix in IMAGE_SUFFIXES | MOVIE_SUFFIXES | _OTHER_PICTURES
    return suffix if is_file else ".exr"


def check_outputs(outputs: Outputs) -> None:
    """Refuse what cannot be written, before anything is read.

    Raises:
        SettingError: no output, a lossy format, or channels that the format cannot hold.
    """
    if not outputs.path:
        raise SettingError("No output given: -o takes a folder, a file, or a pattern such as out/shot.####.exr.")
    try:
        outputs.path.encode("utf-8")
    except UnicodeEncodeError:
        shown = outputs.path.encode("utf-8", "backslashreplace").decode()
        raise SettingError(f"The output {shown}: the name is not valid UTF-8. Choose another.") from None
    if outputs.comp and outputs.comp not in BACKDROPS and kind_of(expand_home(outputs.comp)) != "file":
        raise SettingError(f"--comp {outputs.comp!r} is neither a file nor one of {', '.join(BACKDROPS)}.")
    ending = _ending(outputs)
    if ending == ".exr":
        if outputs.data_type not in ("half", "float"):
            raise SettingError(f"--data-type {outputs.data_type}: EXR holds half or float.")
        return
    if ending in (".jpg", ".jpeg", ".dpx"):
        raise SettingError(f"The output {outputs.path} would lose values as {ending}; use .exr, .tif or .png.")
    if ending not in INTEGER_TYPES:
        raise SettingError(
            f"The output {outputs.path} cannot be written: {f'{ending} is' if ending else 'without an ending it has'} "
            "no format for mattes. Use .exr, .tif or .png; a folder ends with a slash."
        )
    if outputs.data_type == "float" and ending == ".png":
        raise SettingError("--data-type float: PNG holds whole numbers; use .exr or .tif, or uint16.")
    wishes = {
        f"--output-channels {outputs.channels}": outputs.channels not in ("alpha", "grey"),
        "--layer": bool(outputs.layer),
        "--foreground": outputs.foreground,
        "--confidence": outputs.confidence,
    }
    refused = [name for name, wish in wishes.items() if wish]
    if refused:
        raise SettingError(f"{', '.join(refused)}: a {ending[1:].upper()} output holds the matte alone. Use .exr.")


def frame_outputs(job: Job, plate: FrameSource, frame: int, guides: Iterable[FrameSource]) -> FrameOutputs:
    """The files that a frame gives.

    Raises:
        SequenceError: an output would overwrite an input, or one file name stands for several frames.
    """
    inputs = tuple(guides)
    matte = output_path(job.outputs.path, plate, frame, "alpha", ending=".exr", inputs=inputs)
    comp = None
    if job.outputs.comp:
        comp = output_path(job.outputs.path, plate, frame, "comp", ending=".png", inputs=inputs)
    return FrameOutputs(matte, comp)


@lru_cache(maxsize=32)
def _is_linear(space: str) -> bool:
    """Whether values of ``space`` are proportional to light: twice the value is twice the light."""
    probe = np.array([[[0.1, 0.2, 0.3], [0.2, 0.4, 0.6], [2.0, 4.0, 6.0]]], np.float32)
    one, two, twenty = to_scene_linear(probe, space)[0]
    return bool(np.allclose(two, 2 * one, rtol=1e-4) and np.allclose(twenty, 20 * one, rtol=1e-4))


def scene_linear(rgb: FloatArray, space: str) -> tuple[FloatArray, str]:
    """The plate in light-proportional values, and the space they are in.

    A plate in a linear space (ACEScg, linear Rec.709) stays as it is, in its own primaries; encoded ones (sRGB, log)
    become scene-linear Rec.709. Never clamped.
    """
    return (rgb, space) if _is_linear(space) else (to_scene_linear(rgb, space), LINEAR)


@dataclass(frozen=True, eq=False)
class Colors:
    """The foreground's colours, solved for outputs that show them."""

    foreground: FloatArray
    """H x W x 3, unpremultiplied, proportional to light, unclamped."""
    space: str


def solve_colors(rgb: FloatArray, space: str, alpha: FloatArray) -> Colors:
    """Foreground colours of a plate ``rgb`` (H x W x 3 in ``space``) under ``alpha``."""
    linear, linear_space = scene_linear(rgb, space)
    return Colors(estimate_foreground(linear, alpha)[0], linear_space)


def compose(
    outputs: Outputs, plate: Image, rgb: FloatArray | None, space: str, colors: Colors | None, solution: Solution
) -> Composed:
    """Channels and types of the main result.

    Args:
        outputs: which channels.
        plate: windows, sample type and header of the plate.
        rgb: H x W x 3, the plate's own values; needed for ``rgba`` alone.
        space: the colour space of ``rgb``.
        colors: needed for ``premult`` and ``foreground``.
        solution: of this frame.

    The plate's RGB is stored in the type from which its own samples can be restored exactly, whatever type the matte
    has. Integer files round to the nearest step.
    """
    matte_type = _matte_type(outputs)
    color_type = "float" if "float" in (matte_type, lossless_type(plate.data_type)) else "half"
    layers: list[tuple[str, FloatArray, str]] = []
    metadata = _without(plate.metadata, "oiio:UnassociatedAlpha")
    spaces: dict[str, str] = {}
    if outputs.channels == "rgba" and rgb is not None:
        layers += [(name, rgb[..., i], color_type) for i, name in enumerate("RGB")]
        spaces["gossamer:rgbSpace"] = space
    if colors is not None and outputs.channels == "premult":
        premult = premultiply(colors.foreground, solution.alpha)
        layers += [(name, premult[..., i], color_type) for i, name in enumerate("RGB")]
        spaces["gossamer:rgbSpace"] = colors.space
    if colors is not None and outputs.foreground:
        layers += [(f"foreground.{name}", colors.foreground[..., i], color_type) for i, name in enumerate("RGB")]
        spaces["gossamer:foregroundSpace"] = colors.space
    if set(spaces.values()) - {space}:  # the header's primaries are no longer those of every channel
        metadata = _without(metadata, "chromaticities", "colorInteropID")
    name = "Y" if outputs.channels == "grey" else f"{outputs.layer}.alpha" if outputs.layer else "A"
    layers.append((name, solution.alpha, matte_type))
    if solution.confidence is not None:
        layers.append(("confidence", solution.confidence, matte_type))
    pixels = np.empty((plate.height, plate.width, len(layers)), np.float32)
    for index, (_, values, _) in enumerate(layers):
        pixels[..., index] = values
    image = replace(plate.with_pixels(pixels, tuple(name for name, _, _ in layers)), metadata=metadata)
    return Composed(image, {name: kind for name, _, kind in layers}, spaces)


def comp_attributes(job_hash: str, outputs: Outputs) -> dict[str, str]:
    """What a preview's header says, by which a finished one is told: the job's hash knows nothing of the backdrop."""
    return {"gossamer:jobHash": job_hash, "gossamer:comp": outputs.comp}


def compose_preview(outputs: Outputs, plate: Image, space: str, colors: Colors, alpha: FloatArray) -> Image:
    """The look at the result that ``--comp`` asks for; 8 bit, sRGB-encoded, the size of the display window."""
    linear = colors.foreground if colors.space == LINEAR else to_scene_linear(colors.foreground, colors.space)
    return comp_preview(
        linear,
        alpha,
        outputs.comp,
        data_window=plate.data_window,
        display_window=plate.display_window,
        display_referred=is_display_referred(space),
    )


def _matte_type(outputs: Outputs) -> str:
    ending = _ending(outputs)
    if ending not in INTEGER_TYPES or outputs.data_type in INTEGER_TYPES[ending]:
        return outputs.data_type
    return "float" if outputs.data_type == "float" else INTEGER_TYPES[ending][0]


def _without(metadata: Mapping[str, object], *names: str) -> Metadata:
    kept = {name: value for name, value in metadata.items() if name not in names}
    types = {name: metadata.type_of(name) for name in kept} if isinstance(metadata, Metadata) else {}
    return Metadata(kept, types)
