"""The list of commands; a new one is added here and nowhere else."""

import importlib

import typer

__all__ = ["COMMANDS", "register"]

COMMANDS: tuple[str, ...] = (
    "matte",
    "run_job",
    "evaluate",
    "doctor",
    "models",
    "train",
)
"""Modules of this package that offer ``register(app)``, in the order in which the help lists them."""


def register(app: typer.Typer) -> None:
    """Add every command to ``app``."""
    for name in COMMANDS:
        importlib.import_module(f"gossamer.cli.{name}").register(app)
