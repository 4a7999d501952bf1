"""Networks that stay loaded between jobs."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
import threading
from typing import Any

from gossamer.inference.backends import Backend, open_backend
from gossamer.inference.interruption import RunningPasses
from gossamer.models.weights import Manifest

__all__ = ["KeptNetworks"]

logger = logging.getLogger(__name__)


class KeptNetworks:
    """Opens networks like :func:`gossamer.inference.backends.open_backend` and keeps the last one.

    One only, because Nuke or Blender wants the same card. A network is the same if its weights' hashes and every wish
    (backend, device, precision, threads) are; tile, outputs and everything else about a job may differ.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[object, ...], str, Backend] | None = None
        self._lock = threading.Lock()
        self.was_loaded = False
        """Whether the last network that was asked for was there already."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the models that are held."""
        kept = self._kept
        return () if kept is None else (kept[1],)

    def open(self, manifest: Manifest, **wishes: Any) -> Backend:
        """The network of ``manifest``, loaded now or before.

        Raises:
            GossamerError: see :func:`gossamer.inference.backends.open_backend`; nothing is kept then.
        """
        files = tuple(sorted((kind, entry.sha256) for kind, entry in manifest.files.items()))
        # Who listens changes with the job, and is no wish.
        plain = {name: value for name, value in wishes.items() if value is not None and not callable(value)}
        key = (str(manifest.folder), manifest.architecture, files, tuple(sorted(plain.items())))
        with self._lock:
            if self._kept is not None and self._kept[0] == key:
                self.was_loaded = True
                if (passes := _passes(self._kept[2])) is not None:
                    passes.resume()
                return self._kept[2]
            self.was_loaded = False
            self._drop()  # before the next one is loaded: both may not fit
            backend = open_backend(manifest, **wishes)
            self._kept = (key, manifest.name, backend)
            return backend

    def interrupt(self) -> None:
        """Stop the pass that goes on, if the library can be stopped: it then fails with a ModelError.

        Never waits. The next :meth:`open` lets passes run again.
        """
        kept = self._kept
        passes = None if kept is None else _passes(kept[2])
        if passes is not None:
            passes.interrupt()

    def release(self) -> int:
        """Let go of everything and give the memory back to the system. Gives the number of networks released."""
        with self._lock:
            return self._drop()

    def _drop(self) -> int:
        count = 0 if self._kept is None else 1
        self._kept = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        if sys.platform == "linux":
            try:
                ctypes.CDLL(None).malloc_trim(0)
            except (OSError, AttributeError) as error:  # not glibc
                logger.debug("malloc_trim: %s", error)
        return count


def _passes(backend: Backend) -> RunningPasses | None:
    """The passes of a backend that can be stopped in the middle of one."""
    return getattr(backend, "passes", None)
