"""Stops a library in the middle of a pass: a large tile takes seconds, and a cancelled job should not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["RunningPasses"]


class RunningPasses:
    """The passes of one network that go on at this moment, by their ONNX Runtime ``RunOptions``. Thread-safe.

    The library looks at the options' flag between two operations of the network and then gives up with an error.
    """

    def __init__(self, new_options: Callable[[], Any]) -> None:
        self._new_options = new_options
        self._running: list[Any] = []
        self._is_stopped = False
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[Any]:
        """The options for one pass."""
        options = self._new_options()
        with self._lock:
            options.terminate = self._is_stopped
            self._running.append(options)
        try:
            yield options
        finally:
            with self._lock:
                self._running.remove(options)

    def interrupt(self) -> None:
        """Stop every pass that goes on, and each further one, until :meth:`resume`."""
        with self._lock:
            self._is_stopped = True
            for options in self._running:
                options.terminate = True

    def resume(self) -> None:
        """Let passes run again."""
        with self._lock:
            self._is_stopped = False
