from __future__ import annotations

import numpy as np
import pytest

from gossamer_renders.fields import Growth, Noise, directions, grow, random_albedo, random_tint, taper, unit


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def hair(growth: Growth, *, count: int = 40, points: int = 12) -> np.ndarray:
    roots = directions(rng(2), count)
    return grow(rng(3), roots, roots, np.full(count, 0.5), points, growth)


def test_noise_is_smooth_and_depends_on_the_seed_alone() -> None:
    points = directions(rng(), 200)
    values, near = Noise(rng(5), 1)(points), Noise(rng(5), 1)(points + 1e-4)
    assert np.abs(values - near).max() < 0.01
    assert values.std() > 0.3
    assert not np.allclose(values, Noise(rng(6), 1)(points))


def test_strands_begin_at_their_roots_and_are_as_long_as_asked() -> None:
    strands = hair(Growth(wildness=0.5, gravity=0.7))
    np.testing.assert_allclose(strands[:, 0], directions(rng(2), 40))
    lengths = np.linalg.norm(np.diff(strands, axis=1), axis=-1).sum(1)
    np.testing.assert_allclose(lengths, 0.5, rtol=1e-6)


def test_gravity_pulls_tips_down() -> None:
    light, heavy = (hair(Growth(wildness=0.1, gravity=gravity))[:, -1, 2].mean() for gravity in (0, 2))
    assert heavy < light - 0.1


def test_curls_leave_the_straight_way_and_keep_the_root() -> None:
    straight, curled = hair(Growth(wildness=0)), hair(Growth(wildness=0, curls=4))
    np.testing.assert_allclose(curled[:, 0], straight[:, 0], atol=1e-9)
    assert np.linalg.norm(curled - straight, axis=-1).max() > 0.009


def test_clumps_bring_tips_together() -> None:
    loose, clumped = (hair(Growth(wildness=0.8, clumping=amount), count=300) for amount in (0, 0.95))

    def to_the_nearest(strands: np.ndarray) -> float:
        apart = np.linalg.norm(strands[:, None, -1] - strands[None, :, -1], axis=-1) + 9 * np.eye(len(strands))
        return float(apart.min(1).mean())

    assert to_the_nearest(clumped) < 0.7 * to_the_nearest(loose)


def test_a_single_strand_may_clump_and_curl() -> None:
    assert np.isfinite(hair(Growth(curls=2, clumping=0.5), count=1)).all()


@pytest.mark.parametrize("seed", range(20))
def test_colors_are_albedos(seed: int) -> None:
    colors = np.concatenate([random_albedo(rng(seed))[None], random_tint(rng(seed))(directions(rng(), 100))])
    assert colors.min() > 0
    assert colors.max() <= 0.95


def test_strands_taper() -> None:
    radii = taper(rng(), 50, 8, 0.004, 0.001)
    assert radii.shape == (50, 8)
    assert (np.diff(radii, axis=1) < 0).all()
    assert len(np.unique(radii[:, 0])) == 50


def test_unit_leaves_zeros() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 4, 0], [0, 0, 0]])), np.array([[0.6, 0.8, 0], [0, 0, 0]]))
