"""The list of commands; a new one is added here and nowhere else."""

import importlib
import importlib.metadata

import typer

__all__ = ["COMMANDS", "register"]

COMMANDS: tuple[str, ...] = (
    "matte",
    "run_job",
    "evaluate",
    "bench",
    "doctor",
    "models",
    "convert",
    "train",
    "refine_foregrounds",
    "worker",
    "install_hosts",
)
"""Modules of this package that offer ``register(app)``, in the order in which the help lists them."""


GROUP = "gossamer.commands"
"""Entry point group: functions that take the app and add commands. Core imports no room above it."""


def register(app: typer.Typer) -> None:
    """Add every command to ``app``: this package's, then those of the rooms above it."""
    for name in COMMANDS:
        importlib.import_module(f"gossamer.cli.{name}").register(app)
    for entry in importlib.metadata.entry_points(group=GROUP):
        entry.load()(app)
