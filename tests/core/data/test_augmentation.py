from __future__ import annotations

import numpy as np
import pytest

from gossamer.data.augmentation import alpha_gamma, augment_color, invert_color, mix_with_color, permute_channels


def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).random((5, 4, 3), dtype=np.float32)


def test_mixing_moves_each_channel_towards_its_target() -> None:
    color = picture()
    weight, target = np.array([1, 0, 0.25], np.float32), np.array([0.1, 0.2, 0.4], np.float32)
    mixed = mix_with_color(color, weight, target)
    np.testing.assert_allclose(mixed[..., 0], color[..., 0], atol=1e-7)
    np.testing.assert_allclose(mixed[..., 1], 0.2, atol=1e-7)
    np.testing.assert_allclose(mixed[..., 2], 0.25 * color[..., 2] + 0.3, atol=1e-6)


def test_inverting_twice_gives_the_color_back() -> None:
    np.testing.assert_allclose(invert_color(invert_color(picture())), picture(), atol=1e-6)


def test_channels_are_permuted_in_the_order_given() -> None:
    np.testing.assert_array_equal(permute_channels(picture(), (2, 0, 1)), picture()[..., [2, 0, 1]])


@pytest.mark.parametrize("from_above", [False, True])
@pytest.mark.parametrize("gamma", [0.5, 1.7])
def test_alpha_gamma_keeps_zero_and_one_and_the_order(gamma: float, *, from_above: bool) -> None:
    alpha = np.linspace(0, 1, 50, dtype=np.float32)
    changed = alpha_gamma(alpha, gamma, from_above=from_above)
    assert changed[0] == 0
    assert changed[-1] == 1
    assert (np.diff(changed) > 0).all()


def test_alpha_gamma_from_above_mirrors_the_other() -> None:
    alpha = np.linspace(0, 1, 50, dtype=np.float32)
    np.testing.assert_allclose(
        alpha_gamma(alpha, 2, from_above=True), 1 - alpha_gamma(1 - alpha, 2, from_above=False), atol=1e-6
    )


def test_no_probability_leaves_the_color_alone() -> None:
    np.testing.assert_array_equal(augment_color(np.random.default_rng(0), picture(), 0), picture())


def test_each_change_happens_as_often_as_asked() -> None:
    rng = np.random.default_rng(1)
    color = np.array([[[0.2, 0.5, 0.9]]], np.float32)
    unchanged = sum(np.array_equal(augment_color(rng, color, 0.3), color) for _ in range(2000))
    # (a) and (b) must not happen; a permutation is the identity one time in six.
    assert unchanged / 2000 == pytest.approx(0.7 * 0.7 * (0.7 + 0.3 / 6), abs=0.04)


def test_augmentation_draws_the_same_numbers_whatever_happens() -> None:
    states = []
    for probability in (0.0, 1.0):
        rng = np.random.default_rng(5)
        augment_color(rng, picture(), probability)
        states.append(rng.random())
    assert states[0] == states[1]


def test_a_smooth_color_stays_smooth() -> None:
    ramp = np.linspace(0.2, 0.4, 100, dtype=np.float32)[:, None, None] * np.ones((1, 1, 3), np.float32)
    for seed in range(20):
        changed = augment_color(np.random.default_rng(seed), ramp, 0.5)
        assert np.abs(np.diff(changed, axis=0)).max() <= np.abs(np.diff(ramp, axis=0)).max() + 1e-6
