"""The machine's clocks: what is told when the one on the wall is put back."""

from __future__ import annotations

import pytest

from actors.kernel.clock import HELD_MAX_S, SystemClock
from actors.model.stamps import posix_of, stamp_of

NOW_S = 1_800_000_000.0


class Wall:
    def __init__(self) -> None:
        self.now_s = NOW_S


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def clock(wall: Wall) -> SystemClock:
    return SystemClock(lambda: wall.now_s)


def test_stamps_tell_the_time(wall: Wall, clock: SystemClock) -> None:
    assert clock.stamp() == stamp_of(NOW_S)
    wall.now_s += 1.5
    assert clock.stamp() == stamp_of(NOW_S + 1.5)


@pytest.mark.parametrize("back_s", [0.001, 1.0, HELD_MAX_S])
def test_a_correction_makes_nothing_that_follows_older(wall: Wall, clock: SystemClock, back_s: float) -> None:
    clock.stamp()
    wall.now_s -= back_s
    told = []
    for _ in range(4):
        told.append(clock.stamp())
        wall.now_s += back_s / 2
    assert told == sorted(told)
    assert told[:2] == [stamp_of(NOW_S)] * 2
    assert told[3] == stamp_of(NOW_S + back_s / 2)


def test_a_clock_that_was_wrong_by_more_is_believed_again_at_once(wall: Wall, clock: SystemClock) -> None:
    clock.stamp()
    for jump_s in (10 * 365 * 86_400.0, -10 * 365 * 86_400.0, -HELD_MAX_S - 1):
        wall.now_s += jump_s
        assert posix_of(clock.stamp()) == pytest.approx(wall.now_s)


def test_durations_do_not_know_the_wall(wall: Wall, clock: SystemClock) -> None:
    before_s = clock.monotonic_s()
    wall.now_s = 0.0
    assert 0 <= clock.monotonic_s() - before_s < HELD_MAX_S
