"""``gossamer worker``: the process that Nuke and Blender start and talk to."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="worker")(worker)


def worker(
    idle_timeout: Annotated[
        float, typer.Option(min=1.0, help="Seconds without a request after which the worker ends.")
    ] = 600.0,
) -> None:
    """Serve a host over standard input and output. Started by the adapters, not by hand.

    Messages are those of core/gossamer_bridge/README.md. The log goes to standard error.
    """
    from gossamer.worker.channel import claim_pipes

    stdin, stdout = claim_pipes()
    logging.getLogger("gossamer").setLevel(logging.INFO)
    from gossamer.worker.server import Server
    from gossamer.worker.watch import end_on_signals, watch_parent

    server = Server(stdin, stdout, idle_timeout=idle_timeout)
    end_on_signals(server.end)
    watch_parent(server.ending, server.end)
    server.run()
