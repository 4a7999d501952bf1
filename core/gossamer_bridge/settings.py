"""A host's knobs as a job: plain values in, the JSON that ``gossamer run`` and the worker read out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer_bridge.errors import KnobError

__all__ = ["JOB_SCHEMA", "Knobs", "absolute_path", "frames_text", "job_values", "name_knobs", "parse_frames"]

JOB_SCHEMA = 1
"""The same number as in ``gossamer.config``; a test compares them."""

BACKDROPS = ("checker", "grey", "black", "white", "green")
CLOSED_PATH = ("plate", "trimap", "mask", "core_matte", "garbage_matte", "output")
_OPTION = re.compile(r"--[a-z][a-z-]*[a-z]")
_PIECE = re.compile(r"\s*(-?\d+)(?:\s*-\s*(-?\d+)(?:\s*x\s*(\d+))?)?\s*")


@dataclass(frozen=True)
class Knobs:
    """What an artist can set. Names and meanings are those of ``gossamer.config.Job``; defaults too."""

    plate: str = ""
    """A file, a pattern with ``####`` or ``%04d``, a folder or a movie."""
    trimap: str = ""
    mask: str = ""
    core_matte: str = ""
    garbage_matte: str = ""
    band_inside: float = 12.0
    """Unknown pixels inside the mask's edge, at a width of 1920."""
    band_outside: float = 24.0
    """Unknown pixels outside the mask's edge, at a width of 1920."""
    frames: str = ""
    """``1001-1100x2,1150``; :func:`frames_text` makes it from numbers. Empty: every frame the plate has."""
    missing: str = "error"
    """``error`` or ``skip``: frames that the plate or a guide lacks."""
    plate_space: str = ""
    """OCIO colour space, role or alias. Empty: what the file says."""
    model: str = "gossamer-s"
    """A name or the path of weights."""
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    tile: int = 0
    threads: int = 0
    refine: int = 0
    """Steps of back-propagating refinement; 0: none."""
    tta: str = "none"
    """Answers to turned or larger copies that are averaged: ``none``, ``flips``, ``fine``, ``views``."""
    nonlocal_mean: str = "auto"
    """Whether pixels of like colour draw each other's alpha together: ``auto``, ``on``, ``off``."""
    output: str = ""
    """A folder, a file, or a pattern."""
    channels: str = "alpha"
    """``alpha``, ``rgba`` or ``premult``."""
    layer: str = ""
    foreground: bool = False
    confidence: bool = False
    comp: str = ""
    """``checker``, ``grey``, ``black``, ``white``, ``green`` or a picture file. Empty: no preview."""
    data_type: str = "half"
    compression: str = "zip"
    existing: str = "overwrite"
    """``error``, ``skip`` or ``overwrite``. A button in a host means: do it again."""


