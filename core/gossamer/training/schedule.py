"""The learning rate over a run."""

import math

from gossamer.training.optimization import ScheduleSettings

__all__ = ["one_cycle", "rate_factor"]


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


def rate_factor(schedule: ScheduleSettings, step: int, steps: int, *, warm_up: float, final_rate: float) -> float:
    """Factor on the recipe's learning rate at ``step``, from 0, of ``steps``; the last two are one-cycle's."""
    if schedule.kind == "one-cycle":
        return one_cycle(step, steps, warm_up=warm_up, final_rate=final_rate)
    rise = 1.0
    if step < schedule.warm_up_steps:
        rise = 0.001 + 0.999 * step / schedule.warm_up_steps
    if schedule.kind == "staircase":
        # Whole steps, since shares of a run are not exact in floating point.
        stairs = step // max(1, round(schedule.period * steps))
        return rise * schedule.factor**stairs
    factor = 1.0
    if schedule.kind == "steps":
        for share, value in zip(schedule.at, schedule.factors, strict=True):
            if step >= round(share * steps):
                factor = value
    return rise * factor
