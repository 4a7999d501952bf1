"""Meshes with things behind them."""

from collections.abc import Callable

import cv2
import numpy as np

from gossamer.data.elements import Element
from gossamer.data.surfaces import render_net
from gossamer.data.vessels import render_vessel

SEEDS = range(8)


def test_a_vessel_has_many_small_holes_and_is_otherwise_solid() -> None:
    many = 0
    for seed in SEEDS:
        alpha = render_vessel(np.random.default_rng(seed), 256).layers[..., -1]
        count, _, stats, _ = cv2.connectedComponentsWithStats((alpha < 200).astype(np.uint8))
        inside = [
            area
            for left, top, width, height, area in stats[1:count]
            if left > 0 and top > 0 and left + width < 256 and top + height < 256
        ]
        many += len([area for area in inside if area < 1500]) >= 20
        assert (alpha > 250).mean() > 0.03
    assert many >= len(SEEDS) // 2


def test_metal_goes_from_dark_to_bright_where_a_net_is_even() -> None:
    def spread(render: Callable[[np.random.Generator, int], Element]) -> float:
        ranges = []
        for seed in SEEDS:
            layers = render(np.random.default_rng(seed), 256).layers
            light = layers[..., 0][layers[..., -1] > 200]
            ranges.append(float(np.percentile(light, 95) - np.percentile(light, 5)))
        return float(np.mean(ranges))

    assert spread(render_vessel) > 1.4 * spread(render_net)
