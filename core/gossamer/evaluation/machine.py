"""Facts about this machine: what is installed, how many cores, how much memory."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

__all__ = ["cores", "memory", "version_of", "versions"]

# Packages that decide the numbers of a result.
_COUNTED = (
    "gossamer-matting",
    "numpy",
    "opencv-python-headless",
    "opencolorio",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "torch",
    "PyMatting",
)


def version_of(distribution: str) -> str | None:
    """Version of an installed package by its name on the package index; nothing is imported."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Python and the installed packages that decide a result's numbers."""
    found = {name: version_of(name) for name in _COUNTED}
    return {"python": platform.python_version(), **{name: text for name, text in found.items() if text is not None}}


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> tuple[int, int] | None:
    """Bytes of memory in all and still available, within this process's control group; None where nobody can say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = {name: int(value.split()[0]) * 1024 for name, value in (line.split(":") for line in lines)}
        total, available = fields["MemTotal"], fields["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        return _memory_elsewhere()
    limit, used = (_control_group(name) for name in ("memory.max", "memory.current"))
    if limit is not None and used is not None:
        total, available = min(total, limit), max(0, min(available, limit - used))
    return total, available


def _control_group(name: str) -> int | None:
    try:
        return int(Path("/sys/fs/cgroup", name).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no control group, or the word "max"
        return None


def _memory_elsewhere() -> tuple[int, int] | None:
    """Systems without /proc: what the C library tells, which for macOS is the installed memory only."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return total, total
