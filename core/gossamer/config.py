"""Every setting a user can make, as frozen dataclasses that travel as JSON. No torch, no numpy."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gossamer.errors import SettingError

__all__ = [
    "REFERENCE_WIDTH",
    "Band",
    "Job",
    "Outputs",
    "job_from_values",
    "load_job",
    "save_job",
]

REFERENCE_WIDTH = 1920
"""Distances in pixels are stated at this plate width and scale with the plate (product.md, section 2)."""

JOB_SCHEMA = 1

BACKENDS = ("auto", "onnxruntime", "openvino", "torch", "tensorrt", "onnxruntime-tensorrt")
DEVICES = ("auto", "cpu", "cuda")
STRATEGIES = ("auto", "tiles", "whole", "resize", "hybrid")
TTA = ("none", "flips", "fine", "views")
NONLOCAL_MEAN = ("auto", "on", "off")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingError(message)


@dataclass(frozen=True)
class Band:
    """How a mask becomes a trimap: the unknown band around the mask's edge, in pixels at a width of 1920."""

    inside: float = 12.0
    """Distance from the edge inwards that is unknown."""
    outside: float = 24.0
    """Distance from the edge outwards that is unknown."""

    def __post_init__(self) -> None:
        _require(self.inside >= 0, f"--band-in is {self.inside}; give 0 or more pixels.")
        _require(self.outside >= 0, f"--band-out is {self.outside}; give 0 or more pixels.")
        _require(self.inside + self.outside > 0, "--band-in and --band-out are both 0: nothing would be unknown.")


@dataclass(frozen=True)
class Outputs:
    """What is written for each frame."""

    path: str = ""
    """A folder, a file, or a pattern with ``####`` or ``%04d``. A folder takes the plate's own file names."""
    channels: Literal["alpha", "grey", "rgba", "premult"] = "alpha"
    """``alpha``: channel A alone. ``grey``: the matte as a grey picture (channel ``Y``), for programs that show a lone
    A as black. ``rgba``: the plate's RGB bit for bit plus A. ``premult``: scene-linear foreground times alpha, plus
    A."""
    layer: str = ""
    """Layer that receives the matte, e.g. ``matte`` gives ``matte.alpha``. Empty: the channel ``A``."""
    foreground: bool = False
    """Also write ``foreground.R/G/B``: unpremultiplied, scene-linear, unclamped."""
    confidence: bool = False
    """Also write the channel ``confidence`` (0..1; 1 in known regions)."""
    comp: str = ""
    """A look at the result over ``checker``, ``grey``, ``black``, ``white``, ``green`` or a picture file.
    Written as PNG beside the matte. Empty: none."""
    data_type: Literal["half", "float", "uint16", "uint8"] = "half"
    """Pixel type of the matte. EXR holds half or float; PNG and TIFF outputs hold uint16 (which they take instead of
    half) or uint8, rounded to the nearest step; TIFF also float."""
    compression: str = "zip"
    """EXR compression; lossy ones are refused for mattes."""
    existing: Literal["error", "skip", "overwrite"] = "error"
    """What to do where a finished frame lies already."""

    def __post_init__(self) -> None:
        _require(
            self.channels in ("alpha", "grey", "rgba", "premult"),
            f"--output-channels is {self.channels!r}; use alpha, grey, rgba or premult.",
        )
        _require(
            not (self.channels == "grey" and self.layer),
            f"--output-channels grey is a picture of its own and has no --layer {self.layer}. Leave one of them out.",
        )
        _require(
            self.data_type in ("half", "float", "uint16", "uint8"),
            f"--data-type is {self.data_type!r}; use half or float (EXR), uint16 or uint8 (PNG, TIFF).",
        )
        _require(self.existing in ("error", "skip", "overwrite"), f"Unknown value for existing: {self.existing!r}.")
        lossless = ("zip", "zips", "piz", "rle", "none")
        _require(
            self.compression in lossless,
            f"Compression {self.compression!r} is lossy or unknown; mattes are written with {', '.join(lossless)}.",
        )


