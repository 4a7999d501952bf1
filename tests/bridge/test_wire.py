"""Framing: what is written is read, and nothing else is."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gossamer_bridge.errors import WireClosedError, WireError, WireFormatError, WireSizeError
from gossamer_bridge.protocol import Event, Failure, Reply, Request, from_header, to_header
from gossamer_bridge.wire import BODY_LIMIT, HEADER_LIMIT, MAGIC, pack, read_frame, write_frame

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.dictionaries(st.text(), VALUES, max_size=6)


class Dribble(io.RawIOBase):
    """A stream that gives and takes as little as it likes, as pipes may."""

    def __init__(self, data: bytes = b"", step: int = 1) -> None:
        self.data, self.step = bytearray(data), step

    def read(self, size: int = -1, /) -> bytes:
        piece = bytes(self.data[: min(size, self.step)])
        del self.data[: len(piece)]
        return piece

    def write(self, data: Any, /) -> int:
        self.data += memoryview(data)[: self.step]
        return min(len(data), self.step)


def framed(header: bytes, body: bytes = b"", *, magic: bytes = MAGIC, header_length: int | None = None) -> bytes:
    length = len(header) if header_length is None else header_length
    return struct.pack(">4sIQ", magic, length, len(body)) + header + body


@given(HEADERS, st.binary(max_size=200), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
@example({"path": "\udcff\ud83d"}, b"", 3)
def test_what_is_written_is_read(header: dict[str, Any], body: bytes, step: int) -> None:
    pipe = Dribble(step=step)
    write_frame(pipe, header, body)
    assert read_frame(pipe) == (header, body)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
@example(MAGIC + b"\xff" * 40)
@example(framed(b"[]"))
@example(framed(b'{"a": NaN}'))
@example(framed(b"\xff\xfe"))
@example(framed(b"[" * 100_000))
def test_garbage_is_refused_with_an_error_of_the_wire(data: bytes) -> None:
    def read() -> None:
        from_header(*read_frame(io.BytesIO(data)))

    with pytest.raises(WireError):
        read()


@given(HEADERS, st.binary(max_size=40), st.data())
@settings(max_examples=60, deadline=None)
def test_a_message_that_is_cut_off_anywhere_is_noticed(
    header: dict[str, Any], body: bytes, data: st.DataObject
) -> None:
    whole = pack(header, len(body)) + body
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(WireFormatError, match="ended inside a message"):
        read_frame(io.BytesIO(whole[:cut]))


@given(HEADERS, st.binary(max_size=20))
@settings(max_examples=100, deadline=None)
def test_a_header_that_is_no_message_is_refused(header: dict[str, Any], body: bytes) -> None:
    with pytest.raises(WireFormatError, match=r"is expected|are known"):
        from_header(header, body)


@pytest.mark.parametrize(
    "message",
    [
        Request(3, "store", {"name": "plate", "width": 2}, b"\0\1"),
        Event(3, "progress", {"frame": -4, "part": 0.25}),
        Reply(3, {"path": "/täg/плита.exr"}, b"\2"),
        Failure(3, "SettingError", "No plate.", 2, {"frames": 1}),
    ],
)
def test_each_kind_of_message_survives_the_wire(message: Any) -> None:
    pipe = io.BytesIO()
    write_frame(pipe, to_header(message), getattr(message, "body", b""))
    pipe.seek(0)
    assert from_header(*read_frame(pipe)) == message


def test_the_end_between_two_messages_is_told_from_a_truncated_one() -> None:
    with pytest.raises(WireClosedError, match=r"closed the pipe.*gossamer doctor"):
        read_frame(io.BytesIO())


def test_prints_of_a_library_on_the_pipe_are_shown_in_the_error() -> None:
    with pytest.raises(WireFormatError, match=r"Loading model.*something else writes to the pipe"):
        read_frame(io.BytesIO(b"Loading model, please wait"))


def test_a_million_characters_fit_into_a_header() -> None:
    pipe = io.BytesIO()
    write_frame(pipe, {"path": "/" + "x" * 1_000_000})
    pipe.seek(0)
    assert len(read_frame(pipe)[0]["path"]) == 1_000_001


def test_a_header_over_the_limit_is_not_sent() -> None:
    pipe = io.BytesIO()
    with pytest.raises(WireSizeError, match=rf"header has \d+ bytes; {HEADER_LIMIT} are allowed.*shorter paths"):
        write_frame(pipe, {"path": "x" * (HEADER_LIMIT + 1)})
    assert pipe.getvalue() == b""


def test_a_body_over_the_limit_is_not_sent() -> None:
    with pytest.raises(WireSizeError, match=f"body has {BODY_LIMIT + 1} bytes"):
        pack({}, BODY_LIMIT + 1)


def test_announced_lengths_over_their_limits_are_refused_before_anything_is_read() -> None:
    with pytest.raises(WireSizeError, match="announces a header of 4294967295 bytes"):
        read_frame(io.BytesIO(struct.pack(">4sIQ", MAGIC, 2**32 - 1, 0)))
    with pytest.raises(WireSizeError, match="announces a body of 18446744073709551615 bytes"):
        read_frame(io.BytesIO(struct.pack(">4sIQ", MAGIC, 2, 2**64 - 1)))


def test_a_length_that_lies_costs_no_memory() -> None:
    with pytest.raises(WireFormatError, match=rf"after 3 of {BODY_LIMIT} bytes"):
        read_frame(io.BytesIO(struct.pack(">4sIQ", MAGIC, 2, BODY_LIMIT) + b"{}abc"))


def test_values_that_json_lacks_are_refused_by_the_sender() -> None:
    with pytest.raises(WireFormatError, match="cannot be written as JSON"):
        pack({"part": float("nan")})
    with pytest.raises(WireFormatError, match="cannot be written as JSON"):
        pack({"path": object()})


def test_headers_carry_the_version_of_the_protocol() -> None:
    assert json.loads(pack(to_header(Request(1, "status")))[16:])["protocol"] == 1
