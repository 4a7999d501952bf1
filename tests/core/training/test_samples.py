"""Batches by number."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gossamer.data.synthetic import Sample, SampleGenerator, SyntheticSettings
from gossamer.errors import DataError
from gossamer.training.samples import Batch, make_loader, read_batches


@pytest.fixture
def generator() -> SampleGenerator:
    return SampleGenerator(SyntheticSettings(size=32, element_size=128, window=2), 3)


def read(generator: SampleGenerator, **changes: int) -> list[Batch]:
    values = {"batch": 2, "first": 0, "last": 3, "workers": 0, **changes}
    return [batch for batch in read_batches(make_loader(generator, **values)) if isinstance(batch, Batch)]


def same(a: list[Batch], b: list[Batch]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)
    )


def test_shapes_and_values_are_what_a_network_takes(generator: SampleGenerator) -> None:
    batch = read(generator, last=1)[0]
    assert [tuple(tensor.shape) for tensor in batch] == [(2, c, 32, 32) for c in (3, 1, 1, 3, 3)]
    assert all(tensor.dtype == torch.float32 for tensor in batch)
    assert set(batch.trimap.flatten().tolist()) <= {0.0, 0.5, 1.0}
    assert all(tensor.min() >= 0 and tensor.max() <= 1 for tensor in batch)


def test_any_number_of_workers_gives_the_same_batches(generator: SampleGenerator) -> None:
    expected = read(generator)
    for workers in (1, 2):
        assert same(read(generator, workers=workers), expected)


def test_a_run_can_begin_at_any_batch(generator: SampleGenerator) -> None:
    assert same(read(generator, first=2), read(generator)[2:])


def test_two_processes_share_the_batches_of_one_twice_as_large(generator: SampleGenerator) -> None:
    whole = read(generator, batch=4)
    parts = [read(generator, rank=rank, ranks=2) for rank in range(2)]
    joined = [Batch(*(torch.cat(pair) for pair in zip(*both, strict=True))) for both in zip(*parts, strict=True)]
    assert same(joined, whole)


def test_nothing_is_left_to_make_gives_no_batch(generator: SampleGenerator) -> None:
    assert read(generator, first=3) == []


class _Failing(SampleGenerator):
    def sample(self, index: int) -> Sample:
        if index >= 2:
            raise DataError("picture 7 cannot be decoded")
        return super().sample(index)


class _Dying(SampleGenerator):
    def sample(self, index: int) -> Sample:
        os._exit(9)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_the_generator_arrives_as_it_is(workers: int) -> None:
    with pytest.raises(DataError) as caught:
        read(_Failing(SyntheticSettings(size=32, element_size=128, window=2), 3), workers=workers)
    assert str(caught.value) == "picture 7 cannot be decoded"


def test_a_worker_that_dies_is_an_error_not_a_wait(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="A process that makes samples ended"):
        read(_Dying(SyntheticSettings(size=32), 3), workers=1)


class _TellingMask(SampleGenerator):
    def __setstate__(self, state: dict[str, object]) -> None:
        # Read while the process is still beginning, before any code of a worker runs.
        self.__dict__ = {**state, "mask": {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())}}

    def sample(self, index: int) -> Sample:
        raise DataError(f"blocked: {sorted(self.__dict__['mask'])}")


@pytest.mark.skipif(sys.platform == "win32", reason="signals have no mask there")
def test_control_c_never_reaches_a_worker_and_still_reaches_the_trainer() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(DataError) as caught:
        read(_TellingMask(SyntheticSettings(size=32), 3), workers=1)
    assert str(caught.value) == f"blocked: [{signal.SIGINT:d}]"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


CUTOUTS_AFTER_A_PARALLEL_LOOP = """
import sys
import numpy as np
from pymatting import estimate_foreground_ml
from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
from gossamer.training.samples import make_loader, read_batches

estimate_foreground_ml(np.ones((9, 9, 3)), np.ones((9, 9)))
settings = SyntheticSettings(size=32, element_size=128, window=2, fur=(sys.argv[1],), cutout_share=1)
print(len(list(read_batches(make_loader(SampleGenerator(settings, 3), batch=2, first=0, last=1, workers=1)))))
"""


def test_a_worker_finds_colors_of_cutouts_although_its_parent_runs_parallel_loops(tmp_path: Path) -> None:
    pytest.importorskip("pymatting")
    for name, shape in (("image", (80, 60, 3)), ("alpha", (80, 60))):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "fox.png"), np.full(shape, 200, np.uint8))
    command = [sys.executable, "-c", CUTOUTS_AFTER_A_PARALLEL_LOOP, str(tmp_path)]
    home = {**os.environ, "HOME": str(tmp_path)}
    home.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout.strip(), done.returncode) == ("1", 0), done.stderr