@dataclass(frozen=True)
class Job:
    """One request: which frames, which guides, which model, what to write. The same for CLI, hosts and farm.

    Two jobs that differ only in ``frames``, ``existing``, ``missing`` or where they write have the same ``hash()``:
    their frames are interchangeable.
    """

    plate: str
    """A file, a sequence pattern, a folder or a movie file."""
    trimap: str = ""
    """The same kinds of paths; wins over ``mask`` where both are given."""
    mask: str = ""
    """A roto or AI mask from which the trimap is made with ``band``."""
    core_matte: str = ""
    """1 = surely foreground. Always wins, except against the garbage matte."""
    garbage_matte: str = ""
    """1 = surely background. Always wins."""
    band: Band = field(default_factory=Band)
    """Width of the unknown band made from ``mask``."""
    frames: str = ""
    """``1001-1100x2,1150``. Empty: every frame the plate has."""
    missing: Literal["error", "skip"] = "error"
    """What to do with frames the plate or a guide does not have. Skipped frames are listed in the report."""
    plate_space: str = ""
    """OCIO colour space, role or alias of the plate. Empty: file rule (8 and 16 bit integer: sRGB; float: scene-linear
    Rec.709), or what the header says."""
    model: str = "gossamer-s"
    """A registered name, or the path of a weights file with its manifest."""
    backend: Literal["auto", "onnxruntime", "openvino", "torch", "tensorrt", "onnxruntime-tensorrt"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    tile: int = 0
    """Side of the square tiles in pixels of the plate; 0 lets the model and the free memory decide."""
    threads: int = 0
    """CPU threads of the solver; 0 uses all cores."""
    strategy: Literal["auto", "tiles", "whole", "resize", "hybrid"] = "auto"
    """How the network looks at the picture: in tiles where it is unknown, all of it in one pass, or as GFM's test
    strategies. ``auto`` takes what the network was made for."""
    tta: Literal["none", "flips", "fine", "views"] = "none"
    """Averaging at test time: over the mirrored picture as well, over the picture half as large again as well, or over
    eight views at three scales."""
    refine: int = 0
    """Steps of backpropagating refinement (LSA); 0 is none. Needs torch."""
    refine_carry: bool = False
    """Begin the refinement of each frame where the frame before ended. Frames then depend on those before them."""
    nonlocal_mean: Literal["auto", "on", "off"] = "auto"
    """Whether pixels of like colour draw each other's alpha together, once the network has answered. ``auto``: for
    networks of the default's family, whose figures are measured with it."""
    outputs: Outputs = field(default_factory=Outputs)

    def __post_init__(self) -> None:
        _require(bool(self.plate), "No plate given.")
        _require(self.backend in BACKENDS, f"--backend is {self.backend!r}; use one of {', '.join(BACKENDS)}.")
        _require(self.device in DEVICES, f"--device is {self.device!r}; use one of {', '.join(DEVICES)}.")
        _require(self.precision in PRECISIONS, f"--precision is {self.precision!r}; use {', '.join(PRECISIONS)}.")
        _require(self.missing in ("error", "skip"), f"--missing is {self.missing!r}; use error or skip.")
        _require(self.tile == 0 or self.tile >= 64, f"--tile is {self.tile}; use 0 (automatic) or at least 64.")
        _require(self.strategy in STRATEGIES, f"--strategy is {self.strategy!r}; use one of {', '.join(STRATEGIES)}.")
        _require(self.tta in TTA, f"--tta is {self.tta!r}; use one of {', '.join(TTA)}.")
        _require(self.refine >= 0, f"--refine is {self.refine}; use 0 (off) or a number of steps, for instance 30.")
        _require(
            self.refine > 0 or not self.refine_carry,
            "--refine-carry says where refinement begins, and --refine is 0. Give --refine a number of steps.",
        )
        _require(
            self.nonlocal_mean in NONLOCAL_MEAN,
            f"--nonlocal is {self.nonlocal_mean!r}; use {', '.join(NONLOCAL_MEAN)}.",
        )
        _require(self.threads >= 0, f"--threads is {self.threads}; use 0 (all cores) or more.")

    def hash(self, **extra: str) -> str:
        """Hex digest of everything that decides a frame's pixels; ``extra`` adds facts such as the weights' hash."""
        values = dataclasses.asdict(self)
        for name in ("frames", "missing", "threads"):
            del values[name]
        for name in ("path", "existing", "comp"):
            del values["outputs"][name]
        text = json.dumps({"schema": JOB_SCHEMA, "job": values, "extra": extra}, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def _from_dict(kind: type[Any], values: Any, where: str) -> Any:
    """Build the dataclass ``kind`` from parsed JSON; unknown names and wrong types are errors, not surprises."""
    _require(isinstance(values, dict), f"{where}: expected an object, found {type(values).__name__}.")
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    _require(not unknown, f"{where}: unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            arguments[name] = _from_dict(typing.cast("type[Any]", hint), value, f"{where}: {name}")
            continue
        origin = typing.get_origin(hint)
        if origin is Literal:
            _require(value in typing.get_args(hint), f"{where}: {name} is {value!r}; use {typing.get_args(hint)}.")
        else:
            allowed: Any = (int, float) if hint is float else hint
            if isinstance(allowed, types.UnionType):
                allowed = typing.get_args(allowed)
            fits = isinstance(value, allowed) and not (isinstance(value, bool) and hint is not bool)
            _require(fits, f"{where}: {name} is {value!r}; expected {getattr(hint, '__name__', hint)}.")
        arguments[name] = value
    missing = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is f.default_factory is dataclasses.MISSING and f.name not in arguments
    ]
    _require(not missing, f"{where}: the settings {', '.join(missing)} are missing.")
    return kind(**arguments)


def save_job(job: Job, path: Path) -> None:
    """Write ``job`` as JSON, whole or not at all; ``gossamer run`` repeats it. Links stay, pipes are written to."""
    text = json.dumps({"schema": JOB_SCHEMA, **dataclasses.asdict(job)}, indent=2) + "\n"
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        target = path.resolve()
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise SettingError(f"Cannot write the job file {path}: {error.strerror}.") from error


def load_job(path: Path) -> Job:
    """Read a job written by :func:`save_job` (or by hand).

    Raises:
        SettingError: the file is missing, is not JSON, has another schema, or names a setting that does not exist.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"Cannot read the job file {path}: {error.strerror}.") from error
    except ValueError as error:
        raise SettingError(f"{path} is not a job file: {error}.") from error
    _require(isinstance(values, dict), f"{path} is not a job file: expected a JSON object.")
    return job_from_values(values, str(path))


def job_from_values(values: Mapping[str, Any], where: str) -> Job:
    """A job from parsed JSON, as :func:`save_job` writes it; ``where`` is named in errors.

    Raises:
        SettingError: another schema, or a setting that does not exist or has the wrong type.
    """
    schema = values.get("schema")
    _require(schema == JOB_SCHEMA, f"{where} has job schema {schema!r}; this version reads {JOB_SCHEMA}.")
    job: Job = _from_dict(Job, {name: value for name, value in values.items() if name != "schema"}, where)
    return job
