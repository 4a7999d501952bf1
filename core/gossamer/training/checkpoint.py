"""Checkpoints: written under a temporary name and renamed, so that the last good one is always there."""

from __future__ import annotations

import contextlib
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from gossamer.errors import DataError

__all__ = ["CHECKPOINT_NAME", "load_checkpoint", "save_checkpoint"]

CHECKPOINT_NAME = "last.ckpt"
_SCHEMA = 1
_KEYS = ("recipe", "step", "samples", "model", "optimizer", "average")


def save_checkpoint(folder: Path, values: dict[str, Any]) -> Path:
    """Write ``values`` (tensors, numbers, strings, containers of these) as the folder's newest checkpoint.

    Raises:
        DataError: it cannot be written (full disk, no permission); the one before is untouched.
    """
    path = folder / CHECKPOINT_NAME
    temporary = folder / f".{CHECKPOINT_NAME}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            torch.save({"schema": _SCHEMA, **values}, stream)
            stream.flush()
            os.fsync(stream.fileno())  # else a power cut could leave the new name on an empty file
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch's zip writer turns a full disk into a RuntimeError
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(
            f"Cannot write the checkpoint {path}: {reason}. The one before is untouched: make room, then --resume."
        ) from error
    return path


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, or the newest one of a run's folder. Only tensors and plain values are unpickled.

    Raises:
        DataError: it is missing, damaged, or of another version.
    """
    if path.is_dir():
        path = path / CHECKPOINT_NAME
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"Cannot read the checkpoint {path}: {error.strerror}.") from error
    except (
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        pickle.UnpicklingError,
    ) as error:
        raise DataError(f"{path} is damaged or not a checkpoint; start again or use an older one.") from error
    if not isinstance(values, dict) or values.get("schema") != _SCHEMA or not values.keys() >= set(_KEYS):
        raise DataError(f"{path} is not a checkpoint of this version; start again in another folder.")
    result: dict[str, Any] = values
    return result
