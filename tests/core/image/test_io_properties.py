"""Round trips of any size, window, channel set and bit pattern."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gossamer.image.image import Image, Window
from gossamer.image.io import read_image, write_image
from gossamer.image.writing import float_to_half

sizes = st.integers(1, 17)
names = st.lists(
    st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,6}(\.[A-Za-z][A-Za-z0-9]{0,3})?", fullmatch=True),
    min_size=1,
    max_size=6,
    unique_by=str.lower,
)
offsets = st.integers(-3000, 3000)


@st.composite
def pictures(draw: st.DrawFn, bits: int) -> Image:
    """A picture whose samples are arbitrary bit patterns of half (16) or float (32)."""
    height, width, channels = draw(sizes), draw(sizes), draw(names)
    kind = np.uint16 if bits == 16 else np.uint32
    raw = draw(hnp.arrays(kind, (height, width, len(channels)), elements=st.integers(0, 2**bits - 1)))
    pixels = raw.view(np.float32) if bits == 32 else _widen(raw)
    window = Window(draw(offsets), draw(offsets), width, height)
    display = Window(draw(offsets), draw(offsets), draw(st.integers(1, 4000)), draw(st.integers(1, 4000)))
    return replace(Image.from_pixels(pixels, tuple(channels)), data_window=window, display_window=display)


def _widen(raw: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Half bits to float by the definition of both formats, without the library's or the processor's help."""
    wide = raw.astype(np.uint32)
    sign, exponent, fraction = (wide & 0x8000) << 16, (wide >> 10) & 31, wide & 1023
    normal = sign | ((exponent + 112) << 23) | (fraction << 13)
    special = sign | 0x7F800000 | (fraction << 13)
    tiny = (fraction.astype(np.float32) * np.float32(2.0**-24)).view(np.uint32) | sign
    return np.where(exponent == 31, special, np.where(exponent == 0, tiny, normal)).astype(np.uint32).view(np.float32)


def _round_trip(image: Image, data_type: str) -> Image:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.exr"
        write_image(path, image, data_type=data_type)
        return read_image(path, channels=image.channels)


@settings(max_examples=60, deadline=None)
@given(pictures(16))
def test_half_samples_come_back_bit_for_bit(image: Image) -> None:
    back = _round_trip(image, "half")
    assert np.array_equal(back.pixels.view(np.uint32), image.pixels.view(np.uint32))
    assert (back.data_window, back.display_window, back.data_type) == (image.data_window, image.display_window, "half")


@settings(max_examples=60, deadline=None)
@given(pictures(32))
def test_float_samples_come_back_bit_for_bit(image: Image) -> None:
    back = _round_trip(image, "float")
    assert np.array_equal(back.pixels.view(np.uint32), image.pixels.view(np.uint32))
    assert (back.data_window, back.display_window, back.data_type) == (image.data_window, image.display_window, "float")


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.uint16, (8, 8), elements=st.integers(0, 65535)))
def test_half_to_float_and_back_is_the_identity(raw: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> None:
    assert np.array_equal(float_to_half(_widen(raw)).view(np.uint16), raw)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([("a.png", "uint8", 8), ("a.png", "uint16", 16), ("a.tif", "uint16", 16), ("a.dpx", "uint10", 10)]),
    sizes,
    sizes,
    st.integers(0, 2**32 - 1),
)
def test_integer_codes_come_back_as_they_were(file: tuple[str, str, int], height: int, width: int, seed: int) -> None:
    name, data_type, bits = file
    codes = np.random.default_rng(seed).integers(0, 2**bits, (height, width, 3))
    pixels = (codes / (2**bits - 1)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder) / name, Image.from_pixels(pixels, tuple("RGB")), data_type=data_type)
        back = read_image(Path(folder) / name)
    assert np.array_equal(np.rint(back.pixels.astype(np.float64) * (2**bits - 1)), codes)
