from __future__ import annotations

import cv2
import numpy as np
import pytest

from gossamer.data.trimaps import BACKGROUND, FOREGROUND, UNKNOWN, disc_trimap, lsa_trimap, random_trimap, sloppy_trimap
from gossamer.image.image import FloatArray


def soft_disc() -> FloatArray:
    y, x = np.mgrid[0:96, 0:96].astype(np.float32)
    ramp = np.clip((28 - np.hypot(x - 48, y - 48)) / 4 + 0.5, 0, 1)
    return np.asarray(np.round(ramp * 255) / 255, np.float32)


def test_lsa_trimap_grows_the_band_by_its_two_distances() -> None:
    alpha = np.zeros((5, 41), np.float32)
    alpha[:, 20:] = 1
    alpha[:, 20] = 0.5
    row = lsa_trimap(alpha, 3, 6)[2]
    assert (row[:17] == BACKGROUND).all()
    assert (row[17:27] == UNKNOWN).all()
    assert (row[27:] == FOREGROUND).all()


def test_lsa_trimap_finds_a_hard_edge() -> None:
    alpha = np.zeros((5, 41), np.float32)
    alpha[:, 20:] = 1
    assert (lsa_trimap(alpha, 2, 2)[2] == UNKNOWN).sum() in (5, 6)


def test_a_picture_without_edge_has_no_band() -> None:
    assert (lsa_trimap(np.ones((8, 8), np.float32), 5, 5) == FOREGROUND).all()
    rng = np.random.default_rng(0)
    assert (disc_trimap(rng, np.zeros((8, 8), np.float32), 2, (2, 3), tolerance=0) == BACKGROUND).all()


@pytest.mark.parametrize("kind", ["lsa", "disc", "sloppy"])
def test_every_mixed_pixel_is_unknown(kind: str) -> None:
    rng, alpha = np.random.default_rng(1), soft_disc()
    trimap = {
        "lsa": lambda: lsa_trimap(alpha, 2, 3),
        "disc": lambda: disc_trimap(rng, alpha, 1, (2, 4), tolerance=0.5 / 255),
        "sloppy": lambda: sloppy_trimap(rng, alpha, 8, tolerance=0.5 / 255),
    }[kind]()
    assert (trimap[(alpha > 0) & (alpha < 1)] == UNKNOWN).all()
    assert (alpha[trimap == FOREGROUND] == 1).all()
    assert (alpha[trimap == BACKGROUND] == 0).all()


def test_the_tolerance_leaves_out_the_faintest_tips_only() -> None:
    alpha = np.zeros((40, 40), np.float32)
    alpha[10, 10] = 3 / 255
    alpha[30, 30] = 0.5
    trimap = disc_trimap(np.random.default_rng(0), alpha, 1, (1, 2), tolerance=5 / 255)
    assert trimap[10, 10] == BACKGROUND
    assert trimap[30, 30] == UNKNOWN


def test_random_trimaps_reach_from_tight_to_wide() -> None:
    rng, alpha = np.random.default_rng(2), soft_disc()
    share = [(random_trimap(rng, alpha) == UNKNOWN).mean() for _ in range(60)]
    assert min(share) < 0.2
    assert max(share) > 0.4


def test_random_trimaps_cover_small_islands_sometimes() -> None:
    alpha = soft_disc()
    alpha[cv2.circle(np.zeros((96, 96), np.uint8), (48, 48), 5, 1, -1) > 0] = 0
    rng = np.random.default_rng(3)
    covered = [(random_trimap(rng, alpha)[48, 48] == UNKNOWN) for _ in range(40)]
    assert any(covered)
    assert not all(covered)


def test_a_coarse_trimap_leaves_no_mesh_of_a_net_known() -> None:
    alpha = np.zeros((128, 128), np.float32)
    alpha[:, ::10] = alpha[::10] = 1
    alpha[:, :20] = alpha[:, -20:] = 0
    rng = np.random.default_rng(1)
    covered = [np.mean(random_trimap(rng, alpha, coarse=1.0)[40:88, 40:88] == UNKNOWN) for _ in range(8)]
    assert np.median(covered) == 1
