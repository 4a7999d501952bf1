"""What the worker answers, as frozen dataclasses; unknown fields of a newer worker are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from gossamer_bridge.errors import WireFormatError

__all__ = ["Device", "FrameDone", "Hello", "MatteDone", "ModelInfo", "Prepared", "Status", "engine_text"]

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ModelInfo:
    """A model that the worker can load by name."""

    name: str
    license: str
    needs_trimap: bool
    parameters: int
    """0 for solvers without a network."""


@dataclass(frozen=True)
class Device:
    """Something a model can run on."""

    name: str
    """What the knob ``device`` takes: ``cpu``, ``cuda``."""
    description: str
    memory_total: int = 0
    """Bytes; 0: nobody can say."""
    memory_free: int = 0


@dataclass(frozen=True)
class Hello:
    """Who the worker is."""

    protocol: int
    version: str
    """Of Gossamer."""
    python: str
    executable: str
    pid: int
    models: tuple[ModelInfo, ...] = ()
    devices: tuple[Device, ...] = ()
    memory_total: int = 0
    memory_free: int = 0
    packages: Mapping[str, str] = field(default_factory=dict)
    """Versions of the libraries that decide a result."""

    def describe(self) -> str:
        """One line for a preferences panel."""
        devices = ", ".join(f"{device.name} ({device.description})" for device in self.devices)
        return f"Gossamer {self.version}, Python {self.python}, {devices}; models: " + ", ".join(
            model.name for model in self.models
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Hello:
        """From the reply's values. Raises WireFormatError."""
        models = [_build(ModelInfo, value) for value in values.get("models", ())]
        devices = [_build(Device, value) for value in values.get("devices", ())]
        return _build(cls, {**values, "models": tuple(models), "devices": tuple(devices)})


@dataclass(frozen=True)
class Prepared:
    """A model is loaded and warm."""

    model: str
    identity: str
    """SHA-256 of its weights, or the version of a library."""
    needs_trimap: bool
    asked: Mapping[str, Any]
    done: Mapping[str, Any]
    """``backend``, ``device``, ``precision``, ``threads``, ``tile`` as they are."""
    seconds: float
    was_loaded: bool
    """Whether it was there already."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Prepared:
        """From the reply's values. Raises WireFormatError."""
        return _build(cls, values)


@dataclass(frozen=True)
class FrameDone:
    """A frame that has just been written."""

    frame: int
    outputs: tuple[str, ...]
    """Its files, the matte first."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> FrameDone:
        """From an event's values. Raises WireFormatError."""
        outputs, notes = tuple(values.get("outputs", ())), tuple(values.get("notes", ()))
        return _build(cls, {**values, "outputs": outputs, "notes": notes})


@dataclass(frozen=True)
class MatteDone:
    """A job is finished."""

    asked: Mapping[str, Any]
    done: Mapping[str, Any]
    frames: tuple[FrameDone, ...]
    """Frames of this run, in the order in which they were written."""
    finished_before: str
    """Frames that lay finished already, as text; empty: none."""
    missing: str
    """Frames that were left out because files are missing, as text."""
    seconds: float
    was_loaded: bool
    """Whether the model was warm."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """What the worker is doing."""

    state: str
    """``idle``, ``loading``, ``working``."""
    queued: int
    loaded: tuple[str, ...]
    """Models that are held."""
    memory_used: int
    """Bytes of this process; 0: nobody can say."""
    memory_free: int

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Status:
        """From the reply's values. Raises WireFormatError."""
        return _build(cls, {**values, "loaded": tuple(values.get("loaded", ()))})


def engine_text(done: Mapping[str, Any]) -> str:
    """``onnxruntime 1.20 on cpu, fp32, tile 512`` from the values of ``done``."""
    text = f"{done.get('backend', '?')} on {done.get('device', '?')}, {done.get('precision', '?')}"
    tile = done.get("tile")
    return f"{text}, tile {tile}" if tile and tile != "auto" else text


def _build(kind: type[Answer], values: Mapping[str, Any]) -> Answer:
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    try:
        return kind(**{name: value for name, value in values.items() if name in known})
    except TypeError as error:
        raise WireFormatError(f"The worker's answer is no {kind.__name__}: {error}.") from error
