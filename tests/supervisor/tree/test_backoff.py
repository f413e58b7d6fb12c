from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.tree.backoff import Delays
from supervisor.tree.policy import Backoff


class Highest(Random):
    """Draws the upper end, so that a test sees the ceiling."""

    def uniform(self, a: float, b: float) -> float:
        return b


def ceilings(backoff: Backoff, deaths: int) -> list[float]:
    delays = Delays(backoff, Highest())
    return [delays.after_death(healthy=False) for _ in range(deaths)]


def test_the_first_restart_is_immediate_and_the_ceiling_doubles_up_to_the_maximum() -> None:
    expected = [0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5]
    assert ceilings(Backoff(), 11) == pytest.approx(expected)


def test_after_a_healthy_period_the_next_restart_is_immediate_and_the_count_begins_anew() -> None:
    delays = Delays(Backoff(), Highest())
    for _ in range(5):
        delays.after_death(healthy=False)
    assert delays.after_death(healthy=True) == 0
    assert [delays.after_death(healthy=False) for _ in range(3)] == pytest.approx([0, 0.05, 0.1])


@given(st.floats(0, 10), st.floats(1, 4), st.floats(0, 60), st.integers(1, 3000), st.integers())
def test_every_delay_lies_between_nothing_and_its_ceiling(
    base_s: float, factor: float, max_s: float, deaths: int, seed: int
) -> None:
    delays = Delays(Backoff(base_s=base_s, factor=factor, max_s=max_s), Random(seed))
    for _ in range(min(deaths, 40)):
        assert 0 <= delays.after_death(healthy=False) <= max_s


def test_the_jitter_fills_the_whole_range_below_the_ceiling() -> None:
    rng = Random(7)
    second = []
    for _ in range(2000):
        delays = Delays(Backoff(base_s=1, max_s=10), rng)
        delays.after_death(healthy=False)
        second.append(delays.after_death(healthy=False))
    tenths = {int(delay_s * 10) for delay_s in second}
    assert tenths == set(range(10))


def test_thousands_of_deaths_in_a_row_do_not_overflow() -> None:
    assert ceilings(Backoff(), 5000)[-1] == 5


def test_the_same_seed_gives_the_same_delays() -> None:
    def drawn() -> list[float]:
        delays = Delays(Backoff(), Random(3))
        return [delays.after_death(healthy=False) for _ in range(20)]

    assert drawn() == drawn()
