"""What a node's mattes are made from, so that one that was made from something else counts as out of date."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

from gossamer_bridge import __version__ as gossamer_version
from gossamer_bridge.settings import Knobs
from gossamer_nuke.color import ScriptColor
from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import nuke
from gossamer_nuke.knobs import Settings
from gossamer_nuke.upstream import recipe

__all__ = ["digest", "job_knobs"]


def job_knobs(settings: Settings, color: ScriptColor) -> Knobs:
    """The part of the job that is the same for every batch; the bands of a mask are a frame's own."""
    return Knobs(
        plate_space=color.space,
        model=settings.model,
        backend=settings.backend,
        device=settings.device,
        precision=settings.precision,
        tile=settings.tile,
        refine=settings.refine,
        tta=settings.tta,
        nonlocal_mean=settings.nonlocal_mean,
        foreground=settings.wants_foreground,
        confidence=settings.write_confidence,
        data_type=settings.data_type,
        existing="overwrite",
    )


def digest(node: nuke.Group, settings: Settings, color: ScriptColor) -> str:
    """Knobs, the nodes above, colours and weights in one text: mattes made from the same are alike.

    Raises:
        NukeError: a part of the node is missing.
    """
    job = dataclasses.asdict(job_knobs(settings, color))
    inner = {name: _inner_knobs(node, name) for name in ("PickGuide", "PickCore", "PickGarbage")}
    values = {"job": job, "guide": settings.guide, "transfer": settings.transfer, "inner": inner}
    values.update(gossamer=gossamer_version, weights=_weights(settings.model))
    config = [color.named, bool(color.config), *color.defaults]
    text = json.dumps({**values, "recipe": recipe(node), "config": config}, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _weights(model: str) -> list[str]:
    """Digests of the manifests of weights that are given by path: they vouch for the files, so a new training into the
    same folder changes them. Those of a name come with Gossamer and change with its version.
    """
    if "/" not in model and os.sep not in model:
        return []
    path = Path(model).expanduser()
    if path.is_dir():
        manifests = sorted(path.glob("*.json"))
    else:
        beside = [path.with_name(f"{path.name}.json"), path.with_name("manifest.json")]
        manifests = [path] if path.suffix == ".json" else beside
    return [hashlib.sha256(manifest.read_bytes()).hexdigest() for manifest in manifests if manifest.is_file()]


def _inner_knobs(node: nuke.Group, name: str) -> str:
    """Which channel a guide is taken from; the node's own knob is a link to this one."""
    inner = node.node(name)
    if inner is None:
        raise NukeError(f"{node.fullName()} has no node {name} inside. Make a new Gossamer node from the menu.")
    return str(inner["from0"].value())
