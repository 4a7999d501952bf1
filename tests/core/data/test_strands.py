from __future__ import annotations

import cv2
import numpy as np
import pytest

from gossamer.data.elements import Element, fill_outside, from_fields, from_strand_canvas, motion_kernel
from gossamer.data.strands import SUPERSAMPLING, StrandStyle, Tuft, draw_strands, drawn_width, grow_strands
from gossamer.image.image import FloatArray

SIZE = 64


def one_strand(start: tuple[float, float], end: tuple[float, float], width: float, taper: float = 1) -> Tuft:
    t = np.linspace(0, 1, 9)[:, None]
    points = (np.array(start) * (1 - t) + np.array(end) * t)[None].astype(np.float32)
    return Tuft(
        points,
        np.array([width], np.float32),
        np.array([[0.5, 0.25]], np.float32),
        np.zeros((1, 2), np.float32),
        taper,
    )


def draw(tuft: Tuft) -> Element:
    canvas = np.zeros((SIZE * SUPERSAMPLING, SIZE * SUPERSAMPLING, 3), np.uint8)
    draw_strands(canvas, tuft)
    return from_strand_canvas(canvas, None, "test")


def brute_force(start: tuple[float, float], end: tuple[float, float], width: float) -> FloatArray:
    """Coverage of a capsule by 16 x 16 samples a pixel."""
    steps = 16
    axis = (np.arange(SIZE * steps) + 0.5) / steps - 0.5
    x, y = np.meshgrid(axis, axis)
    a, b = np.array(start), np.array(end)
    along = ((x - a[0]) * (b - a)[0] + (y - a[1]) * (b - a)[1]) / ((b - a) ** 2).sum()
    along = np.clip(along, 0, 1)
    distance = np.hypot(x - a[0] - along * (b - a)[0], y - a[1] - along * (b - a)[1])
    inside = (distance <= width / 2).astype(np.float32)
    return np.asarray(inside.reshape(SIZE, steps, SIZE, steps).mean((1, 3)), np.float32)


@pytest.mark.parametrize(("asked", "thickness"), [(0.33, 1), (0.85, 2), (1.35, 4), (2.3, 8)])
@pytest.mark.parametrize("end", [(50.3, 14.1), (12.7, 52.4), (50.2, 47.9)])
def test_a_strand_covers_what_brute_force_supersampling_says(
    asked: float, thickness: int, end: tuple[float, float]
) -> None:
    start = (11.4, 12.6)
    alpha = draw(one_strand(start, end, asked)).layers[..., 2] / 255
    exact = brute_force(start, end, drawn_width(thickness) / SUPERSAMPLING)
    touched = (exact > 0) | (alpha > 0)
    assert np.abs(alpha - exact)[touched].mean() < 0.04
    assert alpha.sum() == pytest.approx(exact.sum(), rel=0.08)


def test_a_strand_thinner_than_half_a_pixel_never_becomes_opaque() -> None:
    alpha = draw(one_strand((8, 20.3), (56, 31.7), 0.3)).layers[..., 2]
    assert 40 < alpha.max() < 150


def test_crossing_strands_accumulate_as_over() -> None:
    both = np.zeros((SIZE * SUPERSAMPLING, SIZE * SUPERSAMPLING, 3), np.uint8)
    first, second = one_strand((8, 8), (56, 56), 1.3), one_strand((8, 56), (56, 8), 1.3)
    draw_strands(both, first)
    draw_strands(both, second)
    alone = [draw(tuft).layers[..., 2].astype(float) / 255 for tuft in (first, second)]
    together = from_strand_canvas(both, None, "test").layers[..., 2] / 255
    upper, lower = np.minimum(alone[0] + alone[1], 1), np.maximum(alone[0], alone[1])
    assert (together <= upper + 2 / 255).all()
    assert (together >= lower - 2 / 255).all()


def test_a_tapering_strand_is_thinner_at_its_tip() -> None:
    alpha = draw(one_strand((8, 32), (56, 32), 3, taper=0.2)).layers[..., 2].astype(float)
    assert alpha[:, 12:18].sum() > 2 * alpha[:, 48:54].sum()


def test_strands_start_at_their_roots_and_have_their_length() -> None:
    roots = np.array([[3.0, 4.0], [10.0, 20.0]])
    style = StrandStyle(length=12, length_spread=0, points=8, spread=0, bend=0, wander=0)
    points = grow_strands(np.random.default_rng(0), roots, np.array([[1.0, 0.0], [0.0, 2.0]]), style)
    np.testing.assert_allclose(points[:, 0], roots, atol=1e-5)
    np.testing.assert_allclose(points[:, -1], roots + np.array([[12, 0], [0, 12]]), atol=1e-4)


def test_clumped_tips_lie_closer_together() -> None:
    rng = np.random.default_rng(1)
    roots = rng.uniform(0, 40, (60, 2))
    up = np.tile([0.0, -1.0], (60, 1))
    loose = StrandStyle(length=20, spread=0.3)
    tight = StrandStyle(length=20, spread=0.3, clumps=3, clumping=0.9)
    tips = [grow_strands(np.random.default_rng(2), roots, up, style)[:, -1] for style in (loose, tight)]
    gaps = [np.sort(np.linalg.norm(t[:, None] - t[None], axis=-1), axis=1)[:, 5].mean() for t in tips]
    assert gaps[1] < 0.5 * gaps[0]


def test_colors_continue_smoothly_where_nothing_is() -> None:
    alpha = np.zeros((64, 64), np.float32)
    cv2.circle(alpha, (32, 32), 12, 1.0, -1)
    color = np.full((64, 64, 2), 0.6, np.float32)
    straight = fill_outside(color * alpha[..., None], alpha)
    np.testing.assert_allclose(straight, 0.6, atol=0.01)


def test_a_motion_kernel_neither_adds_nor_removes_light() -> None:
    for seed in range(5):
        kernel = motion_kernel(np.random.default_rng(seed), 4 + 5 * seed)
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert kernel.min() >= 0


def test_fields_become_layers_with_alpha_last() -> None:
    half = np.full((8, 8), 0.5, np.float32)
    element = from_fields(half, 0 * half, 2 * half, "test")
    assert element.layers[0, 0].tolist() == [128, 0, 255]
    assert not element.has_color
