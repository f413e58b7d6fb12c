"""The indexes of the tasks' table against what a plain look at all rows gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.model.tables import TaskRow
from actors.model.task import STATUSES
from actors.model.task_table import Tasks
from tests.kit.rows import START, a_task

IDS = "abcdef"
LATER = "2026-03-01T13:00:00.000Z"

rows = st.builds(
    a_task,
    st.sampled_from(IDS),
    status=st.sampled_from(STATUSES),
    priority=st.integers(0, 2),
    tool=st.sampled_from([None, "SHELL", "CODEX"]),
    created_at=st.sampled_from([START, LATER]),
    depends_on=st.lists(st.sampled_from(IDS), max_size=2, unique=True).map(tuple),
    started_at=st.just(START),
    completed_at=st.sampled_from([None, LATER]),
)
changes = st.lists(st.one_of(rows, st.sampled_from(IDS)), max_size=40)


def after(steps: list[TaskRow | str]) -> Tasks:
    tasks = Tasks()
    for step in steps:
        if isinstance(step, str):
            tasks.remove(step)
        else:
            tasks.put(step)
    return tasks


def completed(tasks: Tasks, task_id: str) -> bool:
    row = tasks.get(task_id)
    return row is not None and row.status == "completed"


@given(changes)
def test_a_task_is_ready_when_it_is_pending_and_all_it_needs_is_completed(steps: list[TaskRow | str]) -> None:
    tasks = after(steps)
    expected = {
        (row.priority, row.tool, row.id)
        for row in tasks.rows.values()
        if row.status == "pending" and all(completed(tasks, needed) for needed in row.depends_on)
    }
    assert {(*lane, order[1]) for lane, queue in tasks.ready.items() for order in queue} == expected


@given(changes)
def test_counts_and_orders_by_status_are_those_of_the_rows(steps: list[TaskRow | str]) -> None:
    tasks = after(steps)
    for status in STATUSES:
        wanted = sorted(row.order for row in tasks.rows.values() if row.status == status)
        assert [row.order for row in tasks.in_order([status], None)] == wanted
        assert tasks.count(status) == len(wanted)
    assert [row.order for row in tasks.in_order(STATUSES, None)] == sorted(row.order for row in tasks.rows.values())


@given(changes)
def test_dependents_and_durations_are_those_of_the_rows(steps: list[TaskRow | str]) -> None:
    tasks = after(steps)
    expected: dict[str, set[str]] = {}
    for row in tasks.rows.values():
        for needed in row.depends_on:
            expected.setdefault(needed, set()).add(row.id)
    assert dict(tasks.dependents) == expected
    assert abs(tasks.completed_seconds - sum(row.seconds or 0.0 for row in tasks.rows.values())) < 1e-6


def test_a_cursor_skips_what_came_before_it_although_that_is_gone() -> None:
    tasks = after([a_task(name) for name in IDS])
    tasks.remove("b")
    assert [row.id for row in tasks.in_order(STATUSES, (START, "b"))] == ["c", "d", "e", "f"]


def test_a_worker_is_offered_the_lanes_of_its_tools_only() -> None:
    tasks = after([a_task("a", tool="SHELL"), a_task("b", tool="CODEX"), a_task("c")])
    assert [lane for lane, _queue in tasks.lanes(["SHELL"])] == [(5, "SHELL")]
    assert len(tasks.lanes(None)) == 3
