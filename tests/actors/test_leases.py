"""Leases: deadlines on a clock that only runs forward."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.leases import STALE_MAX, Leases
from actors.messages.tasks import LEASE_S_DEFAULT
from actors.model.stamps import later
from tests.kit.rows import START, a_task


def claimed(task_id: str = "a", lease: int = 1, length_s: float = 30.0) -> bytes:
    return a_task(
        task_id, status="running", lease=lease, started_at=START, lease_expires_at=later(START, length_s)
    ).encoded


def held(length_s: float = 30.0, now_s: float = 100.0) -> Leases:
    leases = Leases()
    leases.follow("a", claimed(length_s=length_s), now_s)
    return leases


def expired(leases: Leases, now_s: float) -> list[tuple[str, int]]:
    return leases.expired(now_s, 100, 1.0)


def test_a_lease_ends_after_its_length_whatever_the_wall_clock_says() -> None:
    leases = held()
    assert leases.due_in_s(100.0) == 30.0
    assert expired(leases, 129.9) == []
    assert expired(leases, 130.0) == [("a", 1)]


def test_a_heartbeat_moves_the_end_by_the_length_before_or_by_a_new_one() -> None:
    leases = held()
    leases.extend("a", 30.0, 120.0)
    assert expired(leases, 149.0) == []
    leases.extend("a", 5.0, 149.0)
    assert expired(leases, 153.0) == []
    assert expired(leases, 154.0) == [("a", 1)]


def test_changes_of_the_row_under_the_same_lease_move_nothing() -> None:
    leases = held()
    leases.follow("a", claimed(), 125.0)
    assert expired(leases, 130.0) == [("a", 1)]


def test_another_claim_begins_anew() -> None:
    leases = held()
    leases.follow("a", claimed(lease=2, length_s=60.0), 120.0)
    assert expired(leases, 131.0) == []
    assert expired(leases, 180.0) == [("a", 2)]


def test_a_task_that_is_held_no_more_is_forgotten() -> None:
    for ended in (a_task("a", status="completed").encoded, None):
        leases = held()
        leases.follow("a", ended, 110.0)
        assert len(leases) == 0
        assert expired(leases, 1000.0) == []
        assert leases.due_in_s(1000.0) == float("inf")


def test_a_lease_that_could_not_be_given_back_returns() -> None:
    leases = held()
    assert expired(leases, 130.0) == [("a", 1)]
    assert expired(leases, 130.5) == []
    assert expired(leases, 131.0) == [("a", 1)]


def test_many_end_in_portions() -> None:
    leases = Leases()
    for number in range(5):
        leases.follow(f"t{number}", claimed(f"t{number}", lease=number + 1), 0.0)
    assert len(leases.expired(60.0, 3, 1.0)) == 3
    assert leases.due_in_s(60.0) <= 0
    assert len(leases.expired(60.0, 3, 1.0)) == 2


def test_a_row_that_does_not_say_how_long_gets_the_usual_length() -> None:
    for row in (
        a_task("a", status="running", lease=1),
        a_task("a", status="running", lease=1, started_at="then", lease_expires_at="soon"),
        a_task("a", status="running", lease=1, started_at=START, lease_expires_at=START),
    ):
        leases = Leases()
        leases.follow("a", row.encoded, 0.0)
        assert leases.due_in_s(0.0) == LEASE_S_DEFAULT


def test_logging_and_updating_do_not_shorten_what_a_restart_gives() -> None:
    leases = Leases()
    row = a_task(
        "a", status="running", lease=1, started_at=START, lease_expires_at=later(START, 30), updated_at=later(START, 29)
    )
    leases.follow("a", row.encoded, 0.0)
    assert leases.due_in_s(0.0) == 30.0


def test_a_worker_that_beats_often_costs_no_memory() -> None:
    leases = held()
    for beat in range(3 * STALE_MAX):
        leases.extend("a", 80_000.0 if beat % 2 else 10.0, 100.0 + beat)
    assert len(leases._deadlines) <= STALE_MAX + 3
    assert leases.get("a") is not None


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["claim", "beat", "end", "wait"]), st.floats(1, 50)),
        max_size=60,
    )
)
def test_leases_end_when_a_plain_table_of_deadlines_says_so(steps: list[tuple[str, str, float]]) -> None:
    leases, deadlines, now_s, token = Leases(), dict[str, float](), 0.0, 0
    for name, step, seconds in steps:
        if step == "claim":
            token += 1
            leases.follow(name, claimed(name, token, length_s=round(seconds)), now_s)
            deadlines[name] = now_s + round(seconds)
        elif step == "beat" and name in deadlines:
            leases.extend(name, seconds, now_s)
            deadlines[name] = now_s + seconds
        elif step == "end":
            leases.follow(name, None, now_s)
            deadlines.pop(name, None)
        elif step == "wait":
            now_s += seconds
            over = {task_id for task_id, _token in leases.expired(now_s, 100, 1e9)}
            assert over == {task_id for task_id, deadline_s in deadlines.items() if deadline_s <= now_s}
            for task_id in over:
                leases.follow(task_id, None, now_s)
                del deadlines[task_id]
