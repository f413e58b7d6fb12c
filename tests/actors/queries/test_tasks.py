"""Reading tasks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.messages import tasks as ask
from actors.model.errors import InvalidParams, NotFound
from actors.queries.tasks import get, list_page
from tests.kit.decided import Bench
from tests.kit.rows import a_task


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    for number, name in enumerate("edcba"):
        bench.tables.put_row("tasks", a_task(name, created_at=f"2026-03-01T12:00:0{number}.000Z"))
    return bench


def listed(bench: Bench, **asked: Any) -> tuple[list[str], str | None]:
    found = msgspec.json.decode(list_page(bench.tables, ask.TaskList(**asked), bench.at))
    return [task["id"] for task in found["tasks"]], found["next_cursor"]


def test_a_task_is_read_as_its_row_is(bench: Bench) -> None:
    assert msgspec.json.decode(get(bench.tables, ask.TaskGet(id="/a"), bench.at)) == bench.row("tasks", "a")
    with pytest.raises(NotFound):
        get(bench.tables, ask.TaskGet(id="x"), bench.at)


def test_tasks_are_listed_in_the_order_in_which_they_were_made(bench: Bench) -> None:
    assert listed(bench) == (list("edcba"), None)


def test_pages_follow_each_other_without_repeating_or_leaving_out(bench: Bench) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        names, cursor = listed(bench, limit=2, cursor=cursor)
        seen += names
        if cursor is None:
            break
    assert seen == list("edcba")


def test_pages_stay_right_while_tasks_change_come_and_go(bench: Bench) -> None:
    names, cursor = listed(bench, limit=2)
    assert names == ["e", "d"]
    bench.do(ask.TaskStart(id="c"))
    bench.do(ask.TaskDelete(id="d"))
    bench.do(ask.TaskDelete(id="b"))
    bench.pass_s(60)
    bench.do(ask.TaskCreate(description="d", id="new"))
    assert listed(bench, limit=10, cursor=cursor) == (["c", "a", "new"], None)


def test_lists_are_filtered_by_status_tool_and_session(bench: Bench) -> None:
    bench.do(ask.TaskStart(id="c"))
    assert listed(bench, status="running")[0] == ["c"]
    bench.do(ask.TaskUpdate(id="a", tool="SHELL"))
    assert listed(bench, tool="SHELL")[0] == ["a"]
    bench.do(ask.TaskUpdate(id="b", session_id="session_1704067200001"))
    assert listed(bench, session_id="session_1704067200001")[0] == ["b"]
    assert listed(bench, session_id="session_1704067200001", tool="SHELL")[0] == []


def test_text_is_looked_for_in_the_description_whatever_its_case(bench: Bench) -> None:
    bench.do(ask.TaskUpdate(id="a", description="Fix the Login"))
    assert listed(bench, text="LOGIN")[0] == ["a"]
    assert listed(bench, text="description")[0] == []


def test_a_list_says_too_what_a_task_waits_for_in_vain(bench: Bench) -> None:
    bench.do(ask.TaskUpdate(id="a", depends_on=("b",)))
    bench.do(ask.TaskCancel(id="b"))
    found = msgspec.json.decode(list_page(bench.tables, ask.TaskList(), bench.at))
    assert {task["id"]: task.get("blocked_by") for task in found["tasks"]}["a"] == ["b"]


def test_a_bad_cursor_is_told(bench: Bench) -> None:
    with pytest.raises(InvalidParams):
        listed(bench, cursor="x")
