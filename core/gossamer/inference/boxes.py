"""Rectangles by their edges: easier to join, cut and align than a Window."""

from __future__ import annotations

from dataclasses import dataclass

from gossamer.image.image import Window

__all__ = ["Box"]


@dataclass(frozen=True)
class Box:
    """A rectangle by its edges, in pixels counted from the display window."""

    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def of(cls, x: int, y: int, width: int, height: int) -> Box:
        """By origin and size."""
        return cls(x, y, x + width, y + height)

    def joined(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def grown(self, by: int) -> Box:
        """With ``by`` more pixels on each side."""
        return Box(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def clipped(self, to: Box) -> Box:
        """The part inside ``to``."""
        return Box(max(self.x0, to.x0), max(self.y0, to.y0), min(self.x1, to.x1), min(self.y1, to.y1))

    def aligned(self, step: int) -> Box:
        """The smallest box around it whose edges are multiples of ``step``."""
        return Box(
            self.x0 // step * step, self.y0 // step * step, -(-self.x1 // step) * step, -(-self.y1 // step) * step
        )

    @property
    def area(self) -> int:
        """In pixels."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    def window(self, origin: tuple[int, int]) -> Window:
        """As a Window, counted from ``origin``."""
        return Window(self.x0 - origin[0], self.y0 - origin[1], self.x1 - self.x0, self.y1 - self.y0)
