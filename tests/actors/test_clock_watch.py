"""Whether the wall clock can be believed."""

import pytest

from actors.clock_watch import ClockWatch

HOUR_S = 3600.0
DAY_S = 86_400.0
NOW_S = 1_800_000_000.0


class Clocks:
    """A watch and its two clocks."""

    def __init__(self, newest_s: float | None = NOW_S, now_s: float = NOW_S) -> None:
        self.wall_s, self.running_s = now_s, 100.0
        self.watch = ClockWatch(self.wall_s, self.running_s, newest_s)

    def pass_s(self, seconds: float, jump_s: float = 0.0) -> bool:
        self.running_s += seconds
        self.wall_s += seconds + jump_s
        return self.watch.look(self.wall_s, self.running_s)

    @property
    def believed(self) -> bool:
        return self.watch.doubt is None


def test_time_that_passes_is_believed_however_long() -> None:
    clocks = Clocks()
    assert not clocks.pass_s(400 * DAY_S)
    assert clocks.believed


def test_small_corrections_are_believed_also_when_they_add_up() -> None:
    clocks = Clocks()
    for _ in range(10):
        assert not clocks.pass_s(60, jump_s=0.4 * HOUR_S)
    assert clocks.believed


@pytest.mark.parametrize("jump_s", [-10 * 365 * DAY_S, -2 * HOUR_S, 2 * HOUR_S, 10 * 365 * DAY_S])
def test_a_jump_is_doubted_and_told_once(jump_s: float) -> None:
    clocks = Clocks()
    assert clocks.pass_s(1, jump_s)
    assert clocks.watch.doubt is not None
    assert not clocks.pass_s(1)
    assert not clocks.believed


def test_a_clock_that_is_put_right_again_is_believed_at_once() -> None:
    clocks = Clocks()
    clocks.pass_s(1, -10 * 365 * DAY_S)
    clocks.pass_s(500, 10 * 365 * DAY_S)
    assert clocks.believed


@pytest.mark.parametrize(("slept_s", "believed"), [(8 * HOUR_S, True), (8 * DAY_S, False), (-8 * HOUR_S, False)])
def test_after_a_steady_day_only_what_may_have_been_a_sleep_is_believed(slept_s: float, believed: bool) -> None:
    clocks = Clocks()
    clocks.pass_s(1, slept_s)
    clocks.pass_s(0.9 * DAY_S)
    assert not clocks.believed
    clocks.pass_s(0.2 * DAY_S)
    assert clocks.believed is believed


def test_many_short_sleeps_are_one_long_jump() -> None:
    clocks = Clocks()
    for _ in range(10):
        clocks.pass_s(HOUR_S, DAY_S)
    clocks.pass_s(2 * DAY_S)
    assert not clocks.believed


@pytest.mark.parametrize(
    ("off_s", "believed"),
    [
        (0, True),
        (200 * DAY_S, True),
        (-10, True),
        (-2 * HOUR_S, False),
        (-10 * 365 * DAY_S, False),
        (400 * DAY_S, False),
    ],
)
def test_at_the_start_the_clock_must_fit_the_newest_line(off_s: float, believed: bool) -> None:
    assert Clocks(now_s=NOW_S + off_s).believed is believed


def test_an_empty_journal_tells_nothing_about_the_clock() -> None:
    assert Clocks(newest_s=None, now_s=0.0).believed


def test_a_clock_without_a_battery_is_believed_once_the_network_has_put_it_right() -> None:
    clocks = Clocks(now_s=0.0)
    assert not clocks.believed
    clocks.pass_s(5, NOW_S)
    assert clocks.believed
