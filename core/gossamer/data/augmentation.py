"""LSA-Matting's augmentations of colour and alpha (Wang et al., "Learning to Smooth Alpha"; as in its published code).

All colour changes are affine maps of the channels, so a foreground that varies slowly in space still does.
"""

from __future__ import annotations

import numpy as np

from gossamer.image.image import FloatArray

__all__ = ["alpha_gamma", "augment_color", "invert_color", "mix_with_color", "permute_channels"]


def mix_with_color(color: FloatArray, weight: FloatArray, target: FloatArray) -> FloatArray:
    """``w F + (1 - w) t`` per channel.

    Args:
        color: ... x 3, encoded 0..1.
        weight: 3, 0..1.
        target: 3, 0..1.
    """
    weight = np.asarray(weight, np.float32)
    return np.asarray(color * weight + (1 - weight) * np.asarray(target, np.float32), np.float32)


def invert_color(color: FloatArray) -> FloatArray:
    """``1 - F``, for encoded values in 0..1."""
    return np.asarray(1 - color, np.float32)


def permute_channels(color: FloatArray, order: tuple[int, int, int]) -> FloatArray:
    """Channels in another order."""
    return np.ascontiguousarray(color[..., list(order)])


def alpha_gamma(alpha: FloatArray, gamma: float, *, from_above: bool) -> FloatArray:
    """``a ** gamma``, or ``1 - (1 - a) ** gamma`` with ``from_above``. 0 and 1 stay."""
    if from_above:
        return np.asarray(1 - (1 - alpha) ** np.float32(gamma), np.float32)
    return np.asarray(alpha ** np.float32(gamma), np.float32)


def augment_color(
    rng: np.random.Generator, color: FloatArray, probability: float = 0.3, *, mix: bool = True
) -> FloatArray:
    """The three changes one after the other, each with the probability given (LSA: 0.3); without ``mix`` the last two.

    Always draws the same number of random values, so that what follows does not depend on the outcome.
    """
    chance = rng.random(3)
    weight, target = rng.random(3, dtype=np.float32), rng.random(3, dtype=np.float32)
    order = rng.permutation(3)
    if mix and chance[0] < probability:
        color = mix_with_color(color, weight, target)
    if chance[1] < probability:
        color = invert_color(color)
    if chance[2] < probability:
        color = permute_channels(color, (int(order[0]), int(order[1]), int(order[2])))
    return color
