"""Movies as numbered frames."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gossamer.errors import ImageReadError, MissingDependencyError, SequenceError
from gossamer.image.movie import MovieSource
from gossamer.image.sequence import FrameSource, open_source, output_path

COUNT = 30


def _write(
    path: Path, *, size: tuple[int, int] = (64, 48), color: tuple[int, int, int] | None = None, count: int = COUNT
) -> Path:
    """Frames whose grey value tells their number, with B-frames and long groups of pictures."""
    width, height = size
    container = av.open(str(path), "w")
    stream = container.add_stream("libx264", rate=24, options={"crf": "0" if color else "10", "bf": "3", "g": "12"})
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv444p" if color else "yuv420p"
    for number in range(count):
        value = color or (number * 8,) * 3
        picture = av.VideoFrame.from_ndarray(np.full((height, width, 3), value, np.uint8), format="rgb24")
        if color:
            picture = picture.reformat(format="yuv444p", dst_colorspace=1)
        picture.pts = number
        for packet in stream.encode(picture):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
    container.close()
    return path


def _number(source: FrameSource, frame: int) -> int:
    return round(float(source.read(frame).pixels.mean()) * 255 / 8) + 1


def test_every_frame_is_found_in_any_order(tmp_path: Path) -> None:
    source = open_source(str(_write(tmp_path / "clip.mp4")))
    assert isinstance(source, FrameSource)
    assert source.frames == tuple(range(1, COUNT + 1))
    order = [1, 2, 3, 20, 5, 30, 29, 6, 7, 16, 1]
    assert [_number(source, frame) for frame in order] == order
    assert [_number(source, frame) for frame in source.frames] == list(source.frames)


def test_a_trimmed_movie_begins_where_players_begin(tmp_path: Path) -> None:
    """Cut without encoding anew: the pictures before the cut lie in the file to decode those after it."""
    begin = 17
    whole, trimmed = av.open(str(_write(tmp_path / "clip.mp4"))), tmp_path / "trimmed.mp4"
    container = av.open(str(trimmed), "w", options={"avoid_negative_ts": "disabled"})
    stream = container.add_stream_from_template(whole.streams.video[0])
    packets: list[Any] = [packet for packet in whole.demux(video=0) if packet.dts is not None]
    first = round(begin / 24 / packets[0].time_base)
    key = max(i for i, packet in enumerate(packets) if packet.is_keyframe and packet.pts <= first)
    for packet in packets[key:]:
        packet.pts, packet.dts, packet.stream = packet.pts - first, packet.dts - first, stream
        container.mux(packet)
    container.close()
    source = open_source(str(trimmed))
    assert source.frames == tuple(range(1, COUNT - begin + 1))
    for frame in (1, 2, 5, 13, 6):
        assert _number(source, frame) == begin + frame


def test_a_movie_describes_itself(tmp_path: Path) -> None:
    source = open_source(str(_write(tmp_path / "clip.mp4")))
    assert source.describe() == f"{tmp_path}/clip.mp4: movie, 64x48, frames 1-30 at 24 fps."
    assert source.path(7) == tmp_path / "clip.mp4"
    assert not source.is_still
    image = source.read(1)
    assert (image.channels, image.data_type) == (("R", "G", "B"), "uint8")
    assert image.metadata["FramesPerSecond"] == (24, 1)
    assert output_path("out", source, 3, "alpha") == Path("out/clip_alpha.0003.exr")


@pytest.mark.parametrize("size", [(1280, 720)])
def test_an_untagged_movie_of_720_lines_is_read_as_rec709(tmp_path: Path, size: tuple[int, int]) -> None:
    source = open_source(str(_write(tmp_path / "hd.mp4", size=size, color=(200, 60, 30), count=2)))
    assert np.abs(source.read(2).pixels[5, 5] * 255 - (200, 60, 30)).max() < 2.5


def test_ten_bits_and_alpha_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    container = av.open(str(path), "w")
    stream = container.add_stream("prores_ks", rate=25, options={"profile": "4"})
    stream.width, stream.height, stream.pix_fmt = 64, 32, "yuva444p10le"
    values = np.zeros((32, 64, 4), np.uint16)
    values[..., 1] = 65535
    values[..., 3] = 32768
    picture = av.VideoFrame.from_ndarray(values, format="rgba64le").reformat(format="yuva444p10le")
    for packet in [*stream.encode(picture), *stream.encode()]:
        container.mux(packet)
    container.close()
    image = open_source(str(path)).read(1)
    assert (image.channels, image.data_type) == (("R", "G", "B", "A"), "uint16")
    assert np.abs(image.pixels.mean(axis=(0, 1)) - (0, 1, 0, 0.5)).max() < 0.01


def test_a_frame_beyond_the_end_is_an_error(tmp_path: Path) -> None:
    source = open_source(str(_write(tmp_path / "clip.mp4")))
    with pytest.raises(SequenceError, match=r"There is no frame 31\. .*clip\.mp4: movie.*frames 1-30"):
        source.read(31)


def test_a_missing_movie_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match=r"There is no movie .*clip\.mov"):
        open_source(str(tmp_path / "clip.mov"))


def test_a_file_that_is_no_movie_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"nonsense" * 100)
    with pytest.raises(ImageReadError, match=r"clip\.mp4 cannot be opened as a movie"):
        open_source(str(tmp_path / "clip.mp4"))


def test_a_movie_without_pictures_is_an_error(tmp_path: Path) -> None:
    container = av.open(str(tmp_path / "sound.mkv"), "w")
    stream = container.add_stream("pcm_s16le", rate=8000)
    sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
    sound.sample_rate = 8000
    for packet in [*stream.encode(sound), *stream.encode()]:
        container.mux(packet)
    container.close()
    with pytest.raises(ImageReadError, match="has no video stream"):
        open_source(str(tmp_path / "sound.mkv"))


def _write_noise(path: Path) -> Path:
    """Too large for a read buffer; the index lies in front of the pictures."""
    random = np.random.default_rng(0)
    container = av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {})
    stream = container.add_stream("mjpeg", rate=24)
    stream.width, stream.height, stream.pix_fmt = 128, 128, "yuvj420p"
    for number in range(40):
        picture = av.VideoFrame.from_ndarray(random.integers(0, 256, (128, 128, 3), np.uint8), format="rgb24")
        picture.pts = number
        for packet in stream.encode(picture):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
    container.close()
    return path


def test_a_movie_that_ends_too_early_is_an_error(tmp_path: Path) -> None:
    path = _write_noise(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[:90000])
    with pytest.raises(ImageReadError, match=r"clip\.mp4 is truncated: it promises 40 frames and holds \d+"):
        open_source(str(path))


def test_a_movie_that_is_cut_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = _write_noise(tmp_path / "clip.mp4")
    source = MovieSource(path)
    path.write_bytes(path.read_bytes()[:90000])
    with pytest.raises(ImageReadError, match=r"clip\.mp4, frame 30: cannot be decoded"):
        source.read(30)
    assert source.read(2).width == 128
    source.close()


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "clip.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "gossamer-matting\[movie\]"'):
        open_source(str(path))


def _write_turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Red, green and blue quarters and a white one, stored so; the track's header says how to show them."""
    colours = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], np.uint8)
    container = av.open(str(path), "w")
    stream = container.add_stream("libx264", rate=24, options={"crf": "0"})
    stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv444p"
    for _ in range(2):
        picture = av.VideoFrame.from_ndarray(colours.repeat(16, 0).repeat(32, 1), format="rgb24")
        container.mux(stream.encode(picture))
    container.mux(stream.encode())
    container.close()
    stored = bytearray(path.read_bytes())
    at = stored.find(b"tkhd") + 44  # of version 0: flags, times, number, duration, layer and volume lie before
    a, b, c, d = (value << 16 for value in matrix)
    stored[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(stored)
    return path


@pytest.mark.parametrize(
    ("matrix", "size", "corners"),
    [
        ((1, 0, 0, 1), (64, 32), "RGBW"),
        ((-1, 0, 0, -1), (64, 32), "WBGR"),  # a camera held upside down
        ((0, 1, -1, 0), (32, 64), "BRWG"),  # a telephone held upright: shown a quarter to the right
        ((0, -1, 1, 0), (32, 64), "GWRB"),
        ((-1, 0, 0, 1), (64, 32), "GRWB"),  # a mirror
    ],
)
def test_a_turned_movie_is_read_as_players_show_it(
    tmp_path: Path, matrix: tuple[int, int, int, int], size: tuple[int, int], corners: str
) -> None:
    source = open_source(str(_write_turned(tmp_path / "clip.mp4", matrix)))
    assert f"{size[0]}x{size[1]}" in source.describe()
    image = source.read(2)
    assert (image.width, image.height) == size
    assert (image.display_window, image.metadata.get("Orientation", 1)) == (image.data_window, 1)
    names = {(1, 0, 0): "R", (0, 1, 0): "G", (0, 0, 1): "B", (1, 1, 1): "W"}
    places = [image.pixels[y, x].round().astype(int).tolist() for y in (0, -1) for x in (0, -1)]
    assert "".join(names[tuple(place)] for place in places) == corners
