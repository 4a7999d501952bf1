"""``gossamer models``: what there is, with licence, size and numbers."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gossamer.models.weights import Manifest

__all__ = ["register"]


def _facts(manifest: Manifest) -> dict[str, list[str]]:
    """What a person wants to know of a set of weights: label to lines."""
    training = manifest.training
    trained = []
    if "samples" in training:
        # Weights that a run started from, or was averaged with, have learned from others before.
        device = training.get("device") or "an unnamed device"
        trained.append(f"{training['samples']:,} samples in the last run, on {device}")
    data = [f"{entry['name']} ({entry['license']})" for entry in training.get("data", [])]
    numbers = []
    for name, values in manifest.metrics.items():
        mean = values.get("mean", {})
        shown = ", ".join(f"{key} {mean[key]:.4g}" for key in ("sad", "mse", "grad", "conn") if key in mean)
        numbers.append(f"{name}, unknown region: {shown}")
    return {
        "files": [f"{kind} {entry.bytes / 1e6:.1f} MB" for kind, entry in manifest.files.items()],
        "trained": trained,
        "data": data,
        "numbers": numbers,
    }


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the models: shipped weights, reference solvers, and networks that can be trained or converted."""
    from gossamer.inference.solver import CLASSICAL
    from gossamer.models.weights import list_manifests

    manifests = list_manifests()
    networks: list[str] = []
    if importlib.util.find_spec("torch") is not None:
        from gossamer.models.registry import list_models

        networks = list_models()
    if as_json:
        shipped = [
            {**{key: value for key, value in dataclasses.asdict(manifest).items() if key != "folder"}}
            for manifest in manifests
        ]
        print(json.dumps({"weights": shipped, "classical": list(CLASSICAL), "networks": networks}, indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]Weights that come with Gossamer[/bold]")
    for manifest in manifests:
        console.print(
            f"\n[bold]{manifest.name}[/bold]  {manifest.license}, {manifest.parameters / 1e6:.2f} M parameters"
        )
        for label, lines in _facts(manifest).items():
            for number, line in enumerate(lines):
                console.print(f"  {label if number == 0 else '':<12}{line}", markup=False)
    console.print(f"\nReference solvers (extra `classical`): {', '.join(CLASSICAL)}", markup=False)
    if networks:
        console.print(
            "Networks without shipped weights: "
            + ", ".join(sorted(set(networks) - {manifest.name for manifest in manifests}))
        )
    else:
        console.print('The papers\' networks need torch: pip install "gossamer-matting[torch]"')


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(models)
