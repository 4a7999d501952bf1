"""Write pictures whole or not at all (OpenImageIO)."""

from __future__ import annotations

import errno
import os
import random
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO as oiio  # noqa: N813  the name its own documentation uses
from numpy.typing import NDArray

from gossamer.errors import ImageWriteError
from gossamer.image.header import Metadata
from gossamer.image.image import FloatArray, Image

__all__ = ["float_to_half", "lossless_type", "replace_when_done", "write_image"]

_MAXIMA = {"uint8": 255, "uint10": 1023, "uint12": 4095, "uint16": 65535}
_TYPES = {
    ".exr": ("half", "float"),
    ".tif": ("uint8", "uint16", "float"),
    ".tiff": ("uint8", "uint16", "float"),
    ".png": ("uint8", "uint16"),
    ".jpg": ("uint8",),
    ".jpeg": ("uint8",),
    ".dpx": ("uint8", "uint10", "uint12", "uint16"),
}
_COMPRESSIONS = ("none", "rle", "zip", "zips", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab")
_HALF_MAX = 65504.0
# OpenImageIO 3.2 says this after each good TIFF without Exif data.
_HARMLESS = "failed TIFFWriteCustomDirectory() of the Exif data"
_ACES = "acesImageContainerFlag"
"""Promises RGB or RGBA in half without compression; the library refuses every other file that carries it."""
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def write_image(
    path: Path,
    image: Image,
    *,
    data_type: str | Mapping[str, str],
    compression: str = "zip",
    attributes: Mapping[str, str | int | float] | None = None,
) -> None:
    """Write all channels, windows and header attributes; the file appears under its name only when it is whole.

    It is written under a hidden temporary name in the same folder and then renamed. After any error or interruption the
    temporary file is removed and an older file of the same name is untouched. The same input gives the same bytes.
    Header attributes keep their types, but double becomes float, and blocks of bytes (ICC profiles) and the flag of an
    ACES container are lost.

    Args:
        path: the ending decides the format: exr, tif, tiff, png, jpg, jpeg, dpx. The folder must exist.
        image: values are stored as they are. Integer types clip to 0..1 and round; NaN becomes 0. PNG and TIFF alpha is
            stored unassociated unless the picture's ``oiio:UnassociatedAlpha`` attribute is 0 (TIFF).
        data_type: one type for all channels, or one for each channel name. EXR: half, float; TIFF: uint8, uint16,
            float; PNG: uint8, uint16; JPEG: uint8; DPX: uint8, uint10, uint12, uint16.
        compression: OpenEXR or TIFF name; other formats have only one and ignore it.
        attributes: added to the header (own ones start with ``gossamer:``). TIFF stores them as lines of its
            description; DPX and JPEG cannot keep them.

    Raises:
        ImageWriteError: unknown ending or type, values that the type cannot hold, more channels or other windows than
            the format can store, read-only folder, full disk.
    """
    types = _channel_types(path, image, data_type)
    suffix = path.suffix.lower()
    if suffix == ".exr":
        _require_compression(path, compression)
    else:
        _require_simple(path, image, suffix)
    pixels = _to_samples(path, image, types)
    with replace_when_done(path) as temporary:
        if suffix in (".jpg", ".jpeg"):
            temporary.write_bytes(_encode_jpeg(path, pixels))
            return
        spec = _spec(path, image, types, compression, attributes or {})
        _write(temporary, path, spec, pixels)


def lossless_type(data_type: str) -> str:
    """The EXR type from which samples of ``data_type`` can be restored exactly: ``half`` or ``float``."""
    return "half" if data_type in ("half", "uint8", "uint10") else "float"


def float_to_half(values: FloatArray) -> NDArray[np.float16]:
    """float32 to float16, to nearest even; the sign and the upper payload bits of a NaN are kept."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        half = values.astype(np.float16)
    is_nan = np.isnan(values)
    if is_nan.any():
        bits = values.view(np.uint32)[is_nan]
        payload = (bits >> 13) & 0x3FF
        payload[payload == 0] = 1  # a payload that lives in the lower bits only must not turn into infinity
        half.view(np.uint16)[is_nan] = ((bits >> 16) & 0x8000 | 0x7C00 | payload).astype(np.uint16)
    return half


@contextmanager
def replace_when_done(path: Path) -> Iterator[Path]:
    """Give a temporary name in the folder of ``path``; rename it to ``path`` on success, remove it otherwise.

    The name starts with a dot, keeps the ending and holds no digits, so no sequence picks it up.

    Raises:
        ImageWriteError: from any OSError inside, with its reason in words.
    """
    token = "".join(random.SystemRandom().choices(string.ascii_lowercase, k=12))
    temporary = path.with_name(f".gossamer-{token}.tmp{path.suffix}")
    try:
        # Created here, so that a read-only folder is told from a full disk; 0666 leaves the mode to the umask.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise ImageWriteError(_explain(path, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _explain(path: Path, error: OSError) -> str:
    folder = path.parent
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"Cannot write {path}: the folder {folder} is read-only for you. Choose another output folder."
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"Cannot write {path}: there is no folder {folder}. Create it first."
    if error.errno in _FULL:
        return f"Cannot write {path}: the disk is full or the size limit is reached. Free some space and run again."
    if error.errno == errno.EISDIR:
        return f"Cannot write {path}: a folder of that name exists."
    return f"Cannot write {path}: {error.strerror}."


def _channel_types(path: Path, image: Image, data_type: str | Mapping[str, str]) -> tuple[str, ...]:
    allowed = _TYPES.get(path.suffix.lower())
    if allowed is None:
        known = ", ".join(ending[1:] for ending in _TYPES)
        raise ImageWriteError(f"Cannot write {path}: unknown ending {path.suffix!r}. Use one of {known}.")
    if isinstance(data_type, str):
        types = tuple(data_type for _ in image.channels)
    else:
        missing = [name for name in image.channels if name not in data_type]
        if missing:
            raise ImageWriteError(f"Cannot write {path}: no data type is given for channel {', '.join(missing)}.")
        types = tuple(data_type[name] for name in image.channels)
    for kind in types:
        if kind not in allowed:
            raise ImageWriteError(
                f"Cannot write {path}: this format cannot hold {kind} samples. Use {' or '.join(allowed)}."
            )
    if path.suffix.lower() != ".exr" and len(set(types)) > 1:
        raise ImageWriteError(f"Cannot write {path}: only EXR can hold channels of different types.")
    return types


def _require_compression(path: Path, compression: str) -> None:
    """The library takes zip for an unknown name without a word."""
    if compression.split(":")[0] not in _COMPRESSIONS:
        raise ImageWriteError(
            f"Cannot write {path}: EXR has no compression {compression!r}. Use one of {', '.join(_COMPRESSIONS)}."
        )


def _require_simple(path: Path, image: Image, suffix: str) -> None:
    """Formats other than EXR have one window and at most four channels."""
    most = 3 if suffix in (".jpg", ".jpeg") else 4
    if len(image.channels) > most or (suffix in (".jpg", ".jpeg") and len(image.channels) == 2):
        raise ImageWriteError(
            f"Cannot write {path}: the format cannot hold the channels {', '.join(image.channels)}. Use EXR."
        )
    if image.data_window != image.display_window:
        raise ImageWriteError(
            f"Cannot write {path}: the data window differs from the display window, which only EXR can keep. Use EXR."
        )


def _to_samples(path: Path, image: Image, types: tuple[str, ...]) -> NDArray[Any]:
    """The array that the encoder copies: one numpy type where all channels agree, else float32."""
    pixels = np.ascontiguousarray(image.pixels)
    if set(types) == {"half"}:
        half = float_to_half(pixels)
        if np.isinf(half).any():
            _require_half(path, image, types)
        return half
    if "half" in types:
        _require_half(path, image, types)
    if "half" in types or "float" in types:
        return pixels
    kind = types[0]
    clipped = np.clip(np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    samples: NDArray[Any] = np.rint(clipped.astype(np.float64 if kind == "uint16" else np.float32) * _MAXIMA[kind])
    whole: NDArray[Any] = samples.astype(np.uint8 if kind == "uint8" else np.uint16)
    if kind in ("uint10", "uint12"):  # the encoder takes the upper bits of 16
        bits = int(kind[4:])
        whole = (whole << (16 - bits)) | (whole >> (2 * bits - 16))
    return whole


def _require_half(path: Path, image: Image, types: tuple[str, ...]) -> None:
    """Finite values must not turn into infinity."""
    for index, kind in enumerate(types):
        channel = np.abs(image.pixels[..., index])
        largest = float(np.max(channel, where=np.isfinite(channel), initial=0))
        if kind == "half" and largest >= _HALF_MAX + 16:  # from there on rounding gives infinity
            raise ImageWriteError(
                f"Cannot write {path}: channel {image.channels[index]} reaches {largest:g} and half ends at "
                f"{_HALF_MAX:g}. Write float instead."
            )


def _spec(
    path: Path, image: Image, types: tuple[str, ...], compression: str, attributes: Mapping[str, str | int | float]
) -> Any:
    suffix = path.suffix.lower()
    stored = {"uint10": "uint16", "uint12": "uint16"}
    spec = oiio.ImageSpec(image.width, image.height, len(image.channels), stored.get(types[0], types[0]))
    if len(set(types)) > 1:
        spec.channelformats = tuple(oiio.TypeDesc(kind) for kind in types)
        spec.format = oiio.TypeDesc("float")
    data, display = image.data_window, image.display_window
    spec.x, spec.y = data.x, data.y
    spec.full_x, spec.full_y = display.x, display.y
    spec.full_width, spec.full_height = display.width, display.height
    spec.channelnames = image.channels
    if suffix != ".exr":
        spec.alpha_channel = len(image.channels) - 1 if len(image.channels) in (2, 4) else -1
    # An empty date keeps the encoder from adding the present time: the same input must give the same bytes.
    spec.attribute("DateTime", "")
    types_of = image.metadata.type_of if isinstance(image.metadata, Metadata) else (lambda name: "")
    for name, value in image.metadata.items():
        if name == _ACES:
            continue  # the chromaticities, which stay, name the space as well
        _set_attribute(spec, name, types_of(name), value)
    if suffix in (".tif", ".tiff") and attributes:
        before = str(image.metadata.get("ImageDescription", ""))
        lines = [line for line in before.splitlines() if not line.startswith("gossamer:")]
        lines += [f"{name}={value}" for name, value in attributes.items()]
        spec.attribute("ImageDescription", "\n".join(lines))
    elif suffix == ".png":
        for name, value in attributes.items():
            spec.attribute(name, str(value))
    else:
        for name, value in attributes.items():
            spec.attribute(name, value)
    if suffix == ".png":
        spec.attribute("oiio:UnassociatedAlpha", 1)
    elif suffix in (".tif", ".tiff"):
        spec.attribute("oiio:UnassociatedAlpha", int(image.metadata.get("oiio:UnassociatedAlpha", 1)))
    if types[0] in ("uint10", "uint12"):
        spec.attribute("oiio:BitsPerSample", int(types[0][4:]))
    spec.attribute("compression", compression)
    return spec


def _set_attribute(spec: Any, name: str, kind: str, value: Any) -> None:
    if kind == "double":  # the binding drops doubles without a word
        spec.attribute(name, float(value))
    elif kind:
        spec.attribute(name, oiio.TypeDesc(kind), value)
    elif isinstance(value, (str, int, float)):
        spec.attribute(name, value)
    elif isinstance(value, tuple) and value and all(isinstance(item, (int, float)) for item in value):
        spec.attribute(name, oiio.TypeDesc(f"float[{len(value)}]"), tuple(float(item) for item in value))


def _write(temporary: Path, path: Path, spec: Any, samples: NDArray[Any]) -> None:
    """Encode, and take every doubt the library voices as a failure: the PNG encoder returns success on a full disk."""
    output = oiio.ImageOutput.create(str(temporary))
    if output is None:
        raise ImageWriteError(f"Cannot write {path}: {oiio.geterror()}")
    done = output.open(str(temporary), spec)
    if done:
        done = output.write_image(samples)
        done = output.close() and done
    problem = output.geterror().replace(_HARMLESS, "").strip()
    if done and not problem:
        return
    if _looks_full(problem, temporary):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    first = problem.splitlines()[0] if problem else "the encoder gave no reason"
    raise ImageWriteError(f"Cannot write {path}: {first}.")


def _looks_full(problem: str, temporary: Path) -> bool:
    """The library does not hand on errno; its words, and one more write, tell a full disk from other troubles."""
    if any(words in problem for words in ("No space", "File too large", "Disk quota", "could only write")):
        return True
    try:
        with temporary.open("ab") as probe:
            probe.write(bytes(1 << 16))
            probe.flush()
    except OSError as error:
        return error.errno in _FULL
    return False


def _encode_jpeg(path: Path, samples: NDArray[Any]) -> bytes:
    """JPEG in memory: the JPEG library ends the whole process when its own write to disk fails."""
    ordered = samples[..., ::-1] if samples.shape[2] == 3 else samples
    done, encoded = cv2.imencode(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, 95])
    if not done:
        raise ImageWriteError(f"Cannot write {path}: the JPEG encoder refused the picture.")
    return bytes(encoded.tobytes())
