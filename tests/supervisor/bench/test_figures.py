"""supervisor/bench/figures.py: ratios over rounds, and percentiles."""

from __future__ import annotations

import pytest

from supervisor.bench.figures import compared, percentile, taken


def ratio(ours: list[float], theirs: list[float]) -> float | None:
    return compared(taken("rate", ours, "/s"), theirs, "raw").ratio


def test_a_round_in_which_both_were_slow_does_not_change_the_ratio() -> None:
    assert ratio([100.0, 10.0, 100.0], [200.0, 20.0, 200.0]) == 0.5


def test_one_odd_round_does_not_decide() -> None:
    assert ratio([100.0, 1.0, 110.0], [100.0, 100.0, 100.0]) == 1.0
    assert taken("rate", [100.0, 1.0, 110.0], "/s").value == 100.0


def test_rounds_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        ratio([1.0, 2.0], [1.0])


def test_the_spread_is_that_of_the_ratios_where_there_are_some() -> None:
    rates = taken("rate", [100.0, 300.0], "/s")
    assert rates.spread == (100.0, 300.0)
    assert compared(rates, [200.0, 300.0], "raw").spread == (0.5, 1.0)
    assert taken("rate", [100.0], "/s").spread is None


@pytest.mark.parametrize(("percent", "expected"), [(0, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], percent) == expected


def test_without_values_there_is_no_percentile() -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile([], 50)
