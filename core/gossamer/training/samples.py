"""Feeds a pipeline's samples to the trainer: batches by number, so that a run can go on anywhere."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from gossamer.data.crops import LayerSample, TrimapSample
from gossamer.data.gfm_samples import GfmSample
from gossamer.data.synthetic import Sample
from gossamer.errors import DataError, GossamerError
from gossamer.models.prior import MAP_CHANNELS, ColorPrior
from gossamer.training.kept_samples import KeptSample

__all__ = [
    "AnyBatch",
    "AnySample",
    "Batch",
    "GfmBatch",
    "KeptBatch",
    "SampleMaker",
    "TrimapBatch",
    "make_loader",
    "read_batches",
]


class Batch(NamedTuple):
    """One batch of samples with their layers; colours sRGB-encoded 0..1."""

    plate: Tensor
    """N 3 H W float32."""
    trimap: Tensor
    """N 1 H W float32 in {0, 0.5, 1}."""
    alpha: Tensor
    """N 1 H W float32."""
    foreground: Tensor
    """N 3 H W float32."""
    background: Tensor
    """N 3 H W float32."""


class GfmBatch(NamedTuple):
    """A batch with GFM's maps."""

    plate: Tensor
    trimap: Tensor
    alpha: Tensor
    foreground: Tensor
    background: Tensor
    dilation: Tensor
    """N 1 H W float32 of 0 and 1."""
    erosion: Tensor
    """N 1 H W float32 of 0 and 1."""


class TrimapBatch(NamedTuple):
    """A batch of which nothing but a trimap is known."""

    plate: Tensor
    trimap: Tensor


class KeptBatch(NamedTuple):
    """A batch whose prior has been computed already, over more than what is shown."""

    plate: Tensor
    trimap: Tensor
    alpha: Tensor
    foreground: Tensor
    background: Tensor
    prior_alpha: Tensor
    """N 1 H W float32."""
    prior_maps: Tensor
    """N 13 H/2 W/2 float32: the other maps of the prior, in its order."""

    @property
    def prior(self) -> ColorPrior:
        """The maps by name."""
        return ColorPrior(self.prior_alpha, *torch.split(self.prior_maps, list(MAP_CHANNELS), dim=1))


AnyBatch = Batch | KeptBatch | GfmBatch | TrimapBatch
AnySample = Sample | KeptSample | LayerSample | GfmSample | TrimapSample


class SampleMaker(Protocol):
    """A pipeline: samples by number, each of which depends on its number only."""

    def sample(self, index: int) -> AnySample:
        """Make one."""
        ...


def _planes(pixels: np.ndarray) -> Tensor:
    """H x W (x C) to C H W."""
    pixels = np.asarray(pixels, np.float32)
    return torch.from_numpy(np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)))


def _to_tensors(sample: AnySample) -> AnyBatch:
    """One sample, without the batch's dimension."""
    if isinstance(sample, Sample):
        trimap = np.where(sample.trimap == 255, 1.0, np.where(sample.trimap == 0, 0.0, 0.5)).astype(np.float32)
        plate = sample.plate.astype(np.float32) / 255
        layers = (plate, trimap, sample.alpha, sample.foreground, sample.background)
        return Batch(*(_planes(layer) for layer in layers))
    kinds: dict[type[AnySample], type[AnyBatch]] = {
        LayerSample: Batch, KeptSample: KeptBatch, GfmSample: GfmBatch, TrimapSample: TrimapBatch,
    }  # fmt: skip
    kind = kinds[type(sample)]
    return kind(*(_planes(getattr(sample, name)) for name in kind._fields))


class _SampleDataset(Dataset[Any]):
    def __init__(self, maker: SampleMaker) -> None:
        self._maker = maker

    def __getitem__(self, index: int) -> AnyBatch | GossamerError:
        try:
            return _to_tensors(self._maker.sample(index))
        except GossamerError as error:
            # Raised in a worker it would come back as a traceback in a message; the reader raises it.
            return error


class _Numbered(Sampler[list[int]]):
    """Batches of consecutive sample numbers from ``first`` to ``last`` batch; every rank takes its own part."""

    def __init__(self, *, first: int, last: int, batch: int, rank: int, ranks: int) -> None:
        self._batches = range(first, last)
        self._batch, self._rank, self._ranks = batch, rank, ranks

    def __iter__(self) -> Iterator[list[int]]:
        for number in self._batches:
            start = (number * self._ranks + self._rank) * self._batch
            yield list(range(start, start + self._batch))

    def __len__(self) -> int:
        return len(self._batches)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes begun inside are never told of Ctrl-C, not even while they import; this one is, afterwards.

    Ctrl-C reaches all processes of a terminal, and the trainer alone decides when to stop.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # beginning later it would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where signals have no mask
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _collate(samples: list[AnyBatch | GossamerError]) -> AnyBatch | GossamerError:
    made: list[AnyBatch] = []
    for sample in samples:
        if isinstance(sample, GossamerError):
            return sample
        made.append(sample)
    return type(made[0])(*(torch.stack(tensors) for tensors in zip(*made, strict=True)))


def make_loader(
    maker: SampleMaker, *, batch: int, first: int, last: int, workers: int, rank: int = 0, ranks: int = 1
) -> DataLoader[AnyBatch | GossamerError]:
    """Batches number ``first`` to ``last`` (exclusive) of the endless set that ``maker`` describes.

    Sample ``i`` is the same whatever the number of ``workers``; 0 workers make samples in this process. Read it with
    :func:`read_batches`.
    """
    sampler = _Numbered(first=first, last=last, batch=batch, rank=rank, ranks=ranks)
    return DataLoader(
        _SampleDataset(maker),
        batch_sampler=sampler,
        collate_fn=_collate,
        num_workers=workers,
        worker_init_fn=_begin_worker,
        prefetch_factor=4 if workers else None,
        # A forked worker waits forever at its first parallel loop (PyMatting's foregrounds) once this process has used
        # OpenMP.
        multiprocessing_context="spawn" if workers else None,
    )


def read_batches(loader: DataLoader[AnyBatch | GossamerError]) -> Generator[AnyBatch, None, None]:
    """The batches of ``loader``; closing the generator ends its worker processes.

    Raises:
        GossamerError: a sample cannot be made; the pipeline's own error, also out of a worker process.
        DataError: a worker process ended.
    """
    with _without_interrupts():
        batches = iter(loader)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise DataError(
                "A process that makes samples ended, as when memory runs out; go on with --resume and fewer --workers."
            ) from error
        if isinstance(batch, GossamerError):
            raise batch
        yield batch
