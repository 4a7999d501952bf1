"""The golden inputs ship with the package and are what they are said to be."""

from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import DataError, ModelError
from gossamer_export import golden
from gossamer_export.golden import any_size_cases, golden_cases


def test_every_input_follows_the_convention() -> None:
    cases = golden_cases(32)
    for case in cases:
        batch, channels, height, width = case.plate.shape
        assert channels == 3
        assert case.trimap.shape == (batch, 1, height, width)
        assert height % 32 == width % 32 == 0
        assert case.plate.dtype == case.trimap.dtype == np.float32
        assert case.plate.min() >= 0
        assert case.plate.max() <= 1
        assert set(np.unique(case.trimap)) <= {0.0, 0.5, 1.0}
        assert (case.trimap == 0.5).any()
    assert len({case.label for case in cases}) == len(cases)
    assert len({case.plate.shape for case in cases}) >= 6
    assert any(case.plate.shape[0] == 2 for case in cases)


def test_there_are_flat_pictures_and_the_ends_of_the_range() -> None:
    plates = {case.name: case.plate for case in golden_cases(32)}
    assert all(np.ptp(plates[name]) == 0 for name in ("flat-grey", "flat-black", "flat-white"))
    assert set(np.unique(plates["primaries"])) == {0.0, 1.0}


def test_known_pixels_of_the_truth_set_are_true() -> None:
    truths = [case for case in golden_cases(32) if case.truth is not None]
    assert len(truths) == 10
    for case in truths:
        assert case.truth is not None
        known = case.trimap != 0.5
        assert np.abs(case.truth - case.trimap)[known].max() <= 8 / 255
        fractional = (case.truth > 0.05) & (case.truth < 0.95)
        assert fractional.sum() > 200, case.label


def test_odd_sizes_go_down_to_one_pixel() -> None:
    sizes = {case.plate.shape[2:] for case in any_size_cases()}
    assert (1, 1) in sizes
    assert all(height % 32 or width % 32 for height, width in sizes)


def test_a_stride_that_no_input_fits_is_refused() -> None:
    with pytest.raises(ModelError, match="multiples of 32, the network wants 48"):
        golden_cases(48)


def test_a_missing_picture_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    with pytest.raises(DataError, match=r"golden picture .*twig\.png is missing or damaged"):
        golden._truth_set.__wrapped__()
