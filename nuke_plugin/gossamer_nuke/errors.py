"""What the node says when it cannot do what it was asked."""

from __future__ import annotations

__all__ = ["NukeError"]


class NukeError(RuntimeError):
    """A sentence that names the node, the knob or the frame, and what to do next. Nuke fails a render with it."""
