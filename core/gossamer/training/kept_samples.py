"""The generator's samples made once, with the prior's maps, and shown again and again."""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gossamer.data.synthetic import Sample, SampleGenerator
from gossamer.data.trimaps import UNKNOWN
from gossamer.errors import DataError, SettingError
from gossamer.image.image import FloatArray
from gossamer.models.prior import MAP_CHANNELS, ColorPrior, color_prior
from gossamer.training.teachers import Teachers

__all__ = ["KeptSample", "KeptSamples"]

_LAYER_CHANNELS = 11
_TRIES = 6
_LEAST_UNKNOWN = 0.03
"""Share of what is shown that is unknown: there is nothing to learn elsewhere."""

Planes = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class KeptSample:
    """One view of a sample. All arrays are S x S (x C) but for the last, top row first."""

    plate: FloatArray
    """S x S x 3, sRGB-encoded RGB, 0..1."""
    trimap: FloatArray
    """0, 0.5 or 1."""
    alpha: FloatArray
    """0..1: what is to be learned."""
    foreground: FloatArray
    """S x S x 3, encoded, 0..1."""
    background: FloatArray
    """S x S x 3, encoded, 0..1."""
    prior_alpha: FloatArray
    """The prior's alpha."""
    prior_maps: FloatArray
    """S/2 x S/2 x 13: the prior's other maps."""


class KeptSamples:
    """Views by number; view ``i`` depends on the generator, the seed, the count and ``i`` only.

    Making a sample and its prior takes a processor longer than learning from it, so a run without a GPU learns from
    more when samples are shown several times. Each pass shows every sample once, in an order of its own: a crop of it,
    turned, mirrored, its colour channels in another order. The prior is that of the whole sample, as a product's prior
    sees the picture around a tile.
    """

    def __init__(
        self, generator: SampleGenerator, output: Path, *, count: int, size: int, seed: int,
        candidates: int = 1, teachers: Teachers | None = None,
    ) -> None:  # fmt: skip
        """Makes nothing yet; every process of a run makes what it needs and finds what others have made.

        Args:
            generator: makes square samples of sides that are multiples of 32.
            output: the run's folder; the samples lie in one below it.
            count: how many are made.
            size: side of a view in pixels, a multiple of 32.
            seed: of orders and views.
            candidates: made for each that is kept: the one on which the prior errs least, in mean square over what
                is unknown.
            teachers: tell alpha in the unknown region; without them it is the true one.

        Raises:
            SettingError: the samples are smaller than a view.
        """
        if generator.settings.size < size:
            raise SettingError(f"samples.canvas is {generator.settings.size}; give at least size, {size}.")
        self._output, self._folder = output, output / "kept-samples"
        self._generator, self._count, self._size, self._seed = generator, count, size, seed
        self._candidates, self._teachers = candidates, teachers

    def check_room(self) -> None:
        """Look whether the samples that are not there yet fit the disk.

        Raises:
            SettingError: they do not.
        """
        output = self._output
        pixels = self._generator.settings.size**2
        each = pixels * (_LAYER_CHANNELS + 2) + pixels // 4 * 2 * sum(MAP_CHANNELS)
        there = sum(1 for _ in self._folder.glob("*.npz"))
        existing = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
        free = shutil.disk_usage(existing).free
        if (needed := each * max(0, self._count - there)) > free:
            raise SettingError(
                f"samples.kept is {self._count}: they need {needed / 1e9:.1f} GB in {output}, where "
                f"{free / 1e9:.1f} GB are free; keep fewer, or name another output folder."
            )

    def sample(self, index: int) -> KeptSample:
        """View ``index``.

        Raises:
            DataError: a picture cannot be decoded, or the sample's file not be read or written.
        """
        turn, place = divmod(index, self._count)
        order = np.random.default_rng([self._seed, 11, turn]).permutation(self._count)
        return _view(np.random.default_rng([self._seed, 12, index]), self._load(int(order[place])), self._size)

    def discard(self) -> None:
        """Delete all files: the run is at its end, or at its beginning, where they could only be another's.

        Raises:
            DataError: they cannot be deleted.
        """
        if not self._folder.exists():
            return
        try:
            shutil.rmtree(self._folder)
        except OSError as error:
            raise DataError(
                f"Cannot delete {self._folder}: {error.strerror}. Delete that folder of samples."
            ) from error

    def _load(self, number: int) -> Planes:
        path = self._folder / f"{number:06d}.npz"
        try:
            with path.open("rb") as stream, np.load(stream) as planes:
                return {name: planes[name] for name in ("layers", "alpha", "maps")}
        except FileNotFoundError:
            planes = self._make(number)
            _write(path, planes)
            return planes
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is damaged ({error}); delete it, it is made anew.") from error

    def _make(self, number: int) -> Planes:
        first = number * self._candidates
        made = (_planes(self._generator.sample(index)) for index in range(first, first + self._candidates))
        planes, prior = min(made, key=lambda candidate: _prior_error(*candidate))
        if self._teachers is not None:
            with torch.no_grad():
                told = self._teachers(*_inputs(planes), prior)[0, 0].numpy()
            planes[4] = np.where(planes[3] == UNKNOWN, np.round(told * 255).astype(np.uint8), planes[4])
        maps = torch.cat(prior[1:], dim=1)
        return {"layers": planes, "alpha": prior.alpha[0].half().numpy(), "maps": maps[0].half().numpy()}


