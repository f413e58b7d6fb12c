"""Which commits are waited for on the spot."""

from __future__ import annotations

import pytest

from actors.writer.pace import QUICK_S, SMALL_BATCH, Pace


def test_small_batches_on_a_quick_disk_are() -> None:
    pace = Pace()
    assert pace.is_brief(1)
    assert pace.is_brief(SMALL_BATCH)
    assert not pace.is_brief(SMALL_BATCH + 1)


@pytest.mark.parametrize("stall_s", [0.05, 2.0])
def test_none_are_after_a_stall_until_the_disk_was_quick_for_a_while(stall_s: float) -> None:
    pace = Pace()
    pace.took(stall_s)
    assert not pace.is_brief(1)
    quick = 0
    while not pace.is_brief(1):
        pace.took(QUICK_S / 10)
        quick += 1
    assert 10 < quick < 100


def test_a_disk_that_is_slow_all_the_time_is_never_waited_for() -> None:
    pace = Pace()
    for _ in range(100):
        pace.took(QUICK_S * 2)
    assert not pace.is_brief(1)
