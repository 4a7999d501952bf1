"""The learning rate over a run."""

import math

__all__ = ["one_cycle"]


def one_cycle(step: int, steps: int, *, warm_up: float, final_rate: float) -> float:
    """Factor on the peak learning rate at ``step`` of ``steps``: linear rise, then half a cosine down.

    Args:
        step: 0-based; beyond the end the final rate stays.
        steps: Length of the run.
        warm_up: Share of the steps in which the rate rises from a hundredth of the peak.
        final_rate: Share of the peak that is left at the end.
    """
    rise = max(1, round(steps * warm_up))
    if step < rise:
        return 0.01 + 0.99 * step / rise
    progress = min(1.0, (step - rise) / max(1, steps - rise))
    return final_rate + (1 - final_rate) * 0.5 * (1 + math.cos(math.pi * progress))
