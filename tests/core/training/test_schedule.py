"""The learning rate over a run."""

import pytest

from gossamer.training.schedule import one_cycle


def rates(steps: int = 100, warm_up: float = 0.1, final_rate: float = 0.05) -> list[float]:
    return [one_cycle(step, steps, warm_up=warm_up, final_rate=final_rate) for step in range(steps + 1)]


def test_it_rises_from_a_hundredth_to_the_peak() -> None:
    values = rates()
    assert values[0] == pytest.approx(0.01)
    assert values[10] == pytest.approx(1.0)
    assert values[:11] == sorted(values[:11])


def test_it_falls_to_the_final_rate() -> None:
    values = rates()
    assert values[10:] == sorted(values[10:], reverse=True)
    assert values[-1] == pytest.approx(0.05)


def test_beyond_the_end_the_final_rate_stays() -> None:
    assert one_cycle(500, 100, warm_up=0.1, final_rate=0.05) == pytest.approx(0.05)


@pytest.mark.parametrize("warm_up", [0.0, 1.0])
def test_a_run_of_one_step_has_a_rate(warm_up: float) -> None:
    assert 0 < one_cycle(0, 1, warm_up=warm_up, final_rate=0.01) <= 1
