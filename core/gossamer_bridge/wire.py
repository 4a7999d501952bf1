"""Framing: a fixed prefix, a JSON header, raw bytes.

::

    4 bytes   GSMR
    4 bytes   length of the header, big-endian
    8 bytes   length of the body, big-endian
    header    JSON object, UTF-8
    body      raw bytes (pixels); may be empty

Nothing on the wire is code: no pickle, no expression. Lengths are checked before anything is allocated for them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, Protocol, Union

from gossamer_bridge.errors import WireClosedError, WireFormatError, WireSizeError

__all__ = ["BODY_LIMIT", "HEADER_LIMIT", "MAGIC", "Buffer", "Readable", "Writable", "pack", "read_frame", "write_frame"]

MAGIC = b"GSMR"
PREFIX = struct.Struct(">4sIQ")
HEADER_LIMIT = 4 * 2**20
"""Bytes of a header. A million-character path fits; a book does not."""
BODY_LIMIT = 2 * 2**30
"""Bytes of a body: more than four float32 channels at 8192 x 8192."""
PIECE = 2**20
"""Bytes read at once, so that a length that lies costs no memory."""

Buffer = Union[bytes, bytearray, memoryview]


class Readable(Protocol):
    """A binary stream to read from; may give fewer bytes than asked, gives none at its end."""

    def read(self, size: int, /) -> bytes | None:
        """At most ``size`` bytes."""
        ...


class Writable(Protocol):
    """A binary stream to write to; may take fewer bytes than given and says how many."""

    def write(self, data: Buffer, /) -> int | None:
        """Write and return the number of bytes taken."""
        ...

    def flush(self) -> None:
        """Hand on what is buffered."""
        ...


def pack(header: Mapping[str, Any], body_length: int = 0) -> bytes:
    """Prefix and header of a message whose body has ``body_length`` bytes.

    Raises:
        WireSizeError: header or body are over their limits.
        WireFormatError: the header holds what JSON cannot (NaN and infinity included).
    """
    try:
        # Surrogates stand for bytes of file names that are no UTF-8; they travel as \udcxx escapes.
        text = json.dumps(dict(header), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError:
            data = json.dumps(dict(header), allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise WireFormatError(f"The message cannot be written as JSON: {error}.") from error
    if len(data) > HEADER_LIMIT:
        raise WireSizeError(f"The message's header has {len(data)} bytes; {HEADER_LIMIT} are allowed.")
    if body_length > BODY_LIMIT:
        raise WireSizeError(f"The message's body has {body_length} bytes; {BODY_LIMIT} are allowed.")
    return PREFIX.pack(MAGIC, len(data), body_length) + data


def write_frame(stream: Writable, header: Mapping[str, Any], body: Buffer = b"") -> None:
    """Write one message. Nothing is written when it is too large.

    Raises:
        WireSizeError, WireFormatError: see :func:`pack`.
        OSError: the pipe is closed.
    """
    raw = memoryview(body).cast("B")
    _write_all(stream, pack(header, len(raw)))
    for start in range(0, len(raw), PIECE):
        _write_all(stream, raw[start : start + PIECE])
    stream.flush()


def read_frame(stream: Readable) -> tuple[dict[str, Any], bytes]:
    """Read one message: its header and its body. Blocks until it is there.

    Raises:
        WireClosedError: the stream ended before a message began.
        WireFormatError: garbage, a stream that ends inside a message, or a header that is no JSON object.
        WireSizeError: a length over its limit; nothing was allocated for it.
    """
    prefix = _read_exactly(stream, PREFIX.size, "prefix", may_end=True)
    magic, header_length, body_length = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise WireFormatError(f"Expected a message and found {bytes(prefix)!r}: something else writes to the pipe.")
    if header_length > HEADER_LIMIT:
        raise WireSizeError(f"A message announces a header of {header_length} bytes; {HEADER_LIMIT} are allowed.")
    if body_length > BODY_LIMIT:
        raise WireSizeError(f"A message announces a body of {body_length} bytes; {BODY_LIMIT} are allowed.")
    data = _read_exactly(stream, header_length, "header")
    body = bytes(_read_exactly(stream, body_length, "body"))
    try:
        header = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WireFormatError(f"A message's header is not JSON: {error}.") from error
    if not isinstance(header, dict):
        raise WireFormatError(f"A message's header is a {type(header).__name__}; an object is expected.")
    return header, body


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _write_all(stream: Writable, data: Buffer) -> None:
    left = memoryview(data)
    while left:
        taken = stream.write(left)
        left = left[len(left) if taken is None else taken :]


def _read_exactly(stream: Readable, size: int, what: str, *, may_end: bool = False) -> bytearray:
    data = bytearray()
    while len(data) < size:
        piece = stream.read(min(size - len(data), PIECE))
        if not piece:
            if may_end and not data:
                raise WireClosedError("The other side closed the pipe.")
            raise WireFormatError(f"The pipe ended inside a message's {what}, after {len(data)} of {size} bytes.")
        data += piece
    return data
