"""One warm worker for a host: started when it is needed, replaced when it is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gossamer_bridge.client import WorkerClient, WorkerSettings

__all__ = ["WorkerKeeper"]


class WorkerKeeper:
    """Keeps one warm worker for a host; starts it when it is needed and replaces it when it is gone. Thread-safe."""

    def __init__(self, settings: WorkerSettings = WorkerSettings()) -> None:  # noqa: B008 - frozen
        self._settings = settings
        self._client: WorkerClient | None = None
        self._starting: WorkerClient | None = None
        self._lock = threading.Lock()

    @property
    def current(self) -> WorkerClient | None:
        """The worker that is there, dead or alive; None before the first job. Never starts one."""
        return self._client

    @property
    def starting_pid(self) -> int | None:
        """Of the worker that is being started just now, in another thread."""
        starting = self._starting
        return None if starting is None else starting.pid

    def client(self, *, cancelled: Callable[[], bool] | None = None) -> WorkerClient:
        """A worker that runs, started now if there is none.

        Raises:
            JobCancelledError: ``cancelled`` said so while it was started.
            WorkerNotFoundError, WorkerStartError, WorkerVersionError, WorkerTimeoutError: see ``WorkerClient.start``.
        """
        with self._lock:
            if self._client is None or not self._client.is_alive:
                if self._client is not None:
                    self._client.kill()
                self._client = None
                self._starting = client = WorkerClient(self._settings)
                try:
                    client.start(cancelled=cancelled)
                finally:
                    self._starting = None
                self._client = client
            return self._client

    def change(self, settings: WorkerSettings) -> None:
        """Use other settings from now on; the worker that runs is closed if they differ."""
        if settings != self._settings:
            self.close()
            self._settings = settings

    def close(self) -> None:
        """End the worker, also one that is being started. The keeper can be used again."""
        starting = self._starting
        if starting is not None:
            starting.kill()
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
