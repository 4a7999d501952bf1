"""Pictures that exist only in a host's memory, on their way to and from the worker."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace

from gossamer_bridge.errors import KnobError

__all__ = ["BOTTOM_UP", "TOP_DOWN", "Pixels"]

BOTTOM_UP = "bottom-up"
"""The first row in memory is the picture's lowest: Blender's and Nuke's order."""
TOP_DOWN = "top-down"
"""The first row in memory is the picture's uppermost: the order of files and of the worker."""


@dataclass(frozen=True)
class Pixels:
    """Raw float32 pixels, H x W x C, little-endian, values as they are (never clamped)."""

    width: int
    height: int
    channels: tuple[str, ...]
    """Names, in the order in which they lie in memory: ``("R", "G", "B", "A")``, ``("A",)`` ..."""
    data: bytes = field(repr=False)
    """``width * height * len(channels) * 4`` bytes."""
    rows: str = BOTTOM_UP
    """:data:`BOTTOM_UP` or :data:`TOP_DOWN`."""
    color_space: str = ""
    """OCIO name, role or alias of R, G and B. Empty: data, or float's default, scene-linear Rec.709."""

    def __post_init__(self) -> None:
        if self.rows not in (BOTTOM_UP, TOP_DOWN):
            raise KnobError(f"The row order is {self.rows!r}.", next_step=f"Use {BOTTOM_UP} or {TOP_DOWN}.")
        if self.width < 1 or self.height < 1 or not self.channels:
            raise KnobError(
                f"The picture has {self.width} x {self.height} pixels and {len(self.channels)} channels.",
                next_step="Give a picture that holds pixels; reload the image if it should.",
            )
        expected = self.width * self.height * len(self.channels) * 4
        if len(self.data) != expected:
            raise KnobError(
                f"The picture's data has {len(self.data)} bytes; {self.width} x {self.height} pixels of "
                f"{len(self.channels)} channels are {expected} bytes of float32.",
                next_step="Give float32 pixels of the size that is stated.",
            )

    def with_rows(self, rows: str) -> Pixels:
        """The same picture in the other row order, if it is not in that order already."""
        if rows == self.rows:
            return self
        stride = self.width * len(self.channels) * 4
        data = b"".join(self.data[start : start + stride] for start in range(len(self.data) - stride, -1, -stride))
        return replace(self, data=data, rows=rows)

    def values(self) -> array[float]:
        """The pixels as a flat array of floats, for hosts that take sequences (``foreach_set``)."""
        numbers = array("f")
        numbers.frombytes(self.data)
        return numbers
