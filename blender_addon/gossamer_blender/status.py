# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist reads while a job runs and when it is over. No Blender in here."""

from __future__ import annotations

from gossamer_bridge.host import JobProgress

__all__ = ["clock", "progress_lines"]

_STATES = {
    "starting": "Starting the worker",
    "restarting": "Starting the worker again",
    "loading": "Loading the model",
    "drawing": "Drawing the mask",
    "storing": "Handing over the picture",
    "solving": "Solving",
    "cancelling": "Cancelling",
}


def clock(seconds: float) -> str:
    """``0:07``, ``12:30``, ``2:05:00``."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def progress_lines(progress: JobProgress, elapsed: float) -> list[str]:
    """One line for what is being done, one for the time, one for the engine as it is."""
    what = _STATES.get(progress.state, progress.state)
    if progress.state == "solving" and progress.frame is not None:
        what = f"Frame {progress.frame}"
    if progress.total > 1:
        what += f", {progress.done} of {progress.total} done"
    left = f", {clock(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    lines = [what, f"{clock(elapsed)} so far{left}"]
    return [*lines, progress.engine] if progress.engine else lines
