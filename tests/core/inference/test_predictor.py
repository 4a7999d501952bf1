"""A network as a solver: tiles, known pixels, odd pictures, confidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import CancelledError, ModelError, SettingError, TrimapError
from gossamer.image.image import FloatArray, Window
from gossamer.inference.backends import open_backend
from gossamer.inference.merging import read_window
from gossamer.inference.predictor import MAX_PLANS, NetworkSolver, from_tensor, to_tensor
from gossamer.inference.solver import create_solver
from gossamer.models.weights import find_manifest


def picture(height: int, width: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def disc_trimap(height: int, width: int, band: float = 12) -> FloatArray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(x - width / 2, y - height / 2) - min(height, width) / 3
    return np.where(np.abs(distance) <= band, 0.5, np.where(distance < 0, 1.0, 0.0)).astype(np.float32)


def test_pictures_become_tensors_and_come_back() -> None:
    assert to_tensor(picture(3, 5)).shape == (1, 3, 3, 5)
    alpha = picture(3, 5)[..., 0]
    assert np.array_equal(from_tensor(to_tensor(alpha)), alpha)


@pytest.mark.parametrize("tile", [64, 96, 200])
@pytest.mark.parametrize("origin", [(0, 0), (-13, 6)])
def test_tiled_equals_whole_for_a_network_of_finite_reach(
    tiny_weights: Path, tile: int, origin: tuple[int, int]
) -> None:
    plate, trimap = picture(301, 417), disc_trimap(301, 417)
    window = Window(-20 - origin[0] % 4, -20 - origin[1] % 4, 460, 344)  # the whole picture and a border, in step
    whole = from_tensor(
        open_backend(find_manifest(str(tiny_weights))).infer(
            to_tensor(read_window(plate, window)), to_tensor(read_window(trimap, window))
        )
    )[-window.y : 301 - window.y, -window.x : 417 - window.x]
    tiled = create_solver(str(tiny_weights), tile=tile).solve(plate, trimap, origin=origin)
    assert tiled.effective["tiles"] >= 3
    unknown = trimap == 0.5
    assert np.abs(tiled.alpha[unknown] - whole[unknown]).max() < 1e-6
    assert whole[unknown].std() > 0.05


def test_known_pixels_are_exactly_the_trimap(tiny_weights: Path) -> None:
    trimap = disc_trimap(200, 260)
    alpha = create_solver(str(tiny_weights)).solve(picture(200, 260), trimap).alpha
    known = trimap != 0.5
    assert np.array_equal(alpha[known], trimap[known])
    assert alpha.dtype == np.float32


def test_an_answer_outside_0_to_1_or_not_finite_is_never_passed_on(tiny_weights: Path) -> None:
    manifest = find_manifest(str(tiny_weights))

    class Wild:
        effective: dict[str, object] = {}  # noqa: RUF012 - a fake for one test
        weights_sha256 = "0"
        value = 7.0

        def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
            return np.full((1, 1, *plate.shape[2:]), self.value, np.float32)

    backend = Wild()
    trimap = np.full((20, 20), 0.5, np.float32)
    assert NetworkSolver(manifest, backend).solve(picture(20, 20), trimap).alpha.max() == 1
    backend.value = float("nan")
    with pytest.raises(ModelError, match=r"tiny gave values that are not numbers near x \d+"):
        NetworkSolver(manifest, backend).solve(picture(20, 20), trimap)


def test_an_answer_of_another_size_is_an_error(tiny_weights: Path) -> None:
    class Small:
        effective: dict[str, object] = {}  # noqa: RUF012 - a fake for one test
        weights_sha256 = "0"

        def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
            return np.zeros((1, 1, 2, 2), np.float32)

    with pytest.raises(ModelError, match=r"answered \(1, 1, 2, 2\)"):
        NetworkSolver(find_manifest(str(tiny_weights)), Small()).solve(
            picture(20, 20), np.full((20, 20), 0.5, np.float32)
        )


def test_no_unknown_pixel_gives_the_trimap_without_running_anything(tiny_weights: Path) -> None:
    trimap = np.zeros((40, 50), np.float32)
    trimap[10:20] = 1
    solution = create_solver(str(tiny_weights)).solve(picture(40, 50), trimap, confidence=True)
    assert np.array_equal(solution.alpha, trimap)
    assert solution.alpha is not trimap
    assert solution.effective["network_pixels"] == 0
    assert solution.confidence is not None
    assert np.array_equal(solution.confidence, np.ones_like(trimap))


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (2, 3), (33, 1)])
def test_tiny_pictures_that_are_all_unknown_are_solved(tiny_weights: Path, size: tuple[int, int]) -> None:
    solution = create_solver(str(tiny_weights)).solve(picture(*size), np.full(size, 0.5, np.float32))
    assert solution.alpha.shape == size
    assert np.isfinite(solution.alpha).all()


def test_the_overscan_of_a_plate_does_not_move_the_tiles(tiny_weights: Path) -> None:
    plate, trimap = picture(220, 280), disc_trimap(220, 280)
    solver = create_solver(str(tiny_weights), tile=64)
    plain = solver.solve(plate, trimap).alpha
    wide = np.pad(plate, ((20, 20), (36, 36), (0, 0)), mode="reflect")
    over = solver.solve(wide, np.pad(trimap, ((20, 20), (36, 36))), origin=(-36, -20)).alpha
    assert np.array_equal(over[20:-20, 36:-36], plain)


def test_one_frame_gives_the_same_bytes_after_any_other_frame(tiny_weights: Path) -> None:
    plate, trimap = picture(180, 210), disc_trimap(180, 210)
    solver = create_solver(str(tiny_weights))
    first = solver.solve(plate, trimap).alpha.tobytes()
    solver.solve(picture(90, 333, seed=3), disc_trimap(90, 333))
    assert solver.solve(plate, trimap).alpha.tobytes() == first
    assert create_solver(str(tiny_weights), threads=1).solve(plate, trimap).alpha.tobytes() == first


def test_confidence_is_one_where_known_and_falls_where_the_mirrored_picture_disagrees(tiny_weights: Path) -> None:
    trimap = disc_trimap(150, 150)
    solution = create_solver(str(tiny_weights)).solve(picture(150, 150), trimap, confidence=True)
    trust = solution.confidence
    assert trust is not None
    assert (trust[trimap != 0.5] == 1).all()
    unknown = trust[trimap == 0.5]
    assert 0 <= unknown.min() < unknown.max() <= 1
    assert create_solver(str(tiny_weights)).solve(picture(150, 150), trimap).confidence is None


def test_a_symmetric_picture_is_solved_with_full_confidence_only_if_the_network_is_symmetric(
    make_tiny_weights: Callable[..., Path],
) -> None:
    folder = make_tiny_weights("flat", gain=0.0)  # answers 0.5 everywhere
    solution = create_solver(str(folder)).solve(picture(64, 64), np.full((64, 64), 0.5, np.float32), confidence=True)
    assert solution.confidence is not None
    assert (solution.confidence == 1).all()


def test_cancelling_between_tiles_ends_the_frame(tiny_weights: Path) -> None:
    asked = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(CancelledError):
        create_solver(str(tiny_weights), tile=64).solve(picture(300, 300), disc_trimap(300, 300), cancelled=cancelled)
    assert len(asked) == 3


def test_progress_grows_from_nothing_towards_one(tiny_weights: Path) -> None:
    told: list[float] = []
    create_solver(str(tiny_weights), tile=64).solve(picture(300, 300), disc_trimap(300, 300), progress=told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] < 1


def test_a_missing_trimap_is_named(tiny_weights: Path) -> None:
    with pytest.raises(SettingError, match="tiny needs a trimap: give --trimap, --mask, or --core and --garbage"):
        create_solver(str(tiny_weights)).solve(picture(10, 10), None)


def test_a_trimap_of_another_size_is_named(tiny_weights: Path) -> None:
    with pytest.raises(TrimapError, match="The trimap is 12x10, the plate 10x10"):
        create_solver(str(tiny_weights)).solve(picture(10, 10), np.zeros((10, 12), np.float32))


def test_the_solver_says_what_it_is_and_what_it_runs_on(tiny_weights: Path) -> None:
    solver = create_solver(str(tiny_weights), threads=1)
    manifest = find_manifest(str(tiny_weights))
    assert solver.name == "tiny"
    assert solver.identity == manifest.files["onnx"].sha256
    assert solver.effective["device"] == "cpu"
    assert str(solver.effective["backend"]).startswith("onnxruntime ")
    assert solver.effective["precision"] == "fp32"
    assert solver.effective["threads"] == 1
    assert open_backend(manifest).weights_sha256 == solver.identity


def test_a_plan_made_while_reading_serves_its_own_frame_only(tiny_weights: Path) -> None:
    solver = create_solver(str(tiny_weights), tile=64)
    plate, trimap = picture(150, 170), disc_trimap(150, 170)
    expected = {origin: solver.solve(plate, trimap, origin=origin) for origin in ((0, 0), (-13, 6))}
    assert isinstance(solver, NetworkSolver)
    for origin, other in (((0, 0), (-13, 6)), ((-13, 6), (0, 0))):
        windows = solver.reads(trimap, origin=other)
        assert windows != solver.reads(trimap, origin=origin)
        found = solver.solve(plate, trimap, origin=origin)
        assert np.array_equal(found.alpha, expected[origin].alpha)
        assert found.effective["tiles"] == expected[origin].effective["tiles"]
    for seed in range(10):  # frames that were read and never solved do not pile up
        solver.reads(disc_trimap(150, 170, band=6 + seed))
    assert len(solver._plans) <= MAX_PLANS
