"""What is to be exported and how, as frozen dataclasses. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gossamer.errors import SettingError
from gossamer.inference.tiling import FEATHER

__all__ = ["EngineSettings", "ExportSettings", "Profile", "profile_of_range", "profile_of_tile"]

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True)
class Profile:
    """Sizes that an engine accepts, and the one it is tuned for. Width and height each."""

    smallest: Size
    best: Size
    largest: Size

    def __post_init__(self) -> None:
        for least, best, most in zip(self.smallest, self.best, self.largest, strict=True):
            if not 0 < least <= best <= most:
                raise SettingError(
                    f"The size range {self.text} is not in order: give MIN:BEST:MAX or MIN:MAX, each WIDTHxHEIGHT."
                )

    @property
    def text(self) -> str:
        """``64x64:1024x1024:1536x1536``."""
        return ":".join(f"{width}x{height}" for width, height in (self.smallest, self.best, self.largest))

    def in_steps(self, multiple_of: int) -> Profile:
        """The same with sides that a network of that stride can have: the least up, the others down to whole steps.

        Raises:
            SettingError: nothing is left.
        """

        def down(size: Size) -> Size:
            return size[0] // multiple_of * multiple_of, size[1] // multiple_of * multiple_of

        least = down((self.smallest[0] + multiple_of - 1, self.smallest[1] + multiple_of - 1))
        most = down(self.largest)
        best = tuple(min(max(side, low), high) for side, low, high in zip(down(self.best), least, most, strict=True))
        try:
            return Profile(least, (best[0], best[1]), most)
        except SettingError as error:
            raise SettingError(
                f"The size range {self.text} holds no size whose sides are multiples of {multiple_of}."
            ) from error


def profile_of_range(text: str) -> Profile:
    """``MIN:BEST:MAX`` or ``MIN:MAX``, each ``WIDTHxHEIGHT``; left out, the best is the largest.

    Raises:
        SettingError: the text is none of these.
    """
    sizes: list[Size] = []
    for part in text.split(":"):
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", part.strip())
        if found is None:
            raise SettingError(
                f"--size-range {text!r}: give MIN:MAX or MIN:BEST:MAX, each WIDTHxHEIGHT (64x64:1920x1088)."
            )
        sizes.append((int(found[1]), int(found[2])))
    if not 2 <= len(sizes) <= 3:
        raise SettingError(f"--size-range {text!r} holds {len(sizes)} sizes; give MIN:MAX or MIN:BEST:MAX.")
    return Profile(sizes[0], sizes[-2] if len(sizes) == 3 else sizes[-1], sizes[-1])


def profile_of_tile(tile: int, *, multiple_of: int, margin: int) -> Profile:
    """What ``gossamer matte --tile TILE`` shows a network: up to the tile with its ramp, margin and whole strides.

    Raises:
        SettingError: ``tile`` is not positive.
    """
    if tile < 1:
        raise SettingError(f"--tile {tile}: give the side of a tile in pixels, for instance 512.")
    reach = tile + 2 * (FEATHER + margin) + 2 * multiple_of
    side = -(-reach // multiple_of) * multiple_of
    least = min(2 * multiple_of, side)
    return Profile((least, least), (side, side), (side, side))


@dataclass(frozen=True)
class EngineSettings:
    """How engines (TensorRT, TensorRT-RTX) are built; ONNX files need none of it."""

    profiles: tuple[Profile, ...] = ()
    """Empty: one from 64x64 to what ``gossamer matte`` shows a network when left to itself."""
    tiles: tuple[int, ...] = ()
    """Tile sizes; each adds a profile (:func:`profile_of_tile`)."""
    gpus: tuple[str, ...] = ()
    """Compute capabilities as ``sm_89``. TensorRT-RTX builds for each of them; TensorRT for the GPU it runs on."""
    workspace: int = 2 << 30
    """Bytes of GPU memory that the builder's kernels may use."""
    version_compatible: bool = False
    """The engine also runs in later versions of the same major TensorRT."""
    hardware_compatible: bool = False
    """TensorRT: the engine also runs on other GPUs from Ampere on."""
    refit: bool = False
    """Weights can be exchanged without building again."""
    timing_cache: Path | None = None
    """File that remembers the builder's measurements; None: the one in the cache folder."""

    def __post_init__(self) -> None:
        for gpu in self.gpus:
            if not re.fullmatch(r"sm_\d{2,3}", gpu):
                raise SettingError(f"--gpu {gpu!r}: give compute capabilities as sm_75, sm_86, sm_89, sm_120.")
        if self.workspace < 1 << 20:
            raise SettingError(f"The workspace of {self.workspace} bytes is too small; give at least 1 MiB.")

    def all_profiles(self, *, multiple_of: int, margin: int) -> tuple[Profile, ...]:
        """Every profile that was asked for, in whole steps; at least one."""
        asked = [
            *self.profiles,
            *(profile_of_tile(tile, multiple_of=multiple_of, margin=margin) for tile in self.tiles),
        ]
        if not asked:
            asked = [Profile((64, 64), (1024, 1024), (1536, 1536))]
        return tuple(profile.in_steps(multiple_of) for profile in asked)


_BOTH, _TENSORRT, _RTX = ("tensorrt", "tensorrt-rtx"), ("tensorrt",), ("tensorrt-rtx",)
_READ_BY: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "profiles": ("--size-range", _BOTH),
    "tiles": ("--tile", _BOTH),
    "gpus": ("--gpu", _RTX),
    "workspace": ("--workspace", _BOTH),
    "version_compatible": ("--version-compatible", _TENSORRT),
    "hardware_compatible": ("--hardware-compatible", _TENSORRT),
    "refit": ("--refit", _BOTH),
    "timing_cache": ("--timing-cache", _TENSORRT),
}
"""Fields of :class:`EngineSettings`: their option, and the targets that it is for."""


@dataclass(frozen=True)
class ExportSettings:
    """One export."""

    model: str
    """Name or path of weights; with ``random_seed`` the name of a network."""
    target: str = "onnx"
    precision: Literal["fp32", "fp16"] = "fp32"
    self_contained: bool = False
    retrace: bool = False
    """Write the graph anew even if the weights hold an ONNX file."""
    force: bool = False
    """Keep the artifact although it is over the limits; its manifest says so."""
    diagnose: bool = False
    """Name the first node that differs when it is over the limits."""
    random_seed: int | None = None
    """Export random weights: for trying a target, never for a matte."""
    engine: EngineSettings = field(default_factory=EngineSettings)

    def check_options(self) -> None:
        """Nothing that was asked for may be without effect.

        Raises:
            SettingError: an option of the engine is set that the target does not read.
        """
        for name, (option, targets) in _READ_BY.items():
            is_set = getattr(self.engine, name) != getattr(EngineSettings(), name)
            if is_set and self.target not in targets:
                raise SettingError(
                    f"{option} is for --to {' and '.join(targets)}; --to {self.target} does not read it. Leave it out."
                )
