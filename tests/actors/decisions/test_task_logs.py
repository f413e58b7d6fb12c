"""A task's log: the newest entries stay in the row, the older ones leave in the same line, numbered."""

from __future__ import annotations

import pytest

from actors.decisions.decision import Rules
from actors.messages import tasks as ask
from actors.model.errors import Conflict, InvalidParams
from tests.kit.decided import START, Bench


def messages(bench: Bench) -> list[str]:
    return [entry["message"] for entry in bench.row("tasks", "a")["logs"]]


def spilled(bench: Bench) -> list[tuple[int, list[str]]]:
    return [
        (fact.members()["first"], [entry["message"] for entry in fact.members()["lines"]])
        for line in bench.lines
        for fact in line.facts
        if fact.op == "log.spilled"
    ]


def made(logs_kept: int) -> Bench:
    bench = Bench(rules=Rules(logs_kept=logs_kept))
    bench.do(ask.TaskCreate(description="d", id="a"))
    return bench


def test_an_entry_gets_the_time_at_which_it_came_unless_it_has_one() -> None:
    bench = made(10)
    entries = (
        ask.LogEntryGiven(message="now"),
        ask.LogEntryGiven(message="then", timestamp="2020-01-01T00:00:00.000Z"),
    )
    assert bench.do(ask.TaskLog(id="a", entries=entries)) == {"id": "a", "rev": 2, "log_count": 2}
    logs = bench.row("tasks", "a")["logs"]
    assert [entry["timestamp"] for entry in logs] == [START, "2020-01-01T00:00:00.000Z"]
    assert (logs[0]["level"], logs[0]["type"]) == ("info", "user")


def test_times_of_entries_get_one_form_and_those_that_are_none_are_all_told() -> None:
    bench = made(10)
    bench.do(ask.TaskLog(id="a", entries=(ask.LogEntryGiven(message="m", timestamp="2020-01-01T01:00:00+01:00"),)))
    assert bench.row("tasks", "a")["logs"][0]["timestamp"] == "2020-01-01T00:00:00.000Z"
    wrong = tuple(ask.LogEntryGiven(message="m", timestamp=text) for text in ("then", "2020-01-01T00:00:00Z", "now"))
    for params, path in (
        (ask.TaskLog(id="a", entries=wrong), "entries"),
        (ask.TaskSave(task=ask.WholeTask(id="a", description="d", logs=wrong)), "task.logs"),
    ):
        with pytest.raises(InvalidParams) as caught:
            bench.do(params)
        paths = [violation["path"] for violation in caught.value.details["violations"]]
        assert paths == [f"{path}[0].timestamp", f"{path}[2].timestamp"]


@pytest.mark.parametrize("logs_kept", [0, 1, 2, 3])
def test_what_leaves_the_row_leaves_in_order_and_nothing_is_lost(logs_kept: int) -> None:
    bench = made(logs_kept)
    counts = [bench.do(ask.TaskLog(id="a", message=text))["log_count"] for text in "abcde"]
    assert counts == [1, 2, 3, 4, 5]
    assert messages(bench) == list("abcde")[5 - logs_kept :]
    out = [text for _first, texts in spilled(bench) for text in texts]
    assert out == list("abcde")[: 5 - logs_kept]
    firsts = [first for first, _texts in spilled(bench)]
    assert firsts == list(range(1, len(firsts) + 1))


def test_many_entries_at_once_may_all_but_the_newest_leave() -> None:
    bench = made(2)
    bench.do(ask.TaskLog(id="a", entries=tuple(ask.LogEntryGiven(message=text) for text in "abcde")))
    assert messages(bench) == ["d", "e"]
    assert spilled(bench) == [(1, ["a", "b", "c"])]


def test_a_whole_task_that_is_saved_is_trimmed_too() -> None:
    bench = made(1)
    logs = tuple(ask.LogEntryGiven(message=text) for text in "ab")
    bench.do(ask.TaskSave(task=ask.WholeTask(id="a", description="d", logs=logs)))
    assert messages(bench) == ["b"]
    assert spilled(bench) == [(1, ["a"])]


def test_a_task_does_not_count_what_one_that_had_its_id_before_has_left() -> None:
    bench = made(1)
    for text in "abc":
        bench.do(ask.TaskLog(id="a", message=text))
    bench.do(ask.TaskDelete(id="a"))
    bench.do(ask.TaskCreate(description="d", id="a"))
    assert [bench.do(ask.TaskLog(id="a", message=text))["log_count"] for text in "de"] == [1, 2]
    assert spilled(bench) == [(1, ["a"]), (2, ["b"]), (3, ["d"])], "the file goes on where it was"
    bench.do(ask.TaskDelete(id="a"))
    bench.do(ask.TaskCreate(description="d", id="a"))
    assert bench.do(ask.TaskLog(id="a", message="f"))["log_count"] == 1


def test_a_task_that_left_no_entries_behind_leaves_no_word_of_it() -> None:
    bench = made(1)
    bench.do(ask.TaskLog(id="a", message="m"))
    bench.do(ask.TaskDelete(id="a"))
    assert [fact.op for fact in bench.lines[-1].facts] == ["task.deleted"]


def test_a_worker_whose_lease_is_over_may_not_log_under_it() -> None:
    bench = made(10)
    bench.do(ask.TaskClaim(worker="w"))
    bench.do(ask.TaskLog(id="a", message="mine", lease=1))
    bench.do(ask.TaskLog(id="a", message="a bystander's"))
    with pytest.raises(Conflict):
        bench.do(ask.TaskLog(id="a", message="stale", lease=2))
