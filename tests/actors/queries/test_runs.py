"""Reading runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.messages import records as ask
from actors.model.errors import InvalidParams, NotFound
from actors.queries.runs import get, list_page
from tests.kit.decided import Bench
from tests.kit.rows import a_run


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    for name, task_id, status in (("b", "t", "exited"), ("a", "t", "running"), ("c", "u", "running")):
        bench.tables.put_row("runs", a_run(name, task_id=task_id, status=status))
    return bench


def listed(bench: Bench, **asked: Any) -> tuple[list[str], str | None]:
    found = msgspec.json.decode(list_page(bench.tables, ask.RunList(**asked), bench.at))
    return [run["id"] for run in found["runs"]], found["next_cursor"]


def test_the_newest_ids_come_first(bench: Bench) -> None:
    assert listed(bench) == (["c", "b", "a"], None)


@pytest.mark.parametrize(("task_id", "expected"), [(None, ["c", "b", "a"]), ("t", ["b", "a"]), ("x", [])])
def test_pages_follow_each_other_also_of_one_task(bench: Bench, task_id: str | None, expected: list[str]) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        names, cursor = listed(bench, task_id=task_id, limit=1, cursor=cursor)
        seen += names
        if cursor is None:
            break
    assert seen == expected


def test_runs_are_filtered_by_status(bench: Bench) -> None:
    assert listed(bench, status="running")[0] == ["c", "a"]
    assert listed(bench, status="running", task_id="t")[0] == ["a"]


def test_one_run_is_read_by_its_id(bench: Bench) -> None:
    assert msgspec.json.decode(get(bench.tables, ask.RunGet(id="a"), bench.at)) == bench.row("runs", "a")
    with pytest.raises(NotFound):
        get(bench.tables, ask.RunGet(id="x"), bench.at)
    with pytest.raises(InvalidParams):
        listed(bench, cursor="x")
