"""Read EXR, TIFF, PNG, JPEG and DPX without changing a value (OpenImageIO)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio  # noqa: N813  the name its own documentation uses
from numpy.typing import NDArray

from gossamer.errors import ImageReadError
from gossamer.image.header import Header, Metadata, alpha_channel, common_type, picture_channels, rgb_channels
from gossamer.image.image import FloatArray, Image, Window

__all__ = ["IMAGE_SUFFIXES", "half_to_float", "read_header", "read_image", "read_picture"]

IMAGE_SUFFIXES = frozenset({".exr", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".dpx", ".cin", ".tga", ".bmp", ".hdr"})
"""File name endings that count as pictures when a folder is searched."""

# Facts about how the file was packed, not about the picture: they never travel to another file.
_PACKING = frozenset(
    {
        "compression",
        "name",
        "planarconfig",
        "oiio:BitsPerSample",
        "oiio:ColorSpace",
        "oiio:RowsPerChunk",
        "oiio:subimagename",
        "oiio:subimages",
        "openexr:chunkCount",
        "openexr:levelmode",
        "openexr:lineOrder",
        "openexr:roundingmode",
        "textureformat",
        "version",
        "jpeg:subsampling",
    }
)
# Names that the library gives types on reading but does not know on writing.
_WRITABLE = {"vector2i": "int[2]", "vectori": "int[3]", "vector2i[2]": "box2i", "float2[2]": "box2"}
_PACKING_PREFIXES = ("tiff:", "openexr:dwa")


def read_header(path: Path, *, channels: Sequence[str] | None = None) -> Header:
    """Describe the file. Of a multi-part EXR the part is chosen as in :func:`read_image`.

    Raises:
        ImageReadError: the file is missing, empty, no picture, deep, or has none of the wanted channels.
    """
    source = _open(path)
    try:
        return _describe(source, path, channels)
    finally:
        source.close()


def read_image(path: Path, *, channels: Sequence[str] | None = None) -> Image:
    """Read the data window as float32, values as stored.

    Integer samples are divided by their largest value (0..1); half and float keep every bit, NaN payloads included.
    Alpha is neither multiplied in nor divided out: PNG stays unassociated, EXR stays associated, and the attribute
    ``oiio:UnassociatedAlpha`` says which. Nothing is rotated: ``Orientation`` is passed on as an attribute.

    Args:
        channels: the names to read, in this order. None reads every channel of the part.
            A multi-part EXR is read from the first part that holds all wanted channels; without a wish, from the first
            part with R, G and B outside any layer, else with a layer's, else with a grey picture (Y), else with an
            alpha, else from the first part.

    Raises:
        ImageReadError: the file is missing, empty, truncated, of an unsupported format, or lacks a wanted channel.
    """
    source = _open(path)
    try:
        header = _describe(source, path, channels)
        return _read(source, header, header.channels if channels is None else tuple(channels))
    finally:
        source.close()


def read_picture(path: Path) -> Image:
    """Read colour and alpha (:func:`picture_channels`), and leave other layers in the file.

    Raises:
        ImageReadError: as :func:`read_image`.
    """
    source = _open(path)
    try:
        header = _describe(source, path, None)
        return _read(source, header, picture_channels(header.channels))
    finally:
        source.close()


def _read(source: Any, header: Header, names: tuple[str, ...]) -> Image:
    types = [header.channel_types[header.channels.index(name)] for name in names]
    return Image(
        pixels=_read_channels(source, header, names),
        channels=names,
        data_window=header.data_window,
        display_window=header.display_window,
        color_space=header.color_space,
        data_type=common_type(types),
        metadata=header.metadata,
    )


def half_to_float(half: NDArray[np.float16]) -> FloatArray:
    """float16 to float32 that keeps NaN payloads even where the processor would quiet a signalling NaN."""
    with np.errstate(invalid="ignore"):
        result = half.astype(np.float32)
    is_nan = np.isnan(result)
    if is_nan.any():
        bits = half.view(np.uint16)[is_nan].astype(np.uint32)
        result.view(np.uint32)[is_nan] = (bits & 0x8000) << 16 | 0x7F800000 | (bits & 0x03FF) << 13
    return result


def _open(path: Path) -> Any:
    """An open ImageInput that leaves alpha alone, or an error that says why there is none."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise ImageReadError(f"{path} is a folder, not a picture.")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise ImageReadError(f"There is no file {path}.") from None
    except OSError as error:
        raise ImageReadError(f"Cannot read {path}: {error.strerror}.") from error
    if size == 0:
        raise ImageReadError(f"{path} is empty (0 bytes). Render or copy it again.")
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        raise ImageReadError(f"{shown}: the name is not valid UTF-8. Rename the file.") from None
    wish = oiio.ImageSpec()
    wish.attribute("oiio:UnassociatedAlpha", 1)
    oiio.geterror()
    source = oiio.ImageInput.open(str(path), wish)
    if source is None:
        reason = _one_line(oiio.geterror())
        if path.suffix.lower() in IMAGE_SUFFIXES:
            raise ImageReadError(f"{path} cannot be opened; it may be truncated or damaged ({reason}).")
        raise ImageReadError(
            f"{path} is not a picture that can be read ({reason}). Use EXR, TIFF, PNG, JPEG or DPX; "
            "movies are read as sequences."
        )
    return source


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else "no reason given"


