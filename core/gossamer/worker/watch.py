"""Sees to it that no worker outlives its host, whatever its threads are busy with."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

__all__ = ["end_on_signals", "watch_parent"]

logger = logging.getLogger(__name__)

PERIOD = 1.0
GRACE = 10.0
"""Seconds to finish the frame that is being written, once the worker is to end."""


def watch_parent(ending: threading.Event, end: Callable[[str], None], *, grace: float = GRACE) -> None:
    """Start a thread that calls ``end`` when the parent process dies, and ends this process if ``ending`` takes longer
    than ``grace`` seconds to be obeyed.

    The end of standard input says the same, unless another process holds the pipe too; then only this does. (On Windows
    a process keeps its dead parent's number, so there the pipe has to do.)
    """
    parent = os.getppid()
    logger.info("worker %d serves process %d", os.getpid(), parent)

    def watch() -> None:
        while not ending.wait(PERIOD):
            if os.getppid() != parent:
                end("the host is gone")
        time.sleep(grace)
        logger.warning("the worker did not end within %g s and stops where it is", grace)
        logging.shutdown()
        os._exit(1)

    threading.Thread(target=watch, name="gossamer-watch", daemon=True).start()


def end_on_signals(end: Callable[[str], None]) -> None:
    """Take SIGTERM and Ctrl-C as the wish that the worker ends; from the main thread."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end("a signal asked for it"))
