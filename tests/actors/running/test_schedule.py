"""Whose turn it is: by urgency, then age; delays and dependencies hold runs back; nothing starves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.model.stamps import later
from actors.model.tables import seconds_between
from actors.running.schedule import Schedule, Waiting

START = "2026-03-01T12:00:00.000Z"
AGEING_S = 600.0


def waiting(run_id: str, priority: int = 5, made_s: float = 0.0) -> Waiting:
    return Waiting(run_id=run_id, task_id=f"task-{run_id}", priority=priority, order=(later(START, made_s), run_id))


def emptied(schedule: Schedule, stamp: str, now_s: float = 0.0) -> list[str]:
    """Let everything begin that can, one after the other."""
    begun: list[str] = []
    while (best := schedule.best(stamp, AGEING_S, now_s)) is not None:
        schedule.remove(best.run_id)
        begun.append(best.run_id)
    return begun


def test_the_more_urgent_goes_first_and_among_equals_the_older() -> None:
    schedule = Schedule()
    for one in (waiting("b", 5, 2), waiting("c", 5, 1), waiting("a", 1, 3), waiting("d", 9, 0)):
        schedule.put(one, blocked=False)
    assert emptied(schedule, later(START, 10)) == ["a", "c", "b", "d"]


def test_who_waits_gains_a_level_per_interval() -> None:
    schedule = Schedule()
    schedule.put(waiting("old", 7, 0), blocked=False)
    schedule.put(waiting("new", 5, 3 * AGEING_S), blocked=False)
    assert emptied(schedule, later(START, 3 * AGEING_S)) == ["old", "new"]


def test_a_blocked_run_waits_until_it_is_put_anew() -> None:
    schedule = Schedule()
    schedule.put(waiting("a"), blocked=True)
    assert schedule.best(START, AGEING_S, 0.0) is None
    schedule.put(waiting("a"), blocked=False)
    assert emptied(schedule, START) == ["a"]


def test_a_delayed_run_waits_for_its_time_also_when_it_was_blocked_meanwhile() -> None:
    schedule = Schedule()
    schedule.put(waiting("a"), blocked=False, not_before_s=10.0)
    schedule.put(waiting("a"), blocked=True)
    schedule.put(waiting("a"), blocked=False)
    assert schedule.due_s() == 10.0
    assert emptied(schedule, START, 9.9) == []
    assert emptied(schedule, START, 10.0) == ["a"]


def test_a_delay_that_ends_while_its_run_is_blocked_holds_nothing_back_later() -> None:
    schedule = Schedule()
    schedule.put(waiting("a"), blocked=True, not_before_s=10.0)
    assert emptied(schedule, START, 11.0) == []
    schedule.put(waiting("a"), blocked=False)
    assert emptied(schedule, START, 11.0) == ["a"]


def test_a_run_taken_out_leaves_nothing_behind() -> None:
    schedule = Schedule()
    schedule.put(waiting("a"), blocked=False, not_before_s=5.0)
    schedule.remove("a")
    schedule.remove("a")
    assert (len(schedule), schedule.run_of("task-a"), emptied(schedule, START, 9.0)) == (0, None, [])


def test_a_delay_of_a_run_that_was_taken_out_does_not_end_the_one_it_is_given_later() -> None:
    schedule = Schedule()
    schedule.put(waiting("a"), blocked=False, not_before_s=1.0)
    schedule.remove("a")
    schedule.put(waiting("a"), blocked=False, not_before_s=10.0)
    assert emptied(schedule, START, 5.0) == []
    assert emptied(schedule, START, 10.0) == ["a"]


puts = st.tuples(
    st.sampled_from("abcdefgh"),
    st.integers(0, 9),
    st.booleans(),
    st.one_of(st.none(), st.floats(0, 100)),
    st.booleans(),
)


@given(st.lists(puts, max_size=40), st.floats(0, 10_000), st.floats(0, 150))
def test_the_lanes_agree_with_looking_at_everybody(
    steps: list[tuple[str, int, bool, float | None, bool]], age_s: float, now_s: float
) -> None:
    schedule = Schedule()
    known: dict[str, tuple[Waiting, bool]] = {}
    delays: dict[str, float] = {}
    for name, priority, blocked, delay_s, leaves in steps:
        if leaves:
            schedule.remove(name)
            known.pop(name, None)
            delays.pop(name, None)
            continue
        one = waiting(name, priority, float(ord(name)))
        schedule.put(one, blocked=blocked, not_before_s=delay_s)
        known[name] = (one, blocked)
        if delay_s is not None:
            delays.setdefault(name, delay_s)
    stamp = later(START, 200 + age_s)

    def urgency(one: Waiting) -> tuple[int, tuple[str, str]]:
        age = seconds_between(one.order[0], stamp) or 0.0
        return max(0, one.priority - int(age / AGEING_S)), one.order

    free = [one for one, blocked in known.values() if not blocked and delays.get(one.run_id, 0.0) <= now_s]
    assert emptied(schedule, stamp, now_s) == [one.run_id for one in sorted(free, key=urgency)]
    assert len(schedule) == len(known) - len(free)


@given(st.integers(0, 9), st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_nothing_starves_however_many_urgent_ones_keep_coming(priority: int, urgent: list[int]) -> None:
    schedule = Schedule()
    schedule.put(waiting("patient", priority), blocked=False)
    for turn in range(200):
        now_s = turn * AGEING_S / 4
        schedule.put(waiting(f"urgent-{turn}", urgent[turn % len(urgent)], now_s), blocked=False)
        best = schedule.best(later(START, now_s), AGEING_S, now_s)
        assert best is not None
        schedule.remove(best.run_id)
        if best.run_id == "patient":
            return
    raise AssertionError("it never had its turn")
