"""Checkpoints: written under a temporary name and renamed, so that the last good one is always there."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from gossamer.errors import DataError

__all__ = ["CHECKPOINT_NAME", "load_checkpoint", "save_checkpoint"]

CHECKPOINT_NAME = "last.ckpt"
_SCHEMA = 1


def save_checkpoint(folder: Path, values: dict[str, Any]) -> Path:
    """Write ``values`` (tensors, numbers, strings, containers of these) as the folder's newest checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CHECKPOINT_NAME
    temporary = folder / f".{CHECKPOINT_NAME}.tmp"
    torch.save({"schema": _SCHEMA, **values}, temporary)
    temporary.replace(path)
    return path


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint. Nothing but tensors and plain values is unpickled.

    Raises:
        DataError: it is missing, damaged, or of another version.
    """
    if path.is_dir():
        path = path / CHECKPOINT_NAME
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"Cannot read the checkpoint {path}: {error.strerror}.") from error
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} is damaged or not a checkpoint; start again or use an older one.") from error
    if not isinstance(values, dict) or values.get("schema") != _SCHEMA:
        raise DataError(f"{path} is not a checkpoint of this version.")
    result: dict[str, Any] = values
    return result
