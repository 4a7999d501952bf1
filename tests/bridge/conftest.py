"""Settings with short deadlines, and clients that leave nothing running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from gossamer_bridge.client import WorkerClient, WorkerSettings
from tests.fakes.fake_worker import Life, fake_worker

QUICK = WorkerSettings(
    start_timeout=20,
    answer_timeout=20,
    load_timeout=20,
    silence_timeout=20,
    stall_timeout=20,
    cancel_timeout=20,
    close_timeout=2,
)
"""Deadlines that a healthy fake never reaches, on a loaded machine either."""


@pytest.fixture
def make_client() -> Iterator[Callable[..., WorkerClient]]:
    """Makes clients of fake workers; ends them after the test and says if a process is left."""
    made: list[WorkerClient] = []

    def make(*lives: Life, **changes: Any) -> WorkerClient:
        client = WorkerClient(replace(QUICK, **{"command": fake_worker(*lives), **changes}))
        made.append(client)
        return client

    yield make
    for client in made:
        client.kill()
        assert not client.is_alive
