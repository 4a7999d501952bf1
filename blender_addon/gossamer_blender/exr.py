# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an EXR file has layers, by its header: Blender knows only of what it has loaded. No Blender in here."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

__all__ = ["has_layers"]

MAGIC = b"\x76\x2f\x31\x01"
MULTI_PART = 0x1000
"""The flag of files in several parts, beside the format's version."""
AFTER_NAME = 16
"""Bytes of a channel after its name: type, linearity and sampling."""


def has_layers(path: Path) -> bool:
    """Whether Blender takes a file for multi-layer: channels are called ``layer.R``, or it has several parts.

    False for a file that is no EXR or cannot be read; whoever reads it next says what is wrong.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                return False
            if int.from_bytes(file.read(4), "little") & MULTI_PART:
                return True
            return any(b"." in name for name in _channels(file))
    except OSError:
        return False


def _channels(file: BinaryIO) -> list[bytes]:
    """Names of the channels; ``file`` stands at the first attribute."""
    while name := _text(file):
        _text(file)  # its type
        value = file.read(int.from_bytes(file.read(4), "little"))
        if name == b"channels":
            found: list[bytes] = []
            while value.strip(b"\0"):
                channel, _, value = value.partition(b"\0")
                found.append(channel)
                value = value[AFTER_NAME:]
            return found
    return []


def _text(file: BinaryIO) -> bytes:
    """Up to the next zero; names have 255 bytes at most."""
    text = b""
    while len(text) < 256 and (byte := file.read(1)) not in (b"", b"\0"):
        text += byte
    return text
