"""Who gets which task: the most urgent one, once, with a token that never repeats."""

from __future__ import annotations

import pytest

from actors.decisions.claims import expire
from actors.decisions.decision import Rules
from actors.messages import tasks as ask
from actors.model.errors import Conflict, NotFound
from actors.model.stamps import later
from tests.kit.decided import START, Bench
from tests.kit.rows import a_task


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=Rules(ageing_s=600))


def claimed(bench: Bench, *tools: str) -> str | None:
    task = bench.do(ask.TaskClaim(worker="w", tools=tools or None))
    return None if task is None else str(task["id"])


def test_nothing_to_do_is_null_and_leaves_no_trace(bench: Bench) -> None:
    decision = bench.decide(ask.TaskClaim(worker="w"))
    assert (decision.facts, decision.ids) == ((), ())
    assert bench.do(ask.TaskClaim(worker="w")) is None


def test_a_claim_says_who_works_since_when_and_until_when(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    task = bench.do(ask.TaskClaim(worker="w", lease_s=90))
    assert (task["status"], task["worker"], task["attempts"]) == ("running", "w", 1)
    assert task["started_at"] == START
    assert task["lease_expires_at"] == later(START, 90)


def test_urgency_comes_first_then_age(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="old"))
    bench.pass_s(1)
    bench.do(ask.TaskCreate(description="d", id="young"))
    bench.do(ask.TaskCreate(description="d", id="urgent", priority=0))
    assert [claimed(bench) for _ in range(4)] == ["urgent", "old", "young", None]


def test_waiting_makes_a_task_more_urgent_so_that_none_starves(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="patient", priority=7))
    bench.pass_s(3 * 600)
    bench.do(ask.TaskCreate(description="d", id="fresh", priority=4))
    assert claimed(bench) == "patient"


def test_a_worker_gets_only_what_its_tools_can_do(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="shell", tool="SHELL"))
    bench.do(ask.TaskCreate(description="d", id="none"))
    assert claimed(bench, "CODEX") is None
    assert claimed(bench, "CODEX", "SHELL") == "shell"
    assert claimed(bench) == "none"


def test_a_task_waits_until_all_it_needs_is_completed(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="first"))
    bench.do(ask.TaskCreate(description="d", id="second", depends_on=("first",), priority=0))
    assert claimed(bench) == "first"
    assert claimed(bench) is None
    bench.do(ask.TaskComplete(id="first", lease=1))
    assert claimed(bench) == "second"


def test_two_claims_on_one_draft_never_get_the_same_task(bench: Bench) -> None:
    for name in "abc":
        bench.do(ask.TaskCreate(description="d", id=name))
    draft = bench.draft()
    got = []
    for _ in range(4):
        decision = bench.decide(ask.TaskClaim(worker="w"), draft)
        draft.stage(decision.facts)
        got.append(decision.ids)
    assert got == [("a",), ("b",), ("c",), ()]


def test_a_task_that_was_made_but_is_not_durable_yet_can_be_claimed(bench: Bench) -> None:
    draft = bench.draft()
    draft.stage(bench.decide(ask.TaskCreate(description="d", id="a"), draft).facts)
    assert bench.decide(ask.TaskClaim(worker="w"), draft).ids == ("a",)


def test_a_dependency_that_is_reopened_but_not_durably_yet_holds_a_task_back(bench: Bench) -> None:
    bench.do(ask.TaskSave(task=ask.WholeTask(id="a", description="d", status="completed")))
    bench.do(ask.TaskCreate(description="d", id="b", depends_on=("a",)))
    draft = bench.draft()
    draft.stage(bench.decide(ask.TaskReopen(id="a"), draft).facts)
    assert bench.decide(ask.TaskClaim(worker="w"), draft).ids == ("a",)
    draft.stage(bench.decide(ask.TaskStart(id="a"), draft).facts)
    assert bench.decide(ask.TaskClaim(worker="w"), draft).ids == ()


def test_tokens_only_grow(bench: Bench) -> None:
    leases = []
    for _ in range(3):
        bench.do(ask.TaskCreate(description="d", id="a"))
        leases.append(bench.do(ask.TaskClaim(worker="w"))["lease"])
        bench.do(ask.TaskDelete(id="a"))
    assert leases == sorted(set(leases))


@pytest.mark.parametrize("lease", [None, 0, 2])
def test_the_outcome_of_a_claimed_task_needs_its_token(bench: Bench, lease: int | None) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    assert bench.do(ask.TaskClaim(worker="w"))["lease"] == 1
    for command in (ask.TaskComplete(id="a", lease=lease), ask.TaskFail(id="a", error="no", lease=lease)):
        with pytest.raises(Conflict):
            bench.do(command)
    assert bench.do(ask.TaskComplete(id="a", lease=1))["lease"] is None


def test_a_released_task_is_as_if_it_had_not_been_claimed_but_for_its_attempts(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    bench.do(ask.TaskClaim(worker="w"))
    with pytest.raises(Conflict):
        bench.do(ask.TaskRelease(id="a", lease=2))
    task = bench.do(ask.TaskRelease(id="a", lease=1))
    assert task["status"] == "pending"
    assert all(task[name] is None for name in ("worker", "lease", "lease_expires_at", "started_at"))
    assert task["attempts"] == 1
    assert claimed(bench) == "a"


def test_an_expired_lease_gives_the_task_back_unless_it_changed_hands(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    bench.do(ask.TaskClaim(worker="w"))
    assert not expire(bench.draft(), "a", 2, bench.at).facts
    assert not expire(bench.draft(), "other", 1, bench.at).facts
    bench.commit(*expire(bench.draft(), "a", 1, bench.at).facts)
    assert bench.row("tasks", "a")["status"] == "pending"
    with pytest.raises(Conflict):
        bench.do(ask.TaskComplete(id="a", lease=1))


def test_a_lease_in_a_file_that_somebody_edited_expires_no_pending_task(bench: Bench) -> None:
    bench.tables.put_row("tasks", a_task("a", lease=1))
    assert not expire(bench.draft(), "a", 1, bench.at).facts


def test_a_time_that_is_none_in_an_edited_file_stops_no_claim(bench: Bench) -> None:
    bench.tables.put_row("tasks", a_task("a", created_at="some day"))
    assert claimed(bench) == "a"


def test_a_task_that_is_not_there_cannot_be_released(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.do(ask.TaskRelease(id="a", lease=1))
