"""Averaging over views: what each view shows, and what the mean of them is, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gossamer.image.image import FloatArray, Window
from gossamer.inference.merging import read_window
from gossamer.inference.predictor import NetworkSolver
from gossamer.inference.solver import create_solver
from gossamer.inference.views import (
    DIHEDRAL,
    IDENTITY,
    MIRRORED,
    SCALES,
    TTA_SCALES,
    TTA_VIEWS,
    View,
    average_views,
    reduce_alpha,
    resize_alpha,
    resize_plate,
    resize_trimap,
    scaled_size,
)
from gossamer.models.weights import Manifest


class Solved:
    """A backend that answers by a function of plate and trimap, and keeps what it saw."""

    weights_sha256 = "0" * 64
    effective: Mapping[str, Any] = {"backend": "test", "device": "cpu", "precision": "fp32"}

    def __init__(self, answer: Callable[[FloatArray, FloatArray | None], FloatArray]) -> None:
        self.answer = answer
        self.plates: list[FloatArray] = []
        self.trimaps: list[FloatArray | None] = []

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        self.plates.append(plate)
        self.trimaps.append(trimap)
        return self.answer(plate, trimap)


def red(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
    return plate[:, :1]


def solver(backend: Solved, tta: str, **values: Any) -> NetworkSolver:
    manifest = Manifest("test", "test", "test", "", 0, values.pop("needs_trimap", True), 8, 8, {})
    return NetworkSolver(manifest, backend, tta=tta, **values)


def picture(height: int = 40, width: int = 56) -> FloatArray:
    return np.random.default_rng(1).random((height, width, 3), np.float32)


def stripes(height: int = 40, width: int = 56) -> FloatArray:
    return np.broadcast_to((np.arange(width) * 3 // width / 2).astype(np.float32), (height, width)).copy()


# --- views ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", DIHEDRAL)
def test_a_view_is_turned_back_to_what_it_was(view: View) -> None:
    x = np.random.default_rng(0).random((1, 3, 4, 6), np.float32)
    shown = view.show(x)
    assert shown.flags.c_contiguous
    assert np.array_equal(view.back(shown), x)


def test_the_eight_views_differ() -> None:
    x = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert len({view.show(x).tobytes() for view in DIHEDRAL}) == 8
    assert {IDENTITY, MIRRORED} < set(DIHEDRAL)


@pytest.mark.parametrize("view", DIHEDRAL)
def test_a_window_lies_where_the_view_puts_its_pixels(view: View) -> None:
    values = np.arange(10 * 12, dtype=np.float32).reshape(10, 12)
    window = Window(2, 1, 5, 4)
    seen = view.window(window)
    # The view's origin stays the picture's: mirrored columns are counted from the right edge down to minus the width.
    shown = view.show(values)
    left = seen.x + (shown.shape[1] if view.columns else 0)
    top = seen.y + (shown.shape[0] if view.rows else 0)
    part = shown[top : top + seen.height, left : left + seen.width]
    assert np.array_equal(part, view.show(read_window(values, window)))


def test_the_settings_name_the_published_views() -> None:
    counts = {name: len(views) * len(TTA_SCALES[name]) for name, views in TTA_VIEWS.items()}
    assert counts == {"none": 1, "flips": 2, "fine": 2, "views": 24}
    assert SCALES == (0.8, 1.0, 1.25)
    assert TTA_SCALES["fine"] == (1.0, 1.5)


def test_one_answer_is_its_own_mean_bit_for_bit() -> None:
    answer = picture()
    assert average_views([answer]) is answer
    np.testing.assert_allclose(average_views([answer, 1 - answer]), 0.5, rtol=1e-6)


# --- sizes ------------------------------------------------------------------------------------------------------------


def test_pictures_are_resized_as_by_the_published_script() -> None:
    plate = picture()
    expected = cv2.resize(plate, (45, 32), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    np.testing.assert_array_equal(resize_plate(plate, 32, 45), expected)
    assert resize_alpha(plate[..., 0], 50, 70).shape == (50, 70)
    assert set(np.unique(resize_trimap(stripes(), 32, 45))) == {0.0, 0.5, 1.0}


def test_what_is_finer_than_a_pixel_becomes_its_coverage() -> None:
    """Where a cubic would pick single threads out of a mesh."""
    threads = np.zeros((60, 60), np.float32)
    threads[:, ::3] = 1
    np.testing.assert_allclose(reduce_alpha(threads, 40, 40).reshape(40, 20, 2).mean(2), 1 / 3, atol=1e-5)
    np.testing.assert_allclose(reduce_alpha(threads, 20, 20), 1 / 3, atol=1e-5)
    assert reduce_alpha(threads[:, :3], 40, 2).shape == (40, 2)


@pytest.mark.parametrize("size", [(24, 33), (50, 70)])
def test_cubic_and_nearest_pixels_are_torchs_too(size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    plate, trimap = picture(), stripes()
    tensors = [torch.from_numpy(x.transpose(2, 0, 1)[None].copy()) for x in (plate, trimap[..., None])]
    cubic = torch.nn.functional.interpolate(tensors[0], size=size, mode="bicubic", align_corners=False).clamp(0, 1)
    nearest = torch.nn.functional.interpolate(tensors[1], size=size, mode="nearest")
    np.testing.assert_allclose(resize_plate(plate, *size), cubic[0].numpy().transpose(1, 2, 0), atol=1e-5)
    np.testing.assert_array_equal(resize_trimap(trimap, *size), nearest[0, 0].numpy())


def test_a_scaled_picture_keeps_at_least_a_pixel() -> None:
    assert scaled_size(20, 40, 0.8) == (16, 32)
    assert scaled_size(1, 3, 0.1) == (1, 1)


# --- in a solver ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tta", ["none", "flips", "fine", "views"])
def test_a_network_that_follows_its_input_is_averaged_to_itself(tta: str) -> None:
    ramp = np.clip((np.arange(56, dtype=np.float32) - 18) / 18, 0, 1)
    plate = np.broadcast_to(ramp[:, None], (40, 56, 3)).astype(np.float32)
    alpha = solver(Solved(red), tta).solve(plate, stripes()).alpha
    unknown = stripes() == 0.5
    np.testing.assert_allclose(alpha[unknown], plate[..., 0][unknown], atol=0.02)
    assert np.array_equal(alpha[~unknown], stripes()[~unknown])


def test_each_view_is_shown_with_its_own_trimap() -> None:
    backend = Solved(red)
    plate = np.repeat(stripes()[..., None], 3, axis=2)
    solver(backend, "views").solve(plate, stripes())
    assert len(backend.plates) == 24
    for seen, trimap in zip(backend.plates[8:16], backend.trimaps[8:16], strict=True):
        assert trimap is not None
        assert np.array_equal(seen[:, :1], trimap)
    assert len({seen.tobytes() for seen in backend.plates[8:16]}) >= 4  # stripes look alike upside down
    sizes = [{seen.shape[2:] for seen in backend.plates[start : start + 8]} for start in (0, 8, 16)]
    assert all(len(turned) == 2 for turned in sizes)
    assert sum(map(max, sizes[0])) < sum(map(max, sizes[1])) < sum(map(max, sizes[2]))


def test_fine_is_the_mean_with_the_picture_half_as_large_again() -> None:
    def by_size(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        return np.full_like(plate[:, :1], 0.2 if plate.shape[3] < 80 else 0.6)

    trimap = np.full((40, 56), 0.5, np.float32)
    trimap[:, :4] = 0
    backend = Solved(by_size)
    found = solver(backend, "fine").solve(picture(), trimap, confidence=True)
    np.testing.assert_allclose(found.alpha[:, 8:], 0.4, atol=1e-6)
    assert not found.alpha[:, :4].any()
    assert found.confidence is not None
    # The mirror image that confidence needs is seen at the picture's own size alone.
    widths = [seen.shape[3] for seen in backend.plates]
    assert len(widths) == 3
    assert sum(width >= 80 for width in widths) == 1


def test_fine_keeps_the_coverage_of_what_is_finer_than_a_pixel() -> None:
    def threads(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        column = np.arange(plate.shape[3]) % 3 == 0 if plate.shape[3] >= 80 else np.full(plate.shape[3], 1 / 3)
        return np.broadcast_to(column.astype(np.float32), (1, 1, *plate.shape[2:])).copy()

    alpha = solver(Solved(threads), "fine").solve(picture(), np.full((40, 56), 0.5, np.float32)).alpha
    np.testing.assert_allclose(alpha.reshape(40, 28, 2).mean(2), 1 / 3, atol=1e-5)


def test_a_bias_to_one_side_is_averaged_away_by_flips() -> None:
    def leaning(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        ramp = np.linspace(0, 1, plate.shape[3], dtype=np.float32)
        return np.broadcast_to(ramp, (1, 1, *plate.shape[2:])).copy()

    trimap = np.full((40, 56), 0.5, np.float32)
    assert solver(Solved(leaning), "none").solve(picture(), trimap).alpha.std() > 0.1
    np.testing.assert_allclose(solver(Solved(leaning), "flips").solve(picture(), trimap).alpha, 0.5, atol=1e-6)


def test_a_network_without_trimap_is_averaged_too() -> None:
    backend = Solved(lambda plate, trimap: np.full_like(plate[:, :1], 0.4))
    alpha = solver(backend, "views", needs_trimap=False).solve(picture(), None).alpha
    np.testing.assert_allclose(alpha, 0.4, atol=1e-6)
    assert backend.trimaps == [None] * 24


def test_the_report_counts_every_pass() -> None:
    facts = {tta: solver(Solved(red), tta).solve(picture(), stripes()).effective for tta in TTA_VIEWS}
    assert [facts[tta]["passes"] for tta in facts] == [1, 2, 2, 24]
    assert facts["flips"]["network_pixels"] == 2 * facts["none"]["network_pixels"]
    assert facts["views"]["tiles"] == 3


def test_confidence_costs_no_pass_where_the_mirror_is_seen_anyway() -> None:
    backend = Solved(red)
    plain = solver(Solved(red), "none").solve(picture(), stripes(), confidence=True)
    flipped = solver(backend, "flips").solve(picture(), stripes(), confidence=True)
    assert len(backend.plates) == 2
    assert plain.confidence is not None
    assert flipped.confidence is not None
    np.testing.assert_array_equal(plain.confidence, flipped.confidence)


def test_all_of_the_plate_is_read_where_it_is_resized() -> None:
    assert solver(Solved(red), "views").reads(stripes()) is None
    assert solver(Solved(red), "fine").reads(stripes()) is None
    assert solver(Solved(red), "flips").reads(stripes()) is not None


def test_onnx_runtime_averages_as_well(tiny_weights: Path) -> None:
    plate, trimap = picture(120, 160), stripes(120, 160)
    by_view = {tta: create_solver(str(tiny_weights), tta=tta).solve(plate, trimap).alpha for tta in TTA_VIEWS}
    mirrored = create_solver(str(tiny_weights)).solve(plate[:, ::-1].copy(), trimap[:, ::-1].copy()).alpha[:, ::-1]
    unknown = trimap == 0.5
    # The mirrored picture's own tiles start elsewhere than the mirrored tiles, at another phase of the network.
    assert np.abs(by_view["flips"] - (by_view["none"] + mirrored) / 2)[unknown].mean() < 0.02
    assert 0 < np.abs(by_view["views"] - by_view["none"])[unknown].mean() < 0.2
    assert create_solver(str(tiny_weights), tta="views").effective["tta"] == "views"
