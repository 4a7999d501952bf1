"""Premultiply, unpremultiply, over."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gossamer.image.alpha import over, premultiply, unpremultiply
from gossamer.image.image import FloatArray

colors = hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(-100, 100, width=32))
alphas = hnp.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32))


@given(colors, alphas)
def test_unpremultiplying_undoes_premultiplying(color: FloatArray, alpha: FloatArray) -> None:
    seen = alpha > 1e-3
    back = unpremultiply(premultiply(color, alpha), alpha)
    assert np.allclose(back[seen], color[seen], rtol=1e-5, atol=1e-6)


def test_values_above_one_and_below_zero_stay() -> None:
    color = np.array([[[50.0, -2.0, 0.5]]], np.float32)
    alpha = np.array([[0.5]], np.float32)
    assert premultiply(color, alpha).tolist() == [[[25.0, -1.0, 0.25]]]
    assert unpremultiply(color, alpha).tolist() == [[[100.0, -4.0, 1.0]]]


def test_nothing_shines_through_alpha_zero_not_even_nan() -> None:
    color = np.array([[[np.nan, np.inf, 1.0]]], np.float32)
    assert premultiply(color, np.zeros((1, 1), np.float32)).tolist() == [[[0.0, 0.0, 0.0]]]


def test_unpremultiplying_leaves_colour_under_alpha_zero() -> None:
    color = np.array([[[0.25, 0.0, 2.0]]], np.float32)
    assert np.array_equal(unpremultiply(color, np.zeros((1, 1), np.float32)), color)


def test_over_mixes_by_alpha() -> None:
    white = np.ones((1, 3, 3), np.float32)
    alpha = np.array([[0.0, 0.25, 1.0]], np.float32)
    result = over(premultiply(white * 2, alpha), alpha, white * 4)
    assert result[0, :, 0].tolist() == [4.0, 3.5, 2.0]
    assert result.dtype == np.float32