def _describe(source: Any, path: Path, wanted: Sequence[str] | None) -> Header:
    parts: list[tuple[str, ...]] = []
    while source.seek_subimage(len(parts), 0):
        parts.append(tuple(source.spec().channelnames))
        if source.format_name() != "openexr":  # pages of a TIFF are other pictures
            break
    source.geterror()
    part = _choose_part(parts, path, wanted)
    source.seek_subimage(part, 0)
    spec = source.spec()
    if spec.deep:
        raise ImageReadError(f"{path} holds deep pixels. Flatten it (Nuke: DeepToImage) and use that file.")
    kinds = spec.channelformats or (spec.format,) * spec.nchannels
    bits = spec.get_int_attribute("oiio:BitsPerSample", 0)
    types = tuple(_type_name(str(kind), bits) for kind in kinds)
    file_format = source.format_name()
    values = {a.name: a.value for a in spec.extra_attribs if not _is_packing(a.name)}
    kinds_of = {a.name: _WRITABLE.get(str(a.type), str(a.type)) for a in spec.extra_attribs if a.name in values}
    window = Window(spec.x, spec.y, spec.width, spec.height)
    display = Window(spec.full_x, spec.full_y, spec.full_width, spec.full_height)
    if file_format != "openexr" and (window.width, window.height) == (display.width, display.height):
        # PNG (oFFs), TIFF (XPosition) and DPX say where on a page or a scan the picture lies. That is no overscan, and
        # nobody sees it: every viewer shows the whole picture.
        window = display = Window(0, 0, spec.width, spec.height)
    return Header(
        path=path,
        channels=tuple(spec.channelnames),
        channel_types=types,
        data_window=window,
        display_window=display,
        metadata=Metadata(values, kinds_of),
        color_space=_stated_space(spec, file_format),
        file_format=file_format,
        part=part,
        parts=tuple(parts),
    )


def _is_packing(name: str) -> bool:
    return name in _PACKING or name.startswith(_PACKING_PREFIXES)


def _stated_space(spec: Any, file_format: str) -> str:
    """The file's own words. OpenImageIO's guess for formats that cannot say is no statement."""
    stated = str(spec.getattribute("colorInteropID") or "")
    if not stated and file_format == "png":
        stated = str(spec.getattribute("oiio:ColorSpace") or "")
        stated = "" if stated.lower() in ("srgb", "srgb_rec709_scene") or _is_srgb_by_gamma(spec, stated) else stated
    return stated


