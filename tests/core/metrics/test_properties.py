"""What must hold for any pair of mattes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gossamer import metrics
from gossamer.metrics import REGIONS, Region, connectivity_error, gradient_error, mad, mse, sad

ALL = [sad, mse, mad, gradient_error, connectivity_error]
Plane = NDArray[np.float64]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Plane, Plane, Plane]:
    """Two mattes and a trimap that holds each of its three values."""
    height, width = draw(st.integers(3, 24)), draw(st.integers(3, 24))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([2, 11, 256]))
    mattes = generator.integers(0, levels, (2, height, width)) / (levels - 1)
    trimap = generator.choice([0.0, 0.5, 1.0], (height, width))
    trimap[0, :3] = [0.0, 0.5, 1.0]
    return mattes[0], mattes[1], trimap


@pytest.mark.parametrize("metric", ALL)
@given(case=cases(), region=st.sampled_from(REGIONS))
@settings(max_examples=25, deadline=None)
def test_equal_mattes_have_no_error(metric: Any, case: tuple[Plane, Plane, Plane], region: Region) -> None:
    alpha, _, trimap = case
    assert metric(alpha, alpha.copy(), trimap, region=region) == 0


@pytest.mark.parametrize("metric", ALL)
@given(case=cases(), region=st.sampled_from(REGIONS))
@settings(max_examples=25, deadline=None)
def test_errors_are_symmetric_and_never_negative(metric: Any, case: tuple[Plane, Plane, Plane], region: Region) -> None:
    alpha, truth, trimap = case
    error = metric(alpha, truth, trimap, region=region)
    assert error >= 0
    assert metric(truth, alpha, trimap, region=region) == pytest.approx(error, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", [sad, gradient_error, connectivity_error])
@given(case=cases())
@settings(max_examples=25, deadline=None)
def test_the_three_regions_add_up_to_the_whole(metric: Any, case: tuple[Plane, Plane, Plane]) -> None:
    alpha, truth, trimap = case
    parts = sum(metric(alpha, truth, trimap, region=region) for region in ("unknown", "fg", "bg"))
    assert metric(alpha, truth, region="whole") == pytest.approx(parts, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", [mse, mad])
@given(case=cases())
@settings(max_examples=25, deadline=None)
def test_the_mean_over_the_whole_is_the_mean_of_the_regions(metric: Any, case: tuple[Plane, Plane, Plane]) -> None:
    alpha, truth, trimap = case
    counts = {"unknown": (trimap == 0.5).sum(), "fg": (trimap == 1).sum(), "bg": (trimap == 0).sum()}
    total = sum(metric(alpha, truth, trimap, region=region) * count for region, count in counts.items())
    assert metric(alpha, truth, region="whole") == pytest.approx(total / trimap.size, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", [sad, mse, mad])
@given(case=cases(), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_pixels_outside_the_region_do_not_count(metric: Any, case: tuple[Plane, Plane, Plane], seed: int) -> None:
    alpha, truth, trimap = case
    changed = np.where(trimap == 0.5, alpha, np.random.default_rng(seed).random(alpha.shape))
    assert metric(changed, truth, trimap) == metric(alpha, truth, trimap)


@pytest.mark.parametrize("metric", [sad, mse, mad])
@given(case=cases())
@settings(max_examples=25, deadline=None)
def test_variants_that_obey_the_trimap_agree_with_the_official_one_where_truth_does(
    metric: Any, case: tuple[Plane, Plane, Plane]
) -> None:
    alpha, truth, trimap = case
    truth = np.where(trimap == 0.5, truth, trimap)
    error = metric(alpha, truth, trimap)
    assert metric(alpha, truth, trimap, variant="gfm") == pytest.approx(error, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", ALL)
@given(case=cases())
@settings(max_examples=10, deadline=None)
def test_what_is_given_is_not_changed(metric: Any, case: tuple[Plane, Plane, Plane]) -> None:
    before = [plane.copy() for plane in case]
    for variant in ("official", "gfm"):
        if metric in (gradient_error, connectivity_error) and variant == "gfm":
            continue
        metric(*case, region="unknown", variant=variant)
    for plane, copy in zip(case, before, strict=True):
        np.testing.assert_array_equal(plane, copy)


def test_public_names_exist() -> None:
    assert all(hasattr(metrics, name) for name in metrics.__all__)
