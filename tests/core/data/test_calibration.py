from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gossamer.data.calibration import (
    Crop,
    comparison_table,
    crop_statistics,
    folder_crops,
    generator_crops,
    solver_errors,
    summarize,
)
from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
from gossamer.errors import DataError, MissingDependencyError


def ramp_crop() -> Crop:
    """Red in front of blue, alpha falls off over 20 columns; the band is 40 columns wide."""
    alpha = np.tile(np.clip((np.arange(96) - 38) / 20, 0, 1), (96, 1)).astype(np.float32)
    plate = np.zeros((96, 96, 3), np.float32)
    plate[..., 0], plate[..., 2] = alpha, 1 - alpha
    trimap = np.full((96, 96), 128, np.uint8)
    trimap[:, :28], trimap[:, 68:] = 0, 255
    return Crop(plate, trimap, alpha)


def write_folder(root: Path, *, height: int = 40) -> None:
    for part, shape in (("image", (40, 60, 3)), ("alpha", (40, 60)), ("trimap", (height, 60))):
        (root / part).mkdir()
        cv2.imwrite(str(root / part / "a.png"), np.full(shape, 128, np.uint8))


def test_statistics_of_a_known_ramp() -> None:
    numbers = crop_statistics(ramp_crop())
    assert numbers["unknown"] == pytest.approx(40 / 96)
    assert numbers["clear"] == pytest.approx(11 / 40)
    assert numbers["opaque"] == pytest.approx(10 / 40)
    assert numbers["mixed"] == pytest.approx(19 / 40)
    assert numbers["low"] == pytest.approx(4 / 19)
    assert numbers["middle"] == pytest.approx(11 / 19)
    assert numbers["slope"] == pytest.approx(1 / 20, rel=0.1)
    assert numbers["depth"] == pytest.approx(10.5, rel=0.1)
    assert numbers["contrast"] == pytest.approx(2**0.5, rel=0.01)
    assert numbers["f_spread"] == pytest.approx(0, abs=1e-3)


def test_statistics_of_a_crop_without_band_are_undefined_not_wrong() -> None:
    crop = Crop(np.zeros((32, 32, 3), np.float32), np.zeros((32, 32), np.uint8), np.zeros((32, 32), np.float32))
    numbers = crop_statistics(crop)
    assert numbers["unknown"] == 0
    assert np.isnan(numbers["opaque"])
    assert "depth" not in numbers


def test_solvers_are_measured_inside_the_band() -> None:
    errors = solver_errors(ramp_crop())
    assert set(errors) == {"closed-form", "shared"}
    assert errors["closed-form"] < 0.02
    assert errors["shared"] < 0.05


def test_solvers_need_both_sides() -> None:
    crop = ramp_crop()
    assert solver_errors(Crop(crop.plate[:, :60], crop.trimap[:, :60], crop.alpha[:, :60])) == {}


def test_pymatting_is_asked_for_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymatting", None)
    with pytest.raises(MissingDependencyError, match=r"gossamer-matting\[classical\]"):
        solver_errors(ramp_crop())


def test_crops_of_a_folder_lie_around_unknown_pixels(tmp_path: Path) -> None:
    write_folder(tmp_path)
    crops = list(folder_crops(tmp_path, "trimap", size=16, count=3, seed=0))
    assert len(crops) == 3
    for crop in crops:
        assert crop.plate.shape == (16, 16, 3)
        assert (crop.trimap == 128).all()


def test_a_missing_trimap_and_a_wrong_size_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, height=20)
    with pytest.raises(DataError, match=r"a\.png and .*a\.png differ in size"):
        list(folder_crops(tmp_path, "trimap", size=16, count=1, seed=0))
    with pytest.raises(DataError, match=r"trimap_wide/a\.png is missing beside"):
        list(folder_crops(tmp_path, "trimap_wide", size=16, count=1, seed=0))


def test_the_table_compares_sets_side_by_side() -> None:
    generator = SampleGenerator(SyntheticSettings(size=64, element_size=128, window=4), 1)
    rows = [crop_statistics(crop) for crop in generator_crops(generator, 3)]
    table = comparison_table({"ramp": [crop_statistics(ramp_crop())], "generator": rows})
    assert table.splitlines()[0] == "| number | ramp | generator |"
    assert "| unknown | 0.417 (0.417 / 0.417 / 0.417) |" in table


def test_summaries_leave_undefined_numbers_out() -> None:
    summary = summarize([{"a": 1.0}, {"a": float("nan")}, {"a": 3.0, "b": float("nan")}])
    assert summary == {"a": (2.0, 1.5, 2.0, 2.5)}
