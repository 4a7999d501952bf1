"""Colours of made-up foregrounds."""

from __future__ import annotations

import numpy as np

from gossamer.data.colors import paint
from gossamer.data.photos import PhotoLibrary


def test_many_colours_do_not_lie_on_one_line() -> None:
    mix = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    light = np.full_like(mix, 0.5)
    spreads = []
    for seed in range(6):
        color = paint(np.random.default_rng(seed), light, mix, PhotoLibrary(()), many_colors=1.0).reshape(-1, 3)
        # Two colours and their mixtures have one direction in which they vary, several have more.
        spreads.append(np.linalg.svd(color - color.mean(0), compute_uv=False)[1])
    assert np.median(spreads) > 1
