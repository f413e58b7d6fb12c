"""Runs as decided: what is queued, and what each noting of the runs actor changes or leaves alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.decisions import runs as decisions
from actors.decisions.batch import Step, Steps
from actors.decisions.decision import Decision, Rules
from actors.messages import runs as ask
from actors.messages import sessions as session
from actors.messages import tasks as task
from actors.model.errors import Conflict, InvalidParams, InvalidTransition, NotFound
from actors.running.parsing import Reported
from actors.running.rules import RunRules
from actors.running.tools import Tool
from tests.kit.decided import Bench

TALKER = Tool(
    name="TALKER", argv=("talk", "{session_id}", "{description}", "{task_id}"), resume=("talk", "again", "{session_id}")
)
RULES = Rules(runs=RunRules(tools={"TALKER": TALKER}, cwd="/state"))


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=RULES)


def own(bench: Bench, decide: Any, **given: Any) -> Decision:
    """Decide what the runs actor does by itself, and commit it."""
    decision: Decision = decide(bench.draft(), bench.at, **given)
    if decision.facts:
        bench.commit(*decision.facts)
    return decision


def row(bench: Bench, table: str, row_id: str) -> dict[str, Any]:
    found = bench.tables.row(table, row_id)
    assert found is not None
    decoded: dict[str, Any] = msgspec.json.decode(found.encoded)
    return decoded


def a_run(bench: Bench, status: str = "queued") -> dict[str, Any]:
    """A run of a task of its own, as far as wanted."""
    made: dict[str, Any] = bench.do(ask.RunExec(argv=("true",)))
    if status != "queued":
        own(bench, decisions.order, run_id=made["id"])
    if status == "running":
        own(bench, decisions.started, run_id=made["id"], pid=1, pid_started=2)
    return row(bench, "runs", made["id"])


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


def test_a_turn_begins_run_and_task_in_one_line(bench: Bench) -> None:
    run = a_run(bench)
    own(bench, decisions.order, run_id=run["id"])
    assert [fact.op for fact in bench.lines[-1].facts] == ["run.ordered", "task.started"]
    assert row(bench, "tasks", run["task_id"])["attempts"] == 1


def test_a_turn_whose_task_waits_for_another_changes_nothing(bench: Bench) -> None:
    bench.do(task.TaskCreate(id="first", description="d"))
    bench.do(task.TaskCreate(id="t", description="d", tool="TALKER", depends_on=("first",)))
    run = bench.do(ask.RunStart(task_id="t"))
    assert own(bench, decisions.order, run_id=run["id"]).facts == ()


@pytest.mark.parametrize(
    ("decide", "given"),
    [
        (decisions.order, {}),
        (decisions.dropped, {}),
        (decisions.started, {"pid": 1, "pid_started": 2}),
        (decisions.identified, {"vendor_session_id": "v"}),
        (decisions.reported, {"said": Reported("r")}),
        (decisions.end_asked, {"kind": "silence", "message": "m"}),
    ],
)
def test_everything_the_actor_notes_may_come_twice_or_too_late(
    bench: Bench, decide: Any, given: dict[str, Any]
) -> None:
    for status in ("queued", "starting", "running"):
        run = a_run(bench, status)
        own(bench, decide, run_id=run["id"], **given)
        assert own(bench, decide, run_id=run["id"], **given).facts == (), status
    assert own(bench, decide, run_id="unknown", **given).facts == ()


def test_why_a_run_is_ended_stays_when_its_agent_says_a_last_word(bench: Bench) -> None:
    run = a_run(bench, "running")
    own(bench, decisions.end_asked, run_id=run["id"], kind="silence", message="m")
    own(bench, decisions.reported, run_id=run["id"], said=Reported({"a": 1}, "failed"))
    found = row(bench, "runs", run["id"])
    assert (found["result"], found["error"]["kind"]) == ({"a": 1}, "silence")
    own(bench, decisions.end_asked, run_id=run["id"], kind=decisions.STOPPED, message="m")
    assert own(bench, decisions.end_asked, run_id=run["id"], kind="wall_time", message="m").facts == ()


def test_stopping_what_waits_gives_up_its_task_too(bench: Bench) -> None:
    run = a_run(bench)
    assert bench.do(ask.RunStop(id=run["id"]))["status"] == "cancelled"
    assert [fact.op for fact in bench.lines[-1].facts] == ["run.ended", "task.cancelled"]
    assert bench.decide(ask.RunStop(id=run["id"])).facts == ()
