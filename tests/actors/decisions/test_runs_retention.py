"""Which runs leave by themselves."""

from __future__ import annotations

from typing import get_args

import pytest

from actors.decisions.decision import Rules
from actors.decisions.runs_retention import LOOKED_AT, SLICE, SLICE_BYTES, overdue
from actors.messages import tasks as task
from actors.model.run import LIVE, Status
from actors.model.stamps import later
from actors.running.rules import RunRules
from tests.kit.decided import Bench
from tests.kit.rows import START, a_run, a_task

DAY_S = 86_400.0


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=Rules(runs=RunRules(keep_days=30, runs_max=0)))


def put(bench: Bench, run_id: str, status: str = "exited", **members: object) -> None:
    ended = None if status in LIVE else START
    bench.tables.put_row("runs", a_run(run_id, **{"status": status, "ended_at": ended, **members}))


def leaving(bench: Bench) -> list[str]:
    return [fact.id for fact in overdue(bench.draft(), bench.at, None).decision.facts]


@pytest.mark.parametrize("status", get_args(Status))
def test_only_runs_that_are_over_leave(bench: Bench, status: str) -> None:
    put(bench, "a", status)
    bench.pass_s(31 * DAY_S)
    assert leaving(bench) == ([] if status in LIVE else ["a"])


def test_the_time_since_the_end_counts(bench: Bench) -> None:
    put(bench, "a", ended_at=later(START, 2 * DAY_S))
    put(bench, "b", ended_at=None)
    bench.pass_s(31 * DAY_S)
    assert leaving(bench) == []
    bench.pass_s(2 * DAY_S)
    assert leaving(bench) == ["a"]


@pytest.mark.parametrize("status", ["pending", "running", "completed", "failed", "cancelled", None])
def test_a_run_stays_while_its_task_is_still_to_be_carried_out(bench: Bench, status: str | None) -> None:
    put(bench, "a", task_id="t")
    if status is not None:
        bench.tables.put_row("tasks", a_task("t", status=status))
    bench.pass_s(31 * DAY_S)
    assert leaving(bench) == ([] if status in {"pending", "running"} else ["a"])


def test_a_run_whose_task_is_opened_again_a_moment_ago_stays(bench: Bench) -> None:
    put(bench, "a", task_id="t")
    bench.tables.put_row("tasks", a_task("t", status="failed"))
    bench.pass_s(31 * DAY_S)
    draft = bench.draft()
    draft.stage(bench.decide(task.TaskReopen(id="t"), draft).facts)
    assert not overdue(draft, bench.at, None).decision.facts


def test_of_too_many_the_oldest_leave_that_are_over(bench: Bench) -> None:
    bench.rules = Rules(runs=RunRules(keep_days=0, runs_max=2))
    for run_id, status in (("a", "exited"), ("b", "running"), ("c", "exited"), ("d", "exited"), ("e", "exited")):
        put(bench, run_id, status)
    assert leaving(bench) == ["a", "c", "d"]


def test_what_leaves_already_is_not_counted_twice(bench: Bench) -> None:
    bench.rules = Rules(runs=RunRules(keep_days=0, runs_max=2))
    for run_id in "abc":
        put(bench, run_id)
    draft = bench.draft()
    first = overdue(draft, bench.at, None).decision
    assert [fact.id for fact in first.facts] == ["a"]
    draft.stage(first.facts)
    assert not overdue(draft, bench.at, None).decision.facts


@pytest.mark.parametrize("reason", ["never", "doubt", "young directory"])
def test_nothing_leaves_by_age_when_it_must_not(bench: Bench, reason: str) -> None:
    put(bench, "a")
    bench.pass_s(31 * DAY_S)
    if reason == "never":
        bench.rules = Rules(runs=RunRules(keep_days=0, runs_max=0))
    elif reason == "doubt":
        bench.steady = False
    else:
        bench.held_since = later(START, 20 * DAY_S)
    assert leaving(bench) == []


def test_a_line_holds_so_many_and_so_much(bench: Bench) -> None:
    for number in range(SLICE + 5):
        put(bench, f"{number:04d}")
    bench.pass_s(31 * DAY_S)
    part = overdue(bench.draft(), bench.at, None)
    assert len(part.decision.facts) == SLICE
    assert len(overdue(bench.draft(), bench.at, part.after).decision.facts) == 5
    bench = Bench(rules=bench.rules)
    for number in range(5):
        put(bench, f"{number:04d}", result={"text": "x" * (SLICE_BYTES // 2)})
    bench.pass_s(31 * DAY_S)
    assert len(leaving(bench)) == 2


def test_the_walk_comes_to_its_end_in_steps(bench: Bench) -> None:
    for number in range(LOOKED_AT + 1):
        put(bench, f"{number:05d}", "running")
    put(bench, "z")
    bench.pass_s(31 * DAY_S)
    first = overdue(bench.draft(), bench.at, None)
    assert (first.decision.facts, first.after) == ((), f"{LOOKED_AT - 1:05d}")
    second = overdue(bench.draft(), bench.at, first.after)
    assert [fact.id for fact in second.decision.facts] == ["z"]
    assert overdue(bench.draft(), bench.at, second.after).after is None


def test_the_fact_carries_the_row_as_it_was(bench: Bench) -> None:
    put(bench, "a")
    before = bench.tables.runs.rows["a"].encoded
    bench.pass_s(31 * DAY_S)
    (fact,) = overdue(bench.draft(), bench.at, None).decision.facts
    assert bytes(fact.members()["row"]) == before
    bench.commit(fact)
    assert "a" not in bench.tables.runs.rows
