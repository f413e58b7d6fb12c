"""Runs as clients ask for them: what is queued, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from actors.decisions.batch import Step, Steps
from actors.decisions.decision import Rules
from actors.messages import runs as ask
from actors.messages import sessions as session
from actors.messages import tasks as task
from actors.model.errors import Conflict, InvalidParams, InvalidTransition, NotFound
from actors.running.rules import RunRules
from actors.running.tools import Tool
from tests.kit.decided import Bench
from tests.kit.decided_runs import RULES, a_run, row


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=RULES)


def test_a_command_becomes_a_task_and_its_run_in_one_line(bench: Bench) -> None:
    run = bench.do(ask.RunExec(argv=("ls", "a b"), env={"A": "1"}, timeout_s=5, max_attempts=2))
    assert [fact.op for fact in bench.lines[-1].facts] == ["task.created", "run.queued"]
    made = row(bench, "tasks", run["task_id"])
    assert (made["description"], made["tool"], made["max_attempts"]) == ("ls 'a b'", "SHELL", 2)
    assert made["metadata"] == {"argv": ["ls", "a b"], "env": {"A": "1"}, "timeout_s": 5}
    assert (run["cwd"], run["argv"]) == ("/state", ["ls", "a b"])
    assert run["stdout"]["path"] == f"logs/run_{run['id']}.stdout.log"


def test_a_template_is_filled_and_its_session_known_beforehand(bench: Bench) -> None:
    bench.do(task.TaskCreate(id="t", description="{task_id}", tool="TALKER"))
    run = bench.do(ask.RunStart(task_id="t"))
    assert run["argv"] == ["talk", run["vendor_session_id"], "{task_id}", "t"]


@pytest.mark.parametrize(
    ("metadata", "of_tool", "in_session", "expected"),
    [
        ({"cwd": "/task", "called_from": "/typed"}, "/tool", True, "/task"),
        ({"called_from": "/typed"}, "/tool", True, "/tool"),
        ({"called_from": "/typed"}, None, True, "/typed"),
        ({}, None, True, "/session"),
        ({}, None, False, "/state"),
        ({"cwd": "below"}, "/tool", True, "/state/below"),
        ({}, "../beside", False, "/beside"),
    ],
)
def test_the_task_says_where_it_works_then_the_tool_then_who_typed_it_then_its_session(
    metadata: dict[str, str], of_tool: str | None, in_session: bool, expected: str
) -> None:
    tool = Tool(name="T", argv=("t",), cwd=of_tool)
    bench = Bench(rules=Rules(runs=RunRules(tools={"T": tool}, cwd="/state")))
    made = bench.do(session.SessionCreate(title="s", provider="p", model="m", working_directory="/session"))
    session_id = made["id"] if in_session else None
    bench.do(task.TaskCreate(id="t", description="d", tool="T", session_id=session_id, metadata=metadata))
    assert bench.do(ask.RunStart(task_id="t"))["cwd"] == expected


def test_the_task_says_where_it_is_run_before_its_session_does(bench: Bench) -> None:
    made = bench.do(session.SessionCreate(title="s", provider="p", model="m", working_directory="/of/session"))
    for task_id, metadata in (("a", {}), ("b", {"cwd": "/of/task"}), ("c", {"cwd": "below"}), ("d", {"cwd": 7})):
        bench.do(task.TaskCreate(id=task_id, description="d", tool="TALKER", session_id=made["id"], metadata=metadata))
    found = {task_id: bench.do(ask.RunStart(task_id=task_id))["cwd"] for task_id in "abcd"}
    assert found == {"a": "/of/session", "b": "/of/task", "c": "/state/below", "d": "/of/session"}


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (None, NotFound),
        ({}, InvalidParams),
        ({"tool": "UNKNOWN"}, InvalidParams),
        ({"tool": "SHELL"}, InvalidParams),
        ({"tool": "SHELL", "metadata": {"argv": "ls"}}, InvalidParams),
    ],
)
def test_what_cannot_be_run_is_refused(bench: Bench, made: dict[str, Any] | None, error: type[Exception]) -> None:
    if made is not None:
        bench.do(task.TaskCreate(id="t", description="d", **made))
    with pytest.raises(error):
        bench.do(ask.RunStart(task_id="t"))


def test_a_task_has_one_run_at_a_time_also_when_nothing_is_durable_yet(bench: Bench) -> None:
    bench.do(task.TaskCreate(id="t", description="d", tool="TALKER"))
    draft = bench.draft()
    draft.stage(bench.decide(ask.RunStart(task_id="t"), draft).facts)
    with pytest.raises(Conflict):
        bench.decide(ask.RunStart(task_id="t"), draft)
    assert bench.decide(task.TaskClaim(worker="w"), draft).facts == ()
    bench.do(task.TaskStart(id="t"))
    with pytest.raises(InvalidTransition):
        bench.do(ask.RunStart(task_id="t"))


def test_a_run_may_be_made_in_a_batch(bench: Bench) -> None:
    create = task.TaskCreate(id="t", description="d", tool="TALKER")
    bench.do(Steps((Step("task.create", create), Step("run.start", ask.RunStart(task_id="t")))))
    assert len(bench.lines) == 1
    assert len(bench.tables.runs.queued) == 1


def test_stopping_what_waits_gives_up_its_task_too(bench: Bench) -> None:
    run = a_run(bench)
    assert bench.do(ask.RunStop(id=run["id"]))["status"] == "cancelled"
    assert [fact.op for fact in bench.lines[-1].facts] == ["run.ended", "task.cancelled"]
    assert bench.decide(ask.RunStop(id=run["id"])).facts == ()
