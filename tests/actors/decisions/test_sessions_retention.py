"""Which sessions leave by themselves, and when none does."""

from __future__ import annotations

import pytest

from actors.decisions.decision import Rules
from actors.decisions.sessions_retention import SLICE, overdue
from actors.messages import records
from actors.messages import sessions as ask
from tests.kit.decided import Bench

DAY_S = 86_400.0


def session_id(number: int) -> str:
    return f"0190163d-8694-739b-aea5-{number:012x}"


def create(number: int) -> ask.SessionCreate:
    return ask.SessionCreate(title=str(number), provider="p", model="m", working_directory="/w", id=session_id(number))


def with_sessions(bench: Bench, number: int) -> Bench:
    """Sessions 0, 1, 2 …, the first one unused for longest."""
    kept, bench.rules = bench.rules, Rules(sessions_max=0)
    for n in range(number):
        bench.do(create(n))
        bench.pass_s(1)
    bench.rules = kept
    return bench


def left(bench: Bench) -> list[int]:
    return sorted(int(name[-12:], 16) for name in bench.tables.sessions.rows)


def run_live(bench: Bench, number: int) -> None:
    bench.do(records.RunPut(run=records.WholeRun(id="r", session_id=session_id(number), status="running")))


def test_the_least_recently_accessed_leaves_in_the_line_that_makes_one_too_many() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=3)), 3)
    bench.do(ask.SessionLoad(id=session_id(0)))
    bench.do(create(9))
    assert left(bench) == [0, 2, 9]
    assert [fact.op for fact in bench.lines[-1].facts] == ["session.created", "session.archived"]
    assert bench.lines[-1].facts[1].members() == {"reason": "limit"}


def test_below_the_limit_and_without_one_nobody_leaves() -> None:
    for rules in (Rules(sessions_max=4), Rules(sessions_max=0)):
        bench = with_sessions(Bench(rules=rules), 3)
        bench.do(create(9))
        assert left(bench) == [0, 1, 2, 9]


def test_a_limit_that_was_lowered_is_reached_by_the_next_one_that_joins() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=2)), 5)
    bench.do(create(9))
    assert left(bench) == [4, 9]


def test_a_session_with_a_live_run_never_leaves() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=2, sessions_keep_days=1)), 2)
    run_live(bench, 0)
    bench.do(create(8))
    assert left(bench) == [0, 8]
    bench.pass_s(10 * DAY_S)
    bench.commit(*overdue(bench.draft(), bench.at).facts)
    assert left(bench) == [0]


def test_sessions_that_are_not_durable_yet_count_and_may_leave() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=2)), 1)
    draft = bench.draft()
    archived = []
    for number in (7, 8, 9):
        decision = bench.decide(create(number), draft)
        draft.stage(decision.facts)
        archived.append([fact.id for fact in decision.facts[1:]])
        bench.pass_s(1)
    assert archived == [[], [session_id(0)], [session_id(7)]]


def test_what_became_durable_and_is_not_settled_yet_is_not_counted_twice() -> None:
    bench = Bench(rules=Rules(sessions_max=2))
    draft = bench.draft()
    decision = bench.decide(create(0), draft)
    draft.stage(decision.facts)
    bench.commit(*decision.facts)
    assert len(bench.decide(create(1), draft).facts) == 1


def test_a_session_deleted_in_the_draft_makes_room() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=2)), 2)
    draft = bench.draft()
    draft.stage(bench.decide(ask.SessionDelete(id=session_id(1)), draft).facts)
    assert len(bench.decide(create(9), draft).facts) == 1


def test_unused_sessions_leave_and_used_ones_stay() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=0, sessions_keep_days=30)), 3)
    bench.pass_s(29 * DAY_S)
    bench.do(ask.SessionLoad(id=session_id(1)))
    assert not overdue(bench.draft(), bench.at).facts
    bench.pass_s(2 * DAY_S)
    decision = overdue(bench.draft(), bench.at)
    assert [fact.members()["reason"] for fact in decision.facts] == ["unused", "unused"]
    bench.commit(*decision.facts)
    assert left(bench) == [1]


def test_keeping_for_ever_is_zero_days() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=0, sessions_keep_days=0)), 3)
    bench.pass_s(10_000 * DAY_S)
    assert not overdue(bench.draft(), bench.at).facts


def test_many_leave_in_slices_until_none_is_left_to_leave() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=0, sessions_keep_days=30)), SLICE + 5)
    bench.pass_s(31 * DAY_S)
    draft = bench.draft()
    sizes = []
    for _ in range(3):
        decision = overdue(draft, bench.at)
        draft.stage(decision.facts)
        sizes.append(len(decision.facts))
    assert sizes == [SLICE, 5, 0]


def test_retention_brings_the_number_below_a_limit_that_was_lowered() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=2)), 5)
    bench.commit(*overdue(bench.draft(), bench.at).facts)
    assert left(bench) == [3, 4]


@pytest.mark.parametrize("doubt", ["noticed", "some session was accessed in the future"])
def test_while_the_clock_is_in_doubt_nobody_leaves(doubt: str) -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_max=3, sessions_keep_days=30)), 3)
    if doubt == "noticed":
        bench.pass_s(3650 * DAY_S)
        bench.steady = False
    else:
        bench.pass_s(-365 * DAY_S)
    assert not overdue(bench.draft(), bench.at).facts
    bench.do(create(9))
    assert left(bench) == [0, 1, 2, 9]


def test_what_was_migrated_has_its_full_time_from_then_on() -> None:
    bench = with_sessions(Bench(rules=Rules(sessions_keep_days=30)), 1)
    bench.pass_s(1000 * DAY_S)
    bench.held_since = bench.stamp
    assert not overdue(bench.draft(), bench.at).facts
    bench.pass_s(31 * DAY_S)
    assert len(overdue(bench.draft(), bench.at).facts) == 1


def test_an_imported_session_counts_as_unused_from_its_import_on() -> None:
    bench = Bench(rules=Rules(sessions_max=0, sessions_keep_days=30))
    bench.pass_s(365 * DAY_S)
    mark = {"imported": {"claude": {"at": bench.stamp}}}
    told = ask.WholeSession(id=session_id(1), last_accessed_at="2024-01-01T00:00:00.000Z", metadata=mark)
    bench.do(ask.SessionPut(session=told))
    bench.pass_s(29 * DAY_S)
    assert not overdue(bench.draft(), bench.at).facts
    bench.pass_s(2 * DAY_S)
    assert [fact.op for fact in overdue(bench.draft(), bench.at).facts] == ["session.archived"]
