"""What was read last, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

__all__ = ["Recent"]

T = TypeVar("T")


class Recent:
    """The last things that were read, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._values: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()

    def get(self, key: Hashable, read: Callable[[], T], size: Callable[[T], int]) -> T:
        """What ``read`` gives, or gave not long ago for the same key; ``size`` tells its bytes."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0]  # type: ignore[return-value]
        value = read()
        self._values[key] = (value, size(value))
        self._used += self._values[key][1]
        while self._used > self._limit and len(self._values) > 1:
            _, (_, freed) = self._values.popitem(last=False)
            self._used -= freed
        return value
