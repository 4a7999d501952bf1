"""Raw pixels say how their rows run."""

from __future__ import annotations

import struct

import pytest

from gossamer_bridge.errors import KnobError
from gossamer_bridge.pixels import BOTTOM_UP, TOP_DOWN, Pixels

DATA = struct.pack("<6f", 1, 2, 3, 4, 5, 6)


def test_turning_the_rows_keeps_each_row_as_it_is() -> None:
    turned = Pixels(2, 3, ("A",), DATA, rows=BOTTOM_UP).with_rows(TOP_DOWN)
    assert (turned.rows, list(turned.values())) == (TOP_DOWN, [5, 6, 3, 4, 1, 2])
    assert turned.with_rows(TOP_DOWN) is turned


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 3, ("A",), DATA[:-1]), "23 bytes; 2 x 3 pixels of 1 channels are 24 bytes"),
        ((0, 3, ("A",), b""), "0 x 3 pixels and 1 channels.*reload the image"),
        ((2, 3, (), DATA), "2 x 3 pixels and 0 channels"),
        ((2, 3, ("A",), DATA, "sideways"), "row order is 'sideways'.*bottom-up or top-down"),
    ],
)
def test_pixels_that_contradict_themselves_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(KnobError, match=message):
        Pixels(*arguments)  # type: ignore[arg-type]
