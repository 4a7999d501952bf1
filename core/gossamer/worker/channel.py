"""The worker's two ends of the wire, and who may write to them."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from typing import IO

from gossamer_bridge.errors import WireError
from gossamer_bridge.protocol import Event, Failure, Message, Reply, to_header
from gossamer_bridge.wire import write_frame

__all__ = ["Outbox", "claim_pipes"]

logger = logging.getLogger(__name__)

MOST_WAITING = 200
"""Messages that wait for a host that does not read; beyond them the dispensable ones are left out."""
DISPENSABLE = ("progress", "alive")


def claim_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take standard input and output for the wire alone.

    What libraries print from now on, in Python or in C, goes to standard error; what they read is empty. Child
    processes inherit neither end.
    """
    sys.stdout.flush()
    ends = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        for end in ends:
            msvcrt.setmode(end, os.O_BINARY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(ends[0], "rb", buffering=0), os.fdopen(ends[1], "wb", buffering=0)


class Outbox:
    """Sends messages from a thread of its own, so that a host that does not read holds up nothing but itself.

    Progress and signs of life are left out when too many messages wait; answers and finished frames never are.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._waiting: deque[Message] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._is_broken = False
        self._thread = threading.Thread(target=self._send_all, name="gossamer-send", daemon=True)
        self._thread.start()

    @property
    def is_broken(self) -> bool:
        """Whether the host closed its end."""
        return self._is_broken

    def post(self, message: Message) -> None:
        """Send ``message`` after those that wait. Never blocks."""
        with self._changed:
            is_dispensable = isinstance(message, Event) and message.name in DISPENSABLE
            if self._is_closed or (is_dispensable and len(self._waiting) >= MOST_WAITING):
                return
            self._waiting.append(message)
            self._changed.notify()

    def close(self, timeout: float) -> bool:
        """Send what waits, then close the pipe. False if the host did not read it all in ``timeout`` seconds."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _send_all(self) -> None:
        try:
            while True:
                with self._changed:
                    while not self._waiting and not self._is_closed:
                        self._changed.wait()
                    if not self._waiting:
                        return
                    message = self._waiting.popleft()
                self._send(message)
        except OSError as error:
            logger.info("the host closed the pipe: %s", error)
            self._is_broken = True
        finally:
            try:
                self._stream.close()
            except OSError as error:
                logger.debug("closing the pipe: %s", error)

    def _send(self, message: Message) -> None:
        body = message.body if isinstance(message, Reply) else b""
        try:
            write_frame(self._stream, to_header(message), body)
        except WireError as error:  # raised before a byte is written
            logger.error("an answer cannot be sent: %s", error)
            if not isinstance(message, Event):
                failure = Failure(message.identifier, "WireSizeError", f"The answer cannot be sent. {error}")
                write_frame(self._stream, to_header(failure))
