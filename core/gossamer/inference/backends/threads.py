"""How many CPU threads a network gets."""

from __future__ import annotations

import os

__all__ = ["thread_count"]


def thread_count(asked: int) -> int:
    """``asked``, or with 0 the cores that this process may use: a farm's limit counts, not the machine's size."""
    if asked:
        return asked
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
