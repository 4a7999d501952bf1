"""PyMatting, loaded where it is used: most jobs never need it, nor the compiler that it brings."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

from gossamer.errors import MissingDependencyError

__all__ = ["import_pymatting", "load_pymatting"]


def import_pymatting() -> ModuleType:
    """The module ``pymatting``; torch keeps the number of threads it has.

    Both use one OpenMP, and numba, which compiles PyMatting when it is imported, gives it every core: a network that
    was told to use one thread would compute with all of them from then on.

    Raises:
        ImportError: PyMatting is not installed, or does not load.
    """
    # Where the system has TBB, numba takes it first, and TBB tells on stderr of every process that is begun later.
    os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    try:
        return importlib.import_module("pymatting")
    finally:
        if torch is not None:
            torch.set_num_threads(threads)


def load_pymatting(purpose: str) -> ModuleType:
    """:func:`import_pymatting` for a user.

    Args:
        purpose: what needs it, the beginning of the error's sentence.

    Raises:
        MissingDependencyError: PyMatting is not installed.
    """
    try:
        return import_pymatting()
    except ImportError as error:
        raise MissingDependencyError(
            f'{purpose} needs PyMatting: pip install "gossamer-matting[classical]".'
        ) from error
