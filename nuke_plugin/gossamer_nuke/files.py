"""Whether a file is still the one that was seen, and what the worker wrote into the header of a matte."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["FileState", "file_state", "matte_digest"]

MAGIC = b"\x76\x2f\x31\x01"
"""What an EXR file begins with; four bytes of version follow."""
MARK = b"gossamer:"
"""What the attributes begin with that the worker puts into the header of each matte."""
JOB_HASH = MARK + b"jobHash"
LONGEST_NAME = 255
LARGEST_VALUE = 1 << 26
"""Bytes; a Cryptomatte manifest from the plate has a few millions. More is no attribute but a broken file."""


class FileState(NamedTuple):
    """By which a file is told from one that took its place."""

    size: int
    modified: int
    """In nanoseconds."""
    header: str
    """See :func:`matte_digest`."""

    def is_alike(self, other: FileState) -> bool:
        """Whether it is a matte of the same kind and size, whoever wrote it and when."""
        return self.header != "" and (self.size, self.header) == (other.size, other.header)


def file_state(path: str) -> FileState | None:
    """As it is now; None if it is not there."""
    try:
        found = Path(path).stat()
        return FileState(found.st_size, found.st_mtime_ns, matte_digest(Path(path)))
    except OSError:
        return None


def matte_digest(path: Path) -> str:
    """Digest of a header up to and including the attributes that the worker puts there; empty if it has none.

    EXR has them sorted by name. What follows may differ from run to run, such as Nuke's own hash of the nodes
    (``nuke/node_hash``), and so does the worker's hash of its job, since the inputs lie in another folder each time.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    digest, found = hashlib.sha256(), ""
    with path.open("rb") as file:
        if file.read(8)[:4] != MAGIC:
            return ""
        while True:
            name, kind = _word(file), _word(file)
            size = int.from_bytes(file.read(4), "little")
            if not name or size > LARGEST_VALUE:
                return found
            value = file.read(size)
            if len(value) < size:
                return found
            if name != JOB_HASH:
                digest.update(b"\0".join([name, kind, value, b""]))
            if name.startswith(MARK):
                found = digest.hexdigest()


def _word(file: BinaryIO) -> bytes:
    """Up to the zero that ends it; empty at the end of the header or the file, and if it is too long for a name."""
    word = bytearray()
    while len(word) <= LONGEST_NAME:
        letter = file.read(1)
        if letter in (b"", b"\0"):
            return bytes(word)
        word += letter
    return b""