def _planes(sample: Sample) -> tuple[NDArray[np.uint8], ColorPrior]:
    """Layers in 8 bits, as plates and alpha are made, and the prior of them."""
    computed = np.dstack([sample.alpha, sample.foreground, sample.background])
    rounded = np.round(computed.clip(0, 1) * 255).astype(np.uint8)
    planes = np.ascontiguousarray(np.dstack([sample.plate, sample.trimap, rounded]).transpose(2, 0, 1))
    with torch.no_grad():
        return planes, color_prior(*_inputs(planes))


def _inputs(planes: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Plate and trimap as networks take them."""
    return torch.from_numpy(planes[None, :3].astype(np.float32) / 255), torch.from_numpy(_known(planes[None, 3:4]))


def _prior_error(planes: NDArray[np.uint8], prior: ColorPrior) -> float:
    """Mean squared error over what is unknown, which the generator never leaves empty."""
    difference = prior.alpha[0, 0].numpy() - planes[4] / np.float32(255)
    return float(np.square(difference[planes[3] == UNKNOWN]).mean())


def _known(trimap: NDArray[np.uint8]) -> FloatArray:
    return np.where(trimap == 255, 1.0, np.where(trimap == 0, 0.0, 0.5)).astype(np.float32)


def _write(path: Path, planes: Planes) -> None:
    """Whole or not at all; two processes that make the same sample write the same file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            np.savez(stream, layers=planes["layers"], alpha=planes["alpha"], maps=planes["maps"])
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise DataError(f"Cannot write the sample {path}: {error.strerror}. Make room, then --resume.") from error


def _view(rng: np.random.Generator, planes: Planes, size: int) -> KeptSample:
    room = planes["layers"].shape[-1] - size
    for _ in range(_TRIES):
        # Even: the maps are of half the resolution.
        y, x = (2 * int(place) for place in rng.integers(0, room // 2 + 1, 2))
        unknown = planes["layers"][3, y : y + size, x : x + size] == UNKNOWN
        if np.count_nonzero(unknown) >= _LEAST_UNKNOWN * unknown.size:
            break
    layers = planes["layers"][:, y : y + size, x : x + size]
    alpha = planes["alpha"][:, y : y + size, x : x + size]
    maps = planes["maps"][:, y // 2 : (y + size) // 2, x // 2 : (x + size) // 2]
    colors = rng.permutation(3)
    layers = layers[np.concatenate([colors, [3, 4], 5 + colors, 8 + colors])]
    maps = maps[np.concatenate([colors, 3 + colors, np.arange(6, sum(MAP_CHANNELS))])]
    swap, *flips = (bool(value) for value in rng.integers(0, 2, 3))

    def turn(x: NDArray[Any]) -> FloatArray:
        """C x H x W to H x W x C, turned and mirrored."""
        x = x.swapaxes(1, 2) if swap else x
        x = x[:, :: -1 if flips[0] else 1, :: -1 if flips[1] else 1]
        return np.asarray(x.transpose(1, 2, 0), np.float32)

    values = turn(layers) / np.float32(255)
    return KeptSample(
        plate=values[..., :3],
        trimap=turn(_known(layers[3:4]))[..., 0],
        alpha=values[..., 4],
        foreground=values[..., 5:8],
        background=values[..., 8:],
        prior_alpha=turn(alpha)[..., 0],
        prior_maps=turn(maps),
    )
