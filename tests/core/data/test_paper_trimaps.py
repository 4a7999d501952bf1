"""The papers' trimaps: recorded maps of GFM, eroding ellipses of ViTMatte and DDC."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from gossamer.data.dataset_files import Item
from gossamer.data.paper_trimaps import (
    EllipseErosion,
    draw_erosion,
    ellipse_trimap,
    erosion_for,
    gfm_maps,
    write_ellipse_trimaps,
)
from gossamer.errors import DataError, SettingError
from gossamer.image.image import FloatArray

PARITY = Path(__file__).parents[2] / "data" / "parity" / "ops_gfm_losses"

Paint = Callable[..., Path]


def disc(side: int = 200, radius: float = 60, soft: float = 20) -> FloatArray:
    """Alpha falls from 1 to 0 over ``soft`` pixels outside ``radius``."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.asarray(np.clip(1 - (np.hypot(x, y) - radius) / soft, 0, 1), np.float32)


def test_gfm_maps_are_the_recorded_ones() -> None:
    with np.load(PARITY / "input.npz") as file:
        alpha = file["alpha"].astype(np.float32) / np.float32(255)
    maps = gfm_maps(alpha)
    with np.load(PARITY / "output.npz") as file:
        trimap = np.select([file["trimap25"] == 0, file["trimap25"] == 255], [0.0, 1.0], 0.5)
        np.testing.assert_array_equal(maps.trimap, trimap)
        np.testing.assert_array_equal(maps.dilation, file["dilation50"] / 255)
        np.testing.assert_array_equal(maps.erosion, file["erosion50"] / 255)


def test_gfm_maps_enclose_each_other() -> None:
    alpha = disc()
    maps = gfm_maps(alpha)
    assert (maps.erosion <= alpha).all()
    assert (alpha <= maps.dilation).all()
    assert (alpha[maps.trimap == 1] == 1).all()
    assert (alpha[maps.trimap == 0] == 0).all()
    assert maps.erosion.any()
    assert not maps.dilation.all()


def test_rounding_errors_of_alpha_do_not_change_the_maps() -> None:
    alpha = disc()
    nearly = np.where(alpha == 1, np.float32(0.999), np.where(alpha == 0, np.float32(0.001), alpha))
    for exact, rounded in zip(gfm_maps(alpha), gfm_maps(nearly), strict=True):
        np.testing.assert_array_equal(exact, rounded)


@pytest.mark.parametrize("kernels", [(0, 50), (25, 0)])
def test_a_kernel_without_pixels_is_refused(kernels: tuple[int, int]) -> None:
    with pytest.raises(SettingError, match=f"1 pixel at least, not {kernels[0]} and {kernels[1]}"):
        gfm_maps(disc(), trimap_kernel=kernels[0], rosta_kernel=kernels[1])


def test_larger_ellipses_leave_more_unknown() -> None:
    alpha = disc()
    narrow, wide = (ellipse_trimap(alpha, EllipseErosion(size, size)) for size in (1, 29))
    assert set(np.unique(wide)) == {0, 0.5, 1}
    assert ((alpha > 0) & (alpha < 1) <= (narrow == 0.5)).mean() > 0.99
    assert (wide[narrow == 0.5] == 0.5).all()
    assert (wide == 0.5).sum() > (narrow == 0.5).sum()


def test_the_two_sides_are_eroded_apart() -> None:
    alpha = disc()
    only_foreground = ellipse_trimap(alpha, EllipseErosion(29, 1))
    plain = ellipse_trimap(alpha, EllipseErosion(1, 1))
    assert (only_foreground == 1).sum() < (plain == 1).sum()
    assert (only_foreground == 0).sum() == (plain == 0).sum()


def test_the_trimap_has_the_size_of_the_picture() -> None:
    assert ellipse_trimap(np.ones((30, 70), np.float32), EllipseErosion(5, 5)).shape == (30, 70)


@pytest.mark.parametrize(
    ("erosion", "message"),
    [(EllipseErosion(0, 3), "not by 0 and 3"), (EllipseErosion(3, 3, "box"), "3 with box")],
)
def test_an_impossible_erosion_is_refused(erosion: EllipseErosion, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        ellipse_trimap(disc(), erosion)


def test_sizes_and_interpolations_cover_their_range() -> None:
    random = np.random.default_rng(0)
    drawn = [draw_erosion(random) for _ in range(600)]
    assert {erosion.foreground for erosion in drawn} == set(range(1, 30))
    assert {erosion.background for erosion in drawn} == set(range(1, 30))
    assert {erosion.interpolation for erosion in drawn} == {"nearest", "linear", "cubic", "lanczos"}


def test_a_picture_keeps_its_trimap_whatever_else_is_in_the_set() -> None:
    assert erosion_for("m_1", 7) == erosion_for("m_1", 7)
    assert len({erosion_for("m_1", 7), erosion_for("m_1", 8), erosion_for("m_2", 7)}) == 3


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    (tmp_path / "alpha").mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / "alpha" / f"{name}.png"), np.rint(disc() * 255).astype(np.uint8))
    return [Item(name, alpha=tmp_path / "alpha" / f"{name}.png") for name in ("a", "b")]


def test_written_trimaps_are_recorded_and_can_be_made_again(items: list[Item], tmp_path: Path) -> None:
    report = write_ellipse_trimaps(items, tmp_path / "trimap", seed=3)
    assert (report.written, report.kept) == (2, 0)
    with (tmp_path / "trimap" / "trimaps.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["a", "b"]
    assert {row["seed"] for row in rows} == {"3"}
    drawn = EllipseErosion(int(rows[0]["foreground"]), int(rows[0]["background"]), rows[0]["interpolation"])
    assert drawn == erosion_for("a", 3)
    written = cv2.imread(str(tmp_path / "trimap" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert written is not None
    assert set(np.unique(written)) == {0, 128, 255}
    expected = ellipse_trimap(np.rint(disc() * 255).astype(np.float32) / np.float32(255), drawn)
    np.testing.assert_array_equal(written, np.rint(expected * 255))
    assert write_ellipse_trimaps(items, tmp_path / "trimap", seed=3).kept == 2
    assert write_ellipse_trimaps(items, tmp_path / "trimap", seed=4).written == 2


def test_items_without_alpha_are_all_named(items: list[Item], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is none for x, y\."):
        write_ellipse_trimaps([*items, Item("x"), Item("y")], tmp_path / "trimap", seed=0)


def test_alphas_are_never_written_over(items: list[Item], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="holds the originals"):
        write_ellipse_trimaps(items, tmp_path / "alpha", seed=0)
