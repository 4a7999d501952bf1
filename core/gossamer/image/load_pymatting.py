"""PyMatting, loaded where it is used: most jobs never need it, nor the compiler that it brings."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from gossamer.errors import MissingDependencyError

__all__ = ["load_pymatting"]


def load_pymatting(purpose: str) -> ModuleType:
    """The module ``pymatting``; torch keeps the number of threads it has.

    Both use one OpenMP, and numba, which compiles PyMatting when it is imported, gives it every core: a network that
    was told to use one thread would compute with all of them from then on.

    Args:
        purpose: what needs it, the beginning of the error's sentence.

    Raises:
        MissingDependencyError: PyMatting is not installed.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    try:
        return importlib.import_module("pymatting")
    except ImportError as error:
        raise MissingDependencyError(
            f'{purpose} needs PyMatting: pip install "gossamer-matting[classical]".'
        ) from error
    finally:
        if torch is not None:
            torch.set_num_threads(threads)
