# SPDX-License-Identifier: GPL-3.0-or-later
"""Flat float32 RGBA buffers as Blender hands them out. Standard library only: the add-on may not lean on numpy."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from operator import mul

__all__ = ["channels_of", "is_constant", "with_alpha"]

RGBA = 4


def channels_of(buffer: array[float], wanted: Iterable[int]) -> array[float]:
    """Some of the four channels of an RGBA buffer, interleaved in the order of ``wanted``."""
    indices = tuple(wanted)
    result = array("f", bytes(len(buffer) // RGBA * len(indices) * 4))
    for place, index in enumerate(indices):
        result[place :: len(indices)] = buffer[index::RGBA]
    return result


def is_constant(buffer: array[float], channel: int) -> bool:
    """Whether one channel of an RGBA buffer has the same value everywhere."""
    values = buffer[channel::RGBA]
    return not values or values.count(values[0]) == len(values)


def with_alpha(buffer: array[float], alpha: array[float], *, premultiplied: bool) -> array[float]:
    """An RGBA buffer with another alpha channel.

    Args:
        buffer: RGBA, flat.
        alpha: one value a pixel, in the same order of rows.
        premultiplied: whether RGB is held multiplied by alpha. It is then divided by the old alpha and multiplied by
            the new one; where the old alpha is 0 nothing of the colour is left, and RGB stays as it is times the new
            alpha. Otherwise RGB keeps its bits.
    """
    result = array("f", buffer)
    result[3::RGBA] = alpha
    if premultiplied:
        old = buffer[3::RGBA]
        whole = old.count(1.0) == len(old)
        factors = (
            alpha if whole else array("f", (new / was if was > 0 else new for new, was in zip(alpha, old, strict=True)))
        )
        for channel in range(3):
            result[channel::RGBA] = array("f", map(mul, buffer[channel::RGBA], factors))
    return result
