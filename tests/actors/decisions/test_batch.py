"""Many commands as one line: all of them or none."""

from __future__ import annotations

from typing import Any

import pytest

from actors.decisions.batch import Step, Steps, method_of
from actors.messages import records, sessions, tasks
from actors.model.errors import InvalidParams, InvalidTransition
from tests.kit.decided import Bench


def steps(*params: Any) -> Steps:
    return Steps(tuple(Step(method_of(type(one)), one) for one in params))


def test_commands_over_several_actors_rows_become_one_line() -> None:
    bench = Bench()
    answer = bench.do(
        steps(
            tasks.TaskCreate(description="d", id="a"),
            sessions.SessionCreate(title="t", provider="p", model="m", working_directory="/w"),
            records.EventRecord(type="t", message="m"),
        )
    )
    assert [result.get("status", result.get("type")) for result in answer["results"]] == ["pending", "open", "t"]
    assert len(bench.lines) == 1
    assert [fact.op for fact in bench.lines[0].facts] == ["task.created", "session.created", "event.recorded"]


def test_each_command_sees_what_those_before_it_did() -> None:
    bench = Bench()
    answer = bench.do(
        steps(
            tasks.TaskCreate(description="d", id="a"),
            tasks.TaskClaim(worker="w"),
            tasks.TaskComplete(id="a", lease=1, result=7),
            tasks.TaskClaim(worker="w"),
        )
    )
    assert [None if result is None else result["rev"] for result in answer["results"]] == [3, 3, 3, None]
    assert bench.row("tasks", "a")["status"] == "completed"


def test_one_that_cannot_be_carried_out_undoes_all_and_says_which_it_was() -> None:
    bench = Bench()
    draft = bench.draft()
    with pytest.raises(InvalidTransition) as caught:
        bench.decide(steps(tasks.TaskCreate(description="d", id="a"), tasks.TaskComplete(id="a")), draft)
    assert caught.value.data()["command"] == 1
    assert not draft.pending


def test_what_is_no_fact_cannot_be_part_of_a_batch() -> None:
    with pytest.raises(InvalidParams) as caught:
        Bench().decide(steps(tasks.TaskHeartbeat(id="a", lease=1)))
    assert caught.value.details["violations"][0]["path"] == "commands[0].method"


def test_fencing_tokens_given_out_in_a_batch_are_not_given_out_again() -> None:
    bench = Bench()
    bench.do(steps(tasks.TaskCreate(description="d", id="a"), tasks.TaskCreate(description="d", id="b")))
    draft = bench.draft()
    first = bench.decide(steps(tasks.TaskClaim(worker="w")), draft)
    draft.stage(first.facts)
    second = bench.decide(tasks.TaskClaim(worker="w"), draft)
    assert first.facts[0].members()["lease"] < second.facts[0].members()["lease"]


def test_methods_are_named_by_their_parameters() -> None:
    assert method_of(tasks.TaskCreate) == "task.create"
    assert method_of(records.EventUnsubscribe) == "event.unsubscribe"
