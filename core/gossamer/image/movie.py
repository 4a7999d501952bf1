"""Frames of a movie file, exact by number (PyAV, extra ``movie``)."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.errors import ImageReadError, MissingDependencyError, SequenceError
from gossamer.image.header import Metadata
from gossamer.image.image import Image

__all__ = ["MOVIE_SUFFIXES", "MovieSource"]

MOVIE_SUFFIXES = frozenset({".mov", ".mp4", ".m4v", ".mkv", ".avi", ".webm", ".mxf"})

_SKIP = 8
"""Going on over so few frames is cheaper than a seek."""
# ITU-T H.273 transfer characteristics that are not a plain video picture.
_SPACES = {16: "Rec.2100-PQ - Display", 18: "Rec.2100-HLG - Display", 8: "lin_rec709"}


def _import_av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError(
            'Reading movies needs PyAV. Install it with: pip install "gossamer-matting[movie]"'
        ) from error
    return av


class MovieSource:
    """A movie as frames 1, 2, 3 ... in the order they are shown.

    The index is made by reading the packets without decoding them, so opening is quick and every number means the same
    picture whether frames are read in order or not. Reading in order decodes each frame once. Safe for several threads.

    Pictures are upright, as players show them: what the camera's rotation tag says is applied.
    """

    is_still = False

    def __init__(self, path: Path) -> None:
        av = _import_av()
        if not path.is_file():
            raise SequenceError(f"There is no movie {path}.")
        self._path = path
        self._lock = threading.Lock()
        try:
            self._container = av.open(str(path))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise ImageReadError(f"{path} cannot be opened as a movie: {error}.") from error
        if not self._container.streams.video:
            raise ImageReadError(f"{path} has no video stream.")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._times = _index(av, self._container, self._stream, path)
        self.frames = tuple(range(1, len(self._times) + 1))
        self._decoder: Any = None
        self._next = 0
        self._size = (self._stream.width, self._stream.height)
        with suppress(ImageReadError):  # only a picture knows its rotation tag; what is broken, reading will tell
            self._size = _shown_size(self._decode(1))

    def path(self, frame: int) -> Path:
        """The movie file, for every frame."""
        return self._path

    def describe(self) -> str:
        """One line: size, frames, rate."""
        stream = self._stream
        rate = f" at {float(stream.average_rate):g} fps" if stream.average_rate else ""
        width, height = self._size
        return f"{self._path}: movie, {width}x{height}, frames 1-{len(self._times)}{rate}."

    def read(self, frame: int) -> Image:
        """Decode one frame: R, G, B (and A) in 0..1, display values as the movie shows them (full range RGB).

        Raises:
            SequenceError: the movie has no such frame.
            ImageReadError: it cannot be decoded.
        """
        if not 1 <= frame <= len(self._times):
            raise SequenceError(f"There is no frame {frame}. {self.describe()}")
        with self._lock:
            picture = self._decode(frame)
        return self._to_image(picture)

    def close(self) -> None:
        """Release the file."""
        self._container.close()

    def _decode(self, frame: int) -> Any:
        av = _import_av()
        wanted = self._times[frame - 1]
        in_order = self._decoder is not None and 0 <= frame - 1 - self._next <= _SKIP
        # Some containers seek too far; from the first frame every one can be reached.
        starts = [None] if in_order else [wanted, self._times[0]]
        try:
            for start in starts:
                if start is not None:
                    self._container.seek(start, stream=self._stream, backward=True)
                    self._decoder = self._container.decode(self._stream)
                for picture in self._decoder:
                    if picture.pts is not None and picture.pts >= wanted:
                        break
                else:
                    continue
                if picture.pts == wanted and not picture.is_corrupt:
                    self._next = frame
                    return picture
        except av.FFmpegError as error:
            self._decoder = None
            raise ImageReadError(f"{self._path}, frame {frame}: cannot be decoded ({error}).") from error
        self._decoder = None
        raise ImageReadError(f"{self._path}, frame {frame}: cannot be decoded; the movie may be truncated.")

    def _to_image(self, picture: Any) -> Image:
        components = picture.format.components
        deep = max(component.bits for component in components) > 8
        has_alpha = any(component.is_alpha for component in components)
        target = {
            (False, False): "rgb24",
            (False, True): "rgba",
            (True, False): "rgb48le",
            (True, True): "rgba64le",
        }[deep, has_alpha]
        matrix = _matrix(picture)
        stored = picture.reformat(format=target, src_colorspace=matrix, dst_colorspace=matrix).to_ndarray()
        is_turned, down, right = _placing(picture)
        upright = (stored.swapaxes(0, 1) if is_turned else stored)[::down, ::right]
        pixels = np.ascontiguousarray(upright, np.float32) / np.float32(65535 if deep else 255)
        image = Image.from_pixels(pixels, ("R", "G", "B", "A") if has_alpha else ("R", "G", "B"))
        values: dict[str, Any] = {}
        types: dict[str, str] = {}
        rate = self._stream.average_rate
        if rate:
            values["FramesPerSecond"], types["FramesPerSecond"] = (rate.numerator, rate.denominator), "rational"
        aspect = self._stream.sample_aspect_ratio
        if aspect:
            values["PixelAspectRatio"] = float(1 / aspect if is_turned else aspect)
            types["PixelAspectRatio"] = "float"
        return Image(
            pixels=pixels,
            channels=image.channels,
            data_window=image.data_window,
            display_window=image.display_window,
            color_space=_SPACES.get(int(picture.color_trc or 0), ""),
            data_type="uint16" if deep else "uint8",
            metadata=Metadata(values, types),
        )


def _placing(picture: Any) -> tuple[bool, int, int]:
    """How a stored picture is laid upright: rows and columns change places, then the steps along rows and columns.

    The rotation tag is a matrix [a b u; c d v; x y w] that takes a stored place (x, y) to (ax + cy, bx + dy). Rows run
    downwards. Only right angles and mirrors are applied; no camera writes others.
    """
    stated = picture.side_data.get("DISPLAYMATRIX")
    if stated is None:
        return False, 1, 1
    a, b, _, c, d = (int(value) for value in np.frombuffer(stated, np.int32)[:5])
    if a == d == 0 and b and c:
        return True, -1 if b < 0 else 1, -1 if c < 0 else 1
    if b == c == 0:
        return False, -1 if d < 0 else 1, -1 if a < 0 else 1
    return False, 1, 1


def _shown_size(picture: Any) -> tuple[int, int]:
    return (picture.height, picture.width) if _placing(picture)[0] else (picture.width, picture.height)


def _matrix(picture: Any) -> int:
    """The Y'CbCr matrix: as tagged, else by the habit of players, Rec.709 from 720 lines up and Rec.601 below.

    The converter itself would take Rec.601 for every untagged movie and shift its reds by a dozen codes.
    """
    tagged = int(picture.colorspace)
    known = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # H.273 matrix coefficients to the converter's names
    return known.get(tagged, 1 if picture.height >= 720 else 5)


def _index(av: Any, container: Any, stream: Any, path: Path) -> list[int]:
    """Presentation times of all frames that are shown, rising.

    A movie that was trimmed without encoding it anew begins with pictures that only help to decode the first one; the
    container says so, and no player counts them.
    """
    shown: dict[int, bool] = {}
    try:
        for packet in container.demux(stream):
            if packet.pts is not None:
                shown[packet.pts] = not packet.is_discard
    except av.FFmpegError as error:
        raise ImageReadError(f"{path} is truncated or damaged: {error}.") from error
    if stream.frames > len(shown):
        raise ImageReadError(f"{path} is truncated: it promises {stream.frames} frames and holds {len(shown)}.")
    times = sorted(time for time, is_shown in shown.items() if is_shown)
    if not times:
        raise ImageReadError(f"{path} holds no frames.")
    return times
