"""Single values worked out by hand, and every refusal."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.errors import DataError, SettingError
from gossamer.metrics import Variant, connectivity_error, dtssd, gradient_error, mad, mse, sad

Plane = NDArray[np.float64]


def full(value: float, shape: tuple[int, ...] = (10, 20)) -> Plane:
    return np.full(shape, value)


def test_a_constant_offset_of_a_tenth_is_read_by_sad_mse_and_mad() -> None:
    alpha, truth = full(0.6), full(0.5)
    assert sad(alpha, truth, region="whole") == pytest.approx(200 * 0.1 / 1000)
    assert mse(alpha, truth, region="whole") == pytest.approx(0.01)
    assert mad(alpha, truth, region="whole") == pytest.approx(0.1)


def test_a_constant_offset_has_no_gradient_error() -> None:
    assert gradient_error(full(0.6), full(0.5), region="whole") == pytest.approx(0, abs=1e-12)


def test_a_loose_part_of_the_matte_is_a_connectivity_error() -> None:
    truth = full(0.0)
    truth[:, :8] = 1
    alpha = truth.copy()
    alpha[4, 15] = 1
    # The loose pixel never belongs to the source: connected up to 0, so 1 away in the matte and 0 in the truth.
    assert connectivity_error(alpha, truth, region="whole") == pytest.approx(1 / 1000)


def test_a_matte_that_never_gets_solid_has_a_connectivity_error() -> None:
    assert connectivity_error(full(0.5), full(1.0), region="whole") == pytest.approx(200 * 0.5 / 1000)


def test_lsa_passes_over_thresholds_that_no_pixel_reaches() -> None:
    trimap = full(0.5)
    assert connectivity_error(full(0.5), full(1.0), trimap, variant="lsa") == 0


def test_the_source_is_connected_over_four_neighbours_only() -> None:
    truth = full(0.0)
    truth[:5, :5] = 1
    alpha = truth.copy()
    alpha[5, 5] = truth[5, 5] = 1
    # Touching by a corner is not connected, in either matte: no difference.
    assert connectivity_error(alpha, truth, region="whole") == 0
    alpha[5, 5] = 0.5
    assert connectivity_error(alpha, truth, region="whole") == pytest.approx(0.5 / 1000)


def test_lsa_counts_truth_that_contradicts_the_trimap() -> None:
    alpha, truth, trimap = full(0.5), full(0.5), full(0.5)
    trimap[0, 0] = 1
    assert sad(alpha, truth, trimap) == 0
    assert sad(alpha, truth, trimap, variant="lsa") == pytest.approx(0.5 / 1000)
    assert mse(alpha, truth, trimap, variant="lsa") == pytest.approx(0.25 / 199)


def test_float32_and_8_bit_steps_give_the_same_connectivity() -> None:
    steps = np.arange(256).repeat(4).reshape(32, 32)
    alpha = steps[::-1] / 255
    assert connectivity_error(alpha.astype(np.float32), (steps / 255).astype(np.float32), region="whole") == (
        pytest.approx(connectivity_error(alpha, steps / 255, region="whole"), rel=1e-6)
    )


def test_a_still_shot_with_a_constant_error_has_no_temporal_error() -> None:
    truths = full(0.5, (4, 6, 8))
    assert dtssd(truths + 0.2, truths, region="whole") == pytest.approx(0, abs=1e-9)


def test_a_matte_that_flickers_by_a_tenth_has_a_temporal_error_of_ten() -> None:
    truths = full(0.5, (5, 6, 8))
    alphas = truths.copy()
    alphas[1::2] += 0.1
    assert dtssd(alphas, truths, region="whole") == pytest.approx(10)


def test_temporal_errors_count_where_either_frame_is_unknown() -> None:
    truths, trimaps = full(0.5, (2, 1, 4)), full(1.0, (2, 1, 4))
    alphas = truths.copy()
    alphas[1, 0, 0] += 0.1
    alphas[1, 0, 3] += 0.5
    trimaps[0, 0, 0] = trimaps[1, 0, 1] = 0.5
    assert dtssd(alphas, truths, trimaps) == pytest.approx(10 / np.sqrt(2))


def test_the_temporal_error_needs_two_frames() -> None:
    with pytest.raises(DataError, match="at least two frames"):
        dtssd(full(0.5, (1, 4, 4)), full(0.5, (1, 4, 4)), region="whole")


def test_the_temporal_error_needs_equal_shapes() -> None:
    with pytest.raises(DataError, match="one shape T x H x W"):
        dtssd(full(0.5, (2, 4, 4)), full(0.5, (3, 4, 4)), region="whole")


def test_the_temporal_error_needs_pixels_of_the_region() -> None:
    with pytest.raises(DataError, match="no pixel in any frame"):
        dtssd(full(0.5, (2, 4, 4)), full(0.5, (2, 4, 4)), full(1.0, (2, 4, 4)))


def test_a_variant_without_the_metric_is_refused() -> None:
    with pytest.raises(SettingError, match="'lsa' does not define mad over 'unknown', at all"):
        mad(full(0.5), full(0.5), full(0.5), variant="lsa")


def test_a_variant_without_the_region_is_refused_and_its_regions_named() -> None:
    with pytest.raises(SettingError, match="'gfm' does not define grad over 'unknown', only over whole"):
        gradient_error(full(0.5), full(0.5), full(0.5), variant="gfm")


def test_an_unknown_variant_is_named_with_the_known_ones() -> None:
    wrong: Variant = "paper"  # type: ignore[assignment]
    with pytest.raises(SettingError, match="'paper'; use one of official, gfm, lsa, alpha_free"):
        sad(full(0.5), full(0.5), region="whole", variant=wrong)


def test_an_unknown_region_is_named_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match="'edge'; use one of whole, unknown, fg, bg"):
        sad(full(0.5), full(0.5), region="edge")  # type: ignore[arg-type]


def test_mattes_of_different_sizes_are_refused_with_both_sizes() -> None:
    with pytest.raises(DataError, match="matte is 20x10, the truth 20x11"):
        sad(full(0.5), full(0.5, (11, 20)), region="whole")


def test_a_trimap_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match="trimap is 20x11, the matte 20x10"):
        sad(full(0.5), full(0.5), full(0.5, (11, 20)))


def test_the_unknown_region_needs_a_trimap() -> None:
    with pytest.raises(DataError, match="'unknown' needs a trimap"):
        sad(full(0.5), full(0.5))


def test_a_mean_over_no_pixels_is_refused() -> None:
    with pytest.raises(DataError, match="holds no pixel"):
        mse(full(0.5), full(0.5), full(1.0))


def test_a_sum_over_no_pixels_is_zero() -> None:
    assert sad(full(0.5), full(0.6), full(1.0)) == 0
