"""What the worker says about itself and the machine."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gossamer import __version__
from gossamer.errors import GossamerError
from gossamer.evaluation.machine import cores, memory, versions
from gossamer.inference.solver import CLASSICAL
from gossamer.models.weights import list_manifests
from gossamer_bridge.protocol import PROTOCOL_VERSION

__all__ = ["describe_self", "greet", "memory_used"]

logger = logging.getLogger(__name__)

QUERY_TIMEOUT = 5.0
"""Seconds for the driver's own program."""


class VersionError(GossamerError):
    """The host speaks another version of the protocol."""

    exit_code = 2


def greet(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to ``hello``, if both sides speak the same protocol.

    Raises:
        VersionError: they do not; the message says which side is to be updated, and how.
    """
    asked = arguments.get("protocol")
    logger.info("hello from %s, protocol %s", arguments.get("host") or "an unnamed host", asked)
    if asked == PROTOCOL_VERSION:
        return describe_self()
    if isinstance(asked, int) and asked > PROTOCOL_VERSION:
        remedy = f"Update the worker: {sys.executable} -m pip install --upgrade gossamer-matting"
    else:
        remedy = f"Update the add-on: run `{sys.executable} -m gossamer install-hosts` and restart the host."
    raise VersionError(
        f"The worker is Gossamer {__version__} with protocol {PROTOCOL_VERSION}, the add-on is "
        f"{arguments.get('bridge', '?')} and wants protocol {asked}. {remedy}"
    )


def describe_self() -> dict[str, Any]:
    """The answer to ``hello``: see :class:`gossamer_bridge.answers.Hello`."""
    total, free = memory() or (0, 0)
    return {
        "protocol": PROTOCOL_VERSION,
        "version": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "pid": os.getpid(),
        "models": _models(),
        "devices": [_cpu(total, free), *_cuda()],
        "memory_total": total,
        "memory_free": free,
        "packages": versions(),
    }


def memory_used() -> int:
    """Bytes of this process that lie in memory; 0 where nobody can say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0


def _models() -> list[dict[str, Any]]:
    found = [
        {
            "name": manifest.name,
            "license": manifest.license,
            "needs_trimap": manifest.needs_trimap,
            "parameters": manifest.parameters,
        }
        for manifest in list_manifests()
    ]
    if importlib.util.find_spec("pymatting") is not None:
        found += [{"name": name, "license": "MIT", "needs_trimap": True, "parameters": 0} for name in CLASSICAL]
    return found


def _cpu(total: int, free: int) -> dict[str, Any]:
    text = f"{platform.machine()}, {cores()} cores"
    return {"name": "cpu", "description": text, "memory_total": total, "memory_free": free}


def _cuda() -> list[dict[str, Any]]:
    """The first NVIDIA card, if a library that is installed can use it. The driver is asked before any import."""
    program = shutil.which("nvidia-smi")
    if program is None or not _is_built_for_cuda():
        return []
    command = [program, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=QUERY_TIMEOUT, check=True
        )
        name, total, free = (part.strip() for part in answer.stdout.splitlines()[0].split(","))
        sizes = int(total) * 2**20, int(free) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        logger.info("%s: %s", program, error)
        return []
    return [{"name": "cuda", "description": name, "memory_total": sizes[0], "memory_free": sizes[1]}]


def _is_built_for_cuda() -> bool:
    try:
        if "CUDAExecutionProvider" in importlib.import_module("onnxruntime").get_available_providers():
            return True
    except ImportError as error:
        logger.info("%s", error)
    try:
        return bool(importlib.import_module("torch").cuda.is_available())
    except (ImportError, OSError):
        return False
