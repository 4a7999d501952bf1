"""A call in a thread that never keeps Nuke from ending; the library's pools are waited for when Python ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Background"]

Result = TypeVar("Result")


class Background(Generic[Result]):
    """Starts ``function`` at once in a daemon thread."""

    def __init__(self, function: Callable[[], Result], name: str) -> None:
        self._function = function
        self._finished = threading.Event()
        self._result: list[Result] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def is_done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._finished.is_set()

    def wait(self) -> None:
        """Until it has ended. What is called here has deadlines of its own."""
        self._finished.wait()

    def result(self) -> Result:
        """What it gave, or the exception it raised; waits."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._function())
        except BaseException as error:
            self._error = error
        self._finished.set()
