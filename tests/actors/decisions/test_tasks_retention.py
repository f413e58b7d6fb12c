"""Which tasks leave by themselves."""

from __future__ import annotations

import pytest

from actors.decisions.decision import Rules
from actors.decisions.tasks_retention import SLICE, overdue
from actors.messages import tasks as ask
from actors.model.task import STATUSES
from tests.kit.decided import Bench
from tests.kit.rows import START, a_task

DAY_S = 86_400.0


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=Rules(archive_tasks_after_days=90))


def put(bench: Bench, task_id: str, status: str = "completed", **members: object) -> None:
    ended = START if status == "completed" else None
    bench.tables.put_row("tasks", a_task(task_id, status=status, completed_at=ended, **members))


def leaving(bench: Bench) -> list[str]:
    return [fact.id for fact in overdue(bench.draft(), bench.at, None).decision.facts]


@pytest.mark.parametrize("status", STATUSES)
def test_only_completed_tasks_leave(bench: Bench, status: str) -> None:
    put(bench, "a", status)
    bench.pass_s(91 * DAY_S)
    assert leaving(bench) == (["a"] if status == "completed" else [])


def test_the_time_of_completion_counts_and_not_that_of_making(bench: Bench) -> None:
    put(bench, "a", created_at="2020-01-01T00:00:00.000Z")
    bench.pass_s(89 * DAY_S)
    assert leaving(bench) == []
    bench.pass_s(2 * DAY_S)
    assert leaving(bench) == ["a"]


@pytest.mark.parametrize("status", ["pending", "running", "failed", "cancelled"])
def test_a_task_that_another_one_may_still_need_stays(bench: Bench, status: str) -> None:
    put(bench, "a")
    put(bench, "b", status, depends_on=("a",))
    bench.pass_s(91 * DAY_S)
    assert leaving(bench) == []


def test_a_task_that_one_needs_which_is_not_durable_yet_stays(bench: Bench) -> None:
    put(bench, "a")
    bench.pass_s(91 * DAY_S)
    draft = bench.draft()
    draft.stage(bench.decide(ask.TaskCreate(description="d", id="b", depends_on=("a",)), draft).facts)
    assert not overdue(draft, bench.at, None).decision.facts


def test_a_task_leaves_when_all_that_needed_it_are_completed(bench: Bench) -> None:
    put(bench, "a")
    put(bench, "b", depends_on=("a",))
    bench.pass_s(91 * DAY_S)
    assert leaving(bench) == ["a", "b"]


def test_never_is_zero_days_and_a_clock_in_doubt_archives_nothing(bench: Bench) -> None:
    put(bench, "a")
    bench.pass_s(10_000 * DAY_S)
    bench.steady = False
    assert leaving(bench) == []
    bench.steady = True
    bench.rules = Rules(archive_tasks_after_days=0)
    assert leaving(bench) == []


def test_many_leave_in_slices_and_the_walk_comes_to_an_end(bench: Bench) -> None:
    for number in range(2 * SLICE + 7):
        put(bench, f"t{number:04}")
    bench.pass_s(91 * DAY_S)
    sizes, after = [], None
    while True:
        part = overdue(bench.draft(), bench.at, after)
        bench.commit(*part.decision.facts)
        sizes.append(len(part.decision.facts))
        after = part.after
        if after is None:
            break
    assert sizes == [SLICE, SLICE, 7, 0]
    assert len(bench.tables.tasks) == 0


def test_a_task_without_a_time_of_completion_stays(bench: Bench) -> None:
    bench.tables.put_row("tasks", a_task("a", status="completed"))
    bench.pass_s(91 * DAY_S)
    assert leaving(bench) == []


def test_what_was_migrated_has_its_full_time_from_then_on(bench: Bench) -> None:
    put(bench, "a")
    bench.pass_s(1000 * DAY_S)
    bench.held_since = bench.stamp
    assert leaving(bench) == []
    bench.pass_s(91 * DAY_S)
    assert leaving(bench) == ["a"]


def test_the_entries_of_a_task_that_left_are_no_later_tasks(bench: Bench) -> None:
    bench.rules = Rules(archive_tasks_after_days=90, logs_kept=1)
    put(bench, "a")
    bench.do(ask.TaskLog(id="a", entries=(ask.LogEntryGiven(message="m"), ask.LogEntryGiven(message="n"))))
    bench.pass_s(91 * DAY_S)
    bench.commit(*overdue(bench.draft(), bench.at, None).decision.facts)
    assert bench.row("tasks", "a") is None
    bench.do(ask.TaskCreate(description="d", id="a"))
    assert bench.do(ask.TaskLog(id="a", message="o"))["log_count"] == 1