def _is_srgb_by_gamma(spec: Any, stated: str) -> bool:
    """Whether only a PNG's gAMA chunk of 0.45455 speaks: the specification has sRGB pictures carry that value for
    decoders that know no sRGB, and ImageMagick writes no sRGB chunk beside it. A cICP chunk that says gamma
    2.2 means it."""
    gamma = float(spec.getattribute("oiio:Gamma") or 0)
    return stated == "g22_rec709_scene" and abs(gamma - 2.2) < 0.01 and spec.getattribute("CICP") is None


def _type_name(kind: str, bits: int) -> str:
    if kind == "uint":
        return "uint32"
    if kind == "uint16" and bits in (10, 12):
        return f"uint{bits}"
    return kind


def _choose_part(parts: Sequence[tuple[str, ...]], path: Path, wanted: Sequence[str] | None) -> int:
    if wanted is not None:
        for index, names in enumerate(parts):
            if set(wanted) <= set(names):
                return index
        everything = [name for names in parts for name in names]
        missing = [name for name in wanted if name not in everything]
        if missing:
            raise ImageReadError(f"{path} has no channel {', '.join(missing)}. It has: {', '.join(everything)}.")
        raise ImageReadError(
            f"{path}: {', '.join(wanted)} lie in different parts of the file. The parts hold: "
            + "; ".join(", ".join(names) for names in parts)
            + "."
        )
    return min(range(len(parts)), key=lambda index: _rank(parts[index]), default=0)  # of equals the first


def _rank(names: tuple[str, ...]) -> int:
    """How much a part looks like the picture itself, 0 most: the order of channels within one part, across parts."""
    try:
        colours = rgb_channels(names)
    except ImageReadError:
        colours = ()
    if len(colours) == 3:
        return 0 if "." not in colours[0] else 1
    if colours in (("Y",), ("y",)):
        return 2
    return 3 if alpha_channel(names) else 4


def _read_channels(source: Any, header: Header, names: tuple[str, ...]) -> FloatArray:
    """Read neighbouring channels of one type together: the decoder then copies samples instead of converting them."""
    window = header.data_window
    pixels = np.empty((window.height, window.width, len(names)), np.float32)
    wanted = [(header.channels.index(name), position) for position, name in enumerate(names)]
    wanted.sort()
    runs = groupby(enumerate(wanted), lambda item: (item[1][0] - item[0], header.channel_types[item[1][0]]))
    for (_, kind), members in runs:
        run = [member for _, member in members]
        first, last = run[0][0], run[-1][0] + 1
        native = kind if kind in ("half", "float", "uint8", "uint16", "uint32") else "float"
        if kind in ("uint10", "uint12"):
            native = "uint16"
        stored = source.read_image(header.part, 0, first, last, native)
        problem = source.geterror()
        if stored is None or _is_damage(problem):
            raise ImageReadError(
                f"{header.path} is truncated or damaged ({_one_line(problem)}). Render or copy it again."
            )
        samples = _to_float(stored, kind)
        positions = [position for _, position in run]
        if positions == list(range(len(names))):
            return samples
        for index, position in enumerate(positions):
            pixels[..., position] = samples[..., index]
    return pixels


def _is_damage(problem: str) -> bool:
    """Decoders for JPEG go on after an error and only leave a note; stray bytes between segments are harmless."""
    return bool(problem) and "extraneous bytes" not in problem


def _to_float(stored: NDArray[Any], kind: str) -> FloatArray:
    if kind == "half":
        return half_to_float(stored.view(np.float16))
    if kind == "float":
        return stored.astype(np.float32, copy=False)
    if kind == "uint32":  # ids and counters, not brightness
        return stored.astype(np.float32)
    if kind in ("uint10", "uint12"):
        bits = int(kind[4:])
        return (stored >> (16 - bits)).astype(np.float32) / np.float32(2**bits - 1)
    if kind in ("uint8", "uint16"):
        return stored.astype(np.float32) / np.float32(255 if kind == "uint8" else 65535)
    return stored.astype(np.float32, copy=False)
