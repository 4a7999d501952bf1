"""The libraries that run a network, behind one call that takes and gives N C H W arrays."""

from __future__ import annotations

from gossamer.inference.backends.base import Backend, Building, ParallelBackend, SizedBackend
from gossamer.inference.backends.choose import open_backend

__all__ = ["Backend", "Building", "ParallelBackend", "SizedBackend", "open_backend"]
