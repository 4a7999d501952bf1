"""Passes side by side: order, errors, cancelling."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import CancelledError, ModelError
from gossamer.inference.backends import ParallelBackend, open_backend
from gossamer.inference.passes import busy_seconds, run_passes
from gossamer.inference.predictor import NetworkSolver
from gossamer.inference.tiling import MAX_WINDOW_AREA
from gossamer.models.weights import find_manifest

LARGE = MAX_WINDOW_AREA


def test_answers_come_in_the_order_of_the_passes() -> None:
    areas = [10, LARGE, 30, 20, 25]
    assert run_passes(areas, lambda index, _: index * 10, at_once=2) == [0, 10, 20, 30, 40]


def test_small_passes_go_side_by_side_and_large_ones_alone() -> None:
    meeting = threading.Barrier(2)

    def work(index: int, beside: bool) -> bool:
        if beside:
            meeting.wait(timeout=30)  # goes on only when two are here at once
        return beside

    assert run_passes([10, LARGE, 20], work, at_once=2) == [True, False, True]


def test_without_a_second_worker_or_a_second_small_pass_all_go_alone() -> None:
    assert run_passes([10, 20], lambda _, beside: beside, at_once=1) == [False, False]
    assert run_passes([10, LARGE], lambda _, beside: beside, at_once=4) == [False, False]
    assert run_passes([], lambda *_: 1, at_once=2) == []


def test_passes_side_by_side_read_no_more_than_one_may() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def work(index: int, beside: bool) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.01)
        with lock:
            now[0] -= 1

    run_passes([LARGE // 2] * 6, work, at_once=4)
    assert most[0] <= 2


def test_an_error_in_one_pass_ends_the_frame() -> None:
    done: list[int] = []

    def work(index: int, beside: bool) -> None:
        if index == 0:
            raise ModelError("broken")
        done.append(index)

    with pytest.raises(ModelError, match="broken"):
        run_passes([100, *range(60)], work, at_once=2)


def test_cancelling_ends_the_passes_that_have_not_begun() -> None:
    begun: list[int] = []

    def work(index: int, beside: bool) -> None:
        begun.append(index)

    with pytest.raises(CancelledError):
        run_passes([1] * 50, work, at_once=2, cancelled=lambda: bool(begun))
    with pytest.raises(CancelledError):
        run_passes([LARGE] * 50, work, at_once=2, cancelled=lambda: True)


def test_time_that_overlaps_counts_once() -> None:
    assert busy_seconds([]) == 0
    assert busy_seconds([(5.0, 6.0), (1.0, 3.0), (2.0, 4.0), (2.5, 2.6)]) == 4.0


def test_a_frame_has_the_same_bytes_side_by_side_and_one_after_the_other(tiny_weights: Path) -> None:
    manifest = find_manifest(str(tiny_weights))
    random = np.random.default_rng(0)
    plate = random.random((300, 400, 3), np.float32)
    trimap = np.full((300, 400), 0.5, np.float32)
    one, two, four = (open_backend(manifest, backend="onnxruntime", device="cpu", threads=n) for n in (1, 2, 4))
    for network, count in ((two, 2), (four, 4)):
        assert isinstance(network, ParallelBackend)
        assert network.at_once == count
    alphas = [NetworkSolver(manifest, network, tile=64).solve(plate, trimap) for network in (one, two, four)]
    assert alphas[0].effective["tiles"] > 8
    assert len({solution.alpha.tobytes() for solution in alphas}) == 1
