"""How long a failed attempt waits before it is repeated."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from actors.running.attempts import ceiling_s, delay_s
from actors.running.rules import RunRules

RULES = RunRules(backoff_base_s=1.0, backoff_factor=2.0, backoff_max_s=10.0)


def test_the_first_attempt_does_not_wait_and_the_ceiling_grows_to_its_bound() -> None:
    assert [ceiling_s(attempt, RULES) for attempt in range(1, 8)] == [0.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@given(st.integers(1, 1000), st.integers())
def test_the_delay_lies_between_nothing_and_the_ceiling(attempt: int, seed: int) -> None:
    assert 0.0 <= delay_s(attempt, RULES, Random(seed)) <= ceiling_s(attempt, RULES)


def test_delays_differ_so_that_what_failed_together_does_not_come_back_together() -> None:
    rng = Random(1)
    assert len({delay_s(3, RULES, rng) for _ in range(10)}) == 10
