"""The worker's outgoing end."""

from __future__ import annotations

import os
from typing import IO

import pytest

from gossamer.worker import channel
from gossamer.worker.channel import Outbox
from gossamer_bridge.errors import WireClosedError
from gossamer_bridge.protocol import Event, Failure, Message, Reply, from_header
from gossamer_bridge.wire import read_frame


def pipe() -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "wb", buffering=0)


def read_all(stream: IO[bytes]) -> list[Message]:
    found = []
    with stream:
        while True:
            try:
                found.append(from_header(*read_frame(stream)))
            except WireClosedError:
                return found


def test_messages_keep_their_order() -> None:
    reading, writing = pipe()
    outbox = Outbox(writing)
    messages: list[Message] = [Event(1, "started"), Reply(1, {"a": 1}, b"pixels"), Failure(2, "X", "x")]
    for message in messages:
        outbox.post(message)
    assert outbox.close(10)
    assert read_all(reading) == messages


def test_progress_is_left_out_for_a_host_that_does_not_read_and_answers_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channel, "MOST_WAITING", 5)
    reading, writing = pipe()
    outbox = Outbox(writing)
    outbox.post(Reply(1, {}, bytes(1_000_000)))  # fills the pipe
    for number in range(100):
        outbox.post(Event(2, "progress", {"part": number}))
        outbox.post(Event(2, "frame", {"frame": number}))
    outbox.post(Reply(2))
    assert not outbox.close(0.05)
    found = read_all(reading)
    assert [message.values["frame"] for message in found if isinstance(message, Event) and message.name == "frame"] == [
        *range(100)
    ]
    assert len([message for message in found if isinstance(message, Event) and message.name == "progress"]) < 10
    assert found[-1] == Reply(2)


def test_an_answer_that_cannot_be_sent_becomes_a_failure() -> None:
    reading, writing = pipe()
    outbox = Outbox(writing)
    outbox.post(Reply(3, {"part": float("nan")}))
    outbox.post(Event(3, "frame", {"text": object()}))
    outbox.post(Reply(4))
    assert outbox.close(10)
    failure, reply = read_all(reading)
    assert isinstance(failure, Failure)
    assert failure.message.startswith("The answer cannot be sent. The message cannot be written as JSON")
    assert reply == Reply(4)


def test_a_host_that_closed_its_end_is_noticed() -> None:
    reading, writing = pipe()
    outbox = Outbox(writing)
    reading.close()
    outbox.post(Reply(1))
    assert outbox.close(10)
    assert outbox.is_broken
    outbox.post(Reply(2))