def job_values(knobs: Knobs, *, base_folder: str = "") -> dict[str, Any]:
    """The job for these knobs, as ``gossamer.config.load_job`` reads it; every path is absolute.

    Settings that a worker of an older version does not know are left out as long as they have their default.

    Args:
        knobs: what the artist set.
        base_folder: what relative paths are relative to, usually the folder of the script or scene. Empty: relative
            paths are refused, for the worker's own folder is not the host's.

    Raises:
        KnobError: a knob without a value, or with one that cannot be used.
    """
    if not knobs.plate.strip():
        raise KnobError("No plate is chosen.", next_step="Choose the plate's picture, sequence or movie.")
    if not knobs.output.strip():
        raise KnobError("No output is chosen.", next_step="Choose the folder or file that receives the matte.")
    if knobs.frames.strip() and not all(map(_PIECE.fullmatch, knobs.frames.split(","))):
        raise KnobError(f"frames is {knobs.frames!r}.", next_step="Write it like 1001-1100x2,1150.")
    paths = {name: absolute_path(getattr(knobs, name), base_folder, knob=name) for name in CLOSED_PATH}
    comp, model = knobs.comp, knobs.model.strip()
    if comp and comp not in BACKDROPS:
        comp = absolute_path(comp, base_folder, knob="comp")
    if "/" in model or os.sep in model:
        model = absolute_path(model, base_folder, knob="model")
    output = paths.pop("output")
    values: dict[str, Any] = {
        "schema": JOB_SCHEMA,
        **paths,
        "band": {"inside": float(knobs.band_inside), "outside": float(knobs.band_outside)},
        "frames": knobs.frames.strip(),
        "missing": knobs.missing,
        "plate_space": knobs.plate_space,
        "model": model,
        "backend": knobs.backend,
        "device": knobs.device,
        "precision": knobs.precision,
        "tile": int(knobs.tile),
        "threads": int(knobs.threads),
        "outputs": {
            "path": output,
            "channels": knobs.channels,
            "layer": knobs.layer,
            "foreground": bool(knobs.foreground),
            "confidence": bool(knobs.confidence),
            "comp": comp,
            "data_type": knobs.data_type,
            "compression": knobs.compression,
            "existing": knobs.existing,
        },
    }
    if knobs.refine:
        values["refine"] = int(knobs.refine)
    if knobs.tta != "none":
        values["tta"] = knobs.tta
    if knobs.nonlocal_mean != "auto":
        values["nonlocal_mean"] = knobs.nonlocal_mean
    return values


def absolute_path(text: str, base_folder: str = "", *, knob: str = "path") -> str:
    """``text`` as a path or pattern that means the same in any process; empty stays empty, a closing slash stays.

    Raises:
        KnobError: it is relative and there is no ``base_folder``, or it holds a NUL.
    """
    stripped = text.strip()
    if not stripped:
        return ""
    if "\0" in stripped:
        raise KnobError(f"{knob} holds a NUL character.", next_step="Type the path again.")
    path = Path(stripped).expanduser()
    if not path.is_absolute():
        if not base_folder:
            raise KnobError(
                f"{knob} is the relative path {stripped!r}.",
                next_step="Save the script or scene first, or give an absolute path.",
            )
        path = Path(base_folder) / path
    # Not resolve(): links are the studio's, and the job names what the artist named.
    made = os.path.abspath(path)  # noqa: PTH100
    is_folder = stripped.endswith(("/", os.sep))
    return made + "/" if is_folder and not made.endswith(os.sep) else made


def frames_text(frames: Iterable[int]) -> str:
    """Frame numbers as text, runs of one step joined: ``1001-1005,1007-1011x2,1020``."""
    left = sorted(set(frames))
    pieces: list[str] = []
    start = 0
    while start < len(left):
        step = left[start + 1] - left[start] if start + 1 < len(left) else 1
        end = start
        while end + 1 < len(left) and left[end + 1] - left[end] == step:
            end += 1
        if end == start or (end == start + 1 and step > 1):
            pieces.append(str(left[start]))
            start += 1
            continue
        pieces.append(f"{left[start]}-{left[end]}" + (f"x{step}" if step > 1 else ""))
        start = end + 1
    return ",".join(pieces)


def parse_frames(text: str) -> tuple[int, ...]:
    """The reverse of :func:`frames_text`; empty text gives no frames.

    Raises:
        KnobError: the text is no frame range.
    """
    frames: set[int] = set()
    for piece in text.split(",") if text.strip() else ():
        match = _PIECE.fullmatch(piece)
        if match is None:
            raise KnobError(f"frames is {text!r}.", next_step="Write it like 1001-1100x2,1150.")
        first = int(match[1])
        frames.update(range(first, int(match[2] or first) + 1, max(1, int(match[3] or 1))))
    return tuple(sorted(frames))


def name_knobs(text: str, names: Mapping[str, str]) -> str:
    """A sentence of the command line's in a host's words: ``Give --tile a smaller number`` names its knob.

    Args:
        text: a message of the worker's.
        names: the host's name of each option. One that it has no knob for stays as it is.
    """
    return _OPTION.sub(lambda option: names.get(option[0], option[0]), text)
