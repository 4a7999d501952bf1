"""PyMatting's solvers behind the networks' contract."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

from gossamer.errors import CancelledError, MissingDependencyError, ModelError, SettingError, TrimapError
from gossamer.image.image import FloatArray
from gossamer.inference import classical
from gossamer.inference.solver import CLASSICAL, create_solver


def blended(height: int, width: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A red foreground over blue with a soft vertical edge: plate, trimap, true alpha."""
    ramp = np.clip((np.arange(width) - width * 0.4) / (width * 0.2), 0, 1).astype(np.float32)
    alpha = np.repeat(ramp[None], height, axis=0)
    noise = np.random.default_rng(0).normal(0, 0.01, (height, width, 3))
    plate = alpha[..., None] * np.array([0.8, 0.2, 0.1]) + (1 - alpha[..., None]) * np.array([0.1, 0.2, 0.7]) + noise
    trimap = np.where(ramp <= 0, 0.0, np.where(ramp >= 1, 1.0, 0.5)).astype(np.float32)
    return plate.clip(0, 1).astype(np.float32), np.repeat(trimap[None], height, axis=0), alpha


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_soft_edge_is_found_and_known_pixels_stay(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    plate, trimap, truth = blended(48, 64)
    solution = create_solver(name).solve(plate, trimap)
    assert solution.alpha.dtype == np.float32
    assert np.array_equal(solution.alpha[trimap != 0.5], trimap[trimap != 0.5])
    assert np.abs(solution.alpha - truth).mean() < 0.05
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 3), (3, 40)])
def test_tiny_pictures_are_solved(name: str, size: tuple[int, int]) -> None:
    plate = np.random.default_rng(1).random((*size, 3), np.float32)
    trimap = np.full(size, 0.5, np.float32)
    trimap[:, 0], trimap[:, -1] = 0, 1
    alpha = create_solver(name).solve(plate, trimap).alpha
    assert np.isfinite(alpha).all()
    assert np.array_equal(alpha[:, 0], trimap[:, 0])


@pytest.mark.parametrize("name", CLASSICAL)
def test_no_unknown_pixel_gives_the_trimap(name: str) -> None:
    trimap = np.zeros((20, 20), np.float32)
    assert np.array_equal(create_solver(name).solve(np.zeros((20, 20, 3), np.float32), trimap).alpha, trimap)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_kind_of_known_pixels_is_the_answer_everywhere_and_is_said(value: float) -> None:
    trimap = np.full((20, 20), 0.5, np.float32)
    trimap[:5] = value
    solution = create_solver("closed-form").solve(np.zeros((20, 20, 3), np.float32), trimap)
    assert (solution.alpha == value).all()
    assert solution.effective["notes"] == [f"no known {'background' if value else 'foreground'}: alpha is {value:g}"]


def test_an_all_unknown_trimap_is_refused_with_advice() -> None:
    with pytest.raises(TrimapError, match=r"Every pixel of the trimap is unknown: knn .* use a network"):
        create_solver("knn").solve(np.zeros((9, 9, 3), np.float32), np.full((9, 9), 0.5, np.float32))


def test_large_pictures_are_cropped_to_the_unknown_without_changing_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    plate, trimap, _ = blended(40, 200)
    whole = create_solver("closed-form").solve(plate, trimap)
    monkeypatch.setattr(classical, "LARGE", 1000)
    monkeypatch.setattr(classical, "SURROUNDINGS", 20)
    cropped = create_solver("closed-form").solve(plate, trimap)
    assert np.abs(whole.alpha - cropped.alpha).max() < 1e-4


def test_a_crop_that_would_lose_the_known_foreground_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical, "LARGE", 10)
    monkeypatch.setattr(classical, "SURROUNDINGS", 1)
    trimap = np.zeros((30, 30), np.float32)
    trimap[2:6, 2:6] = 0.5
    trimap[25, 25] = 1
    assert classical._crop(trimap, trimap == 0.5) == (slice(0, 30), slice(0, 30))


def test_a_solver_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    solver = classical.ClassicalSolver("knn")
    plate, trimap, _ = blended(20, 20)

    def fails(*_: object) -> FloatArray:
        raise ValueError("did not converge")

    monkeypatch.setattr(solver, "_estimate", fails)
    with pytest.raises(ModelError, match=r"knn failed: did not converge. Use another --model"):
        solver.solve(plate, trimap)
    monkeypatch.setattr(solver, "_estimate", lambda image, _: np.full(image.shape[:2], np.nan))
    with pytest.raises(ModelError, match="knn gave values that are not numbers"):
        solver.solve(plate, trimap)


def test_settings_of_networks_are_refused() -> None:
    with pytest.raises(SettingError, match="knn is no network"):
        create_solver("knn", device="cuda")
    with pytest.raises(SettingError, match=r"Leave out .*bf16"):
        create_solver("knn", precision="bf16")
    with pytest.raises(SettingError, match=r"knn is no network: leave out .*--tile"):
        create_solver("knn", tile=512)
    plate, trimap, _ = blended(20, 20)
    with pytest.raises(SettingError, match="cannot tell its confidence"):
        create_solver("knn").solve(plate, trimap, confidence=True)


def test_threads_are_a_limit_during_the_solve_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    numba = importlib.import_module("numba")
    limits: list[int] = []
    monkeypatch.setattr(numba, "get_num_threads", lambda: 8)
    monkeypatch.setattr(numba, "set_num_threads", limits.append)
    plate, trimap, _ = blended(20, 24)
    create_solver("closed-form", threads=3).solve(plate, trimap)
    create_solver("closed-form", threads=99).solve(plate, trimap)
    create_solver("closed-form").solve(plate, trimap)
    assert limits == [3, 8, 8, 8, 8, 8]


def test_misfit_missing_and_cancelled_are_named() -> None:
    solver = create_solver("shared")
    plate, trimap, _ = blended(20, 24)
    with pytest.raises(SettingError, match="shared needs a trimap"):
        solver.solve(plate, None)
    with pytest.raises(TrimapError, match="The trimap is 20x20, the plate 24x20"):
        solver.solve(plate, trimap[:, :20])
    with pytest.raises(CancelledError):
        solver.solve(plate, trimap, cancelled=lambda: True)


def test_a_missing_pymatting_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymatting", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .gossamer-matting\[classical\]"):
        create_solver("closed-form")
