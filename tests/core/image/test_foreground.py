"""Foreground and background colours behind a known mixture."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.image.foreground import estimate_foreground, residual
from gossamer.image.image import FloatArray


def _ramp(size: int = 160) -> FloatArray:
    """Alpha from 0 to 1 across the picture, with strands."""
    x = np.linspace(0, 1, size, dtype=np.float32)
    base = np.clip((x - 0.35) / 0.3, 0, 1)[None, :].repeat(size, axis=0)
    strands = np.sin(np.arange(size) * 0.9)[:, None] * 0.4
    return np.asarray(np.clip(base + strands * (base > 0) * (base < 1), 0, 1), np.float32)


def _smooth(seed: int, high: float, size: int = 160) -> FloatArray:
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    a, b, c = np.random.default_rng(seed).uniform(0.2, 1, (3, 3)).astype(np.float32)
    return np.asarray(high * (a * x[..., None] + b * y[..., None] + c) / 3, np.float32)


@pytest.mark.parametrize(("front", "back"), [(1.0, 1.0), (0.2, 30.0), (30.0, 0.2)])
def test_known_colours_are_found_again_also_in_highlights(front: float, back: float) -> None:
    alpha, F, B = _ramp(), _smooth(0, front), _smooth(1, back)
    plate = alpha[..., None] * F + (1 - alpha[..., None]) * B
    foreground, background = estimate_foreground(plate, alpha)
    weight = alpha[..., None]
    # The share of each colour that reaches a new composite.
    assert np.abs(weight * (foreground - F)).mean() < 0.01 * max(front, 0.2 * back)
    assert np.abs((1 - weight) * (background - B)).mean() < 0.01 * max(back, 0.2 * front)
    assert np.abs(residual(plate, alpha, foreground, background)).mean() < 2e-3 * max(front, back)


def test_known_regions_keep_the_plate_bit_for_bit() -> None:
    alpha = _ramp()
    plate = np.random.default_rng(0).uniform(-0.5, 20, (160, 160, 3)).astype(np.float32)
    plate[0, 159] = np.nan
    plate[1, 0] = np.inf
    foreground, background = estimate_foreground(plate, alpha)
    assert np.array_equal(foreground[alpha == 1], plate[alpha == 1], equal_nan=True)
    assert np.array_equal(background[alpha == 0], plate[alpha == 0], equal_nan=True)
    assert np.isfinite(foreground[alpha < 1]).all()
    assert np.isfinite(background[alpha > 0]).all()


def test_colours_are_not_negative_where_the_plate_is_not() -> None:
    alpha = _ramp()
    random = np.random.default_rng(1)
    plate = np.where(random.random((160, 160, 1)) > 0.9, 40.0, 0.1).astype(np.float32).repeat(3, axis=2)
    foreground, background = estimate_foreground(plate, alpha)
    assert foreground.min() >= 0
    assert background.min() >= 0


def test_scaling_the_light_scales_the_colours() -> None:
    alpha = _ramp()
    plate = np.random.default_rng(2).uniform(0, 2, (160, 160, 3)).astype(np.float32)
    one, _ = estimate_foreground(plate, alpha)
    four, _ = estimate_foreground(plate * 4, alpha)
    assert np.allclose(four, one * 4, rtol=1e-4, atol=1e-4)


def test_a_foreground_of_one_colour_is_free_of_the_background() -> None:
    alpha = _ramp()
    green = np.array([0.0, 0.6, 0.1], np.float32)
    skin = np.array([0.5, 0.3, 0.2], np.float32)
    plate = alpha[..., None] * skin + (1 - alpha[..., None]) * green
    foreground, _ = estimate_foreground(plate, alpha)
    seen = alpha > 0.05
    assert np.abs(foreground[seen] - skin).max() < 0.02


def test_tiles_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    from gossamer.image import foreground as module

    alpha = _ramp()
    alpha = np.clip(alpha, 0.01, 0.99)
    plate = np.random.default_rng(3).uniform(0, 1, (160, 160, 3)).astype(np.float32)
    tiled, _ = estimate_foreground(plate, alpha)
    monkeypatch.setattr(module, "_TILE", 1000)
    whole, _ = estimate_foreground(plate, alpha)
    assert np.abs(tiled - whole).max() < 1e-6


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (33, 65), (64, 64)])
def test_every_size_works(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(4)
    plate = random.random((*shape, 3)).astype(np.float32)
    alpha = random.random(shape).astype(np.float32)
    foreground, background = estimate_foreground(plate, alpha)
    assert foreground.shape == background.shape == plate.shape
    assert foreground.dtype == np.float32
    assert np.isfinite(foreground).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_picture_without_an_edge_is_all_one_colour_layer(value: float) -> None:
    plate = np.random.default_rng(5).random((20, 30, 3)).astype(np.float32)
    layers = estimate_foreground(plate, np.full((20, 30), value, np.float32))
    assert np.array_equal(layers[0 if value else 1], plate)


def test_inputs_are_not_changed() -> None:
    alpha = _ramp()
    plate = np.random.default_rng(6).random((160, 160, 3)).astype(np.float32)
    copies = alpha.copy(), plate.copy()
    estimate_foreground(plate, alpha)
    assert np.array_equal(alpha, copies[0])
    assert np.array_equal(plate, copies[1])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected H x W x 3 and H x W, not \(4, 4, 3\) and \(4, 5\)"):
        estimate_foreground(np.zeros((4, 4, 3), np.float32), np.zeros((4, 5), np.float32))
