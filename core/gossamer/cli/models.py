"""``gossamer models``: what there is, with licence, size and numbers."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from typing import Annotated, Any

import typer

__all__ = ["register"]


def _mean_line(metrics: dict[str, Any]) -> str:
    lines = []
    for name, values in metrics.items():
        mean = values.get("mean", {}) if isinstance(values, dict) else {}
        numbers = ", ".join(f"{key} {mean[key]:.4g}" for key in ("sad", "mse", "grad") if key in mean)
        if numbers:
            lines.append(f"{name}: {numbers}")
    return "\n".join(lines)


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
    from rich.table import Table

    table = Table(title="Weights that come with Gossamer")
    for column in ("name", "licence", "parameters", "files", "trained on", "numbers (unknown region)"):
        table.add_column(column)
    for manifest in manifests:
        files = ", ".join(f"{kind} {entry.bytes / 1e6:.1f} MB" for kind, entry in manifest.files.items())
        training = manifest.training
        data = "; ".join(f"{entry['name']} ({entry['license']})" for entry in training.get("data", []))
        samples = f"{training['samples']:,} samples: " if "samples" in training else ""
        table.add_row(
            manifest.name,
            manifest.license,
            f"{manifest.parameters / 1e6:.2f} M",
            files,
            samples + data,
            _mean_line(dict(manifest.metrics)),
        )
    console = Console()
    console.print(table)
    console.print(f"Reference solvers (extra `classical`): {', '.join(CLASSICAL)}")
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
