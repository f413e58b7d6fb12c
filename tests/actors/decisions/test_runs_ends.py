"""What the end of a run means, for it and for its task; and every way that runs can go, at random."""

from __future__ import annotations

import contextlib
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.decisions.decision import Rules
from actors.decisions.runs_ends import Ending, ended, verdict
from actors.decisions.runs_life import dropped, end_asked, identified, order, reported, started
from actors.messages import runs as ask
from actors.messages import tasks as task
from actors.model.errors import PerdureError
from actors.model.run import ACTIVE, LIVE, Run
from actors.running.parsing import Reported
from actors.running.rules import RunRules
from actors.running.tools import SHELL, SHELL_TOOL, Retry, Tool
from tests.kit.decided import Bench
from tests.kit.decided_runs import own, row

GOOD = {"result": {"text": "done"}}
BAD = {"result": {"text": "no"}, "error": {"kind": "agent_error", "message": "no"}}
STOPPED = {"error": {"kind": "stopped", "message": "m"}}
WITHDRAWN = {"error": {"kind": "withdrawn", "message": "m"}}
SILENT = {"error": {"kind": "silence", "message": "m"}}


def exited(code: int | None = 0, signal: int | None = None) -> Ending:
    return Ending(happening="exit", exit_code=code, signal=signal)


GONE = Ending(happening="interrupt", reason="gone")
REFUSED = Ending(happening="refuse", reason="missing")


@pytest.mark.parametrize(
    ("members", "ending", "run", "of_task", "kind"),
    [
        ({}, exited(0), "exit", "complete", None),
        ({}, exited(3), "exit", "fail", "exit_code"),
        ({}, exited(None, 9), "exit", "fail", "signal"),
        (GOOD, exited(0), "exit", "complete", None),
        (GOOD, exited(None, 15), "exit", "complete", None),
        (GOOD, exited(143), "exit", "complete", None),
        (GOOD, exited(1), "exit", "fail", "exit_code"),
        (GOOD, GONE, "exit", "complete", None),
        (BAD, exited(0), "exit", "fail", "agent_error"),
        (BAD, exited(1), "exit", "fail", "agent_error"),
        (BAD, exited(None, 15), "exit", "fail", "agent_error"),
        (STOPPED, exited(0), "cancel", "cancel", "stopped"),
        (STOPPED, GONE, "cancel", "cancel", "stopped"),
        (STOPPED | GOOD, exited(0), "cancel", "cancel", "stopped"),
        (STOPPED, REFUSED, "cancel", "cancel", "stopped"),
        (WITHDRAWN, exited(None, 15), "cancel", "withdraw", "withdrawn"),
        (SILENT, exited(None, 15), "time_out", "fail", "silence"),
        (SILENT, exited(0), "time_out", "fail", "silence"),
        (SILENT | GOOD, exited(None, 15), "exit", "complete", None),
        (SILENT, GONE, "interrupt", "interrupt", "interrupted"),
        ({}, GONE, "interrupt", "interrupt", "interrupted"),
        ({"status": "starting"}, REFUSED, "refuse", "fail", "failed_to_start"),
    ],
)
def test_every_end_has_its_meaning(members: Any, ending: Ending, run: str, of_task: str, kind: str | None) -> None:
    before = attrs.evolve(Run(id="r", status="running"), **members)
    found = verdict(before, ending, Retry())
    assert (found.happening, found.task) == (run, of_task)
    assert (found.error or {}).get("kind") == kind


@pytest.mark.parametrize(
    ("members", "ending", "retry", "expected"),
    [
        ({}, exited(3), Retry(), True),
        ({}, exited(3), Retry(exit_codes=frozenset({3})), True),
        ({}, exited(4), Retry(exit_codes=frozenset({3})), False),
        ({}, exited(None, 9), Retry(), True),
        ({}, exited(None, 9), Retry(signals=False), False),
        (BAD, exited(1), Retry(), True),
        (BAD, exited(1), Retry(is_error=False), False),
        (SILENT, exited(None, 15), Retry(), False),
        (SILENT, exited(None, 15), Retry(timed_out=True), True),
        ({"status": "starting"}, REFUSED, Retry(), False),
        ({"status": "starting"}, REFUSED, Retry(failed_to_start=True), True),
    ],
)
def test_which_failures_are_tried_again_is_configuration(
    members: Any, ending: Ending, retry: Retry, *, expected: bool
) -> None:
    before = attrs.evolve(Run(id="r", status="running"), **members)
    assert verdict(before, ending, retry).retryable is expected


def test_an_end_leaves_a_task_alone_that_somebody_else_has_dealt_with() -> None:
    bench = Bench()
    run = bench.do(ask.RunExec(argv=("true",)))
    own(bench, order, run_id=run["id"])
    bench.do(task.TaskComplete(id=run["task_id"], result="by hand"))
    own(bench, ended, run_id=run["id"], ending=exited(1))
    assert [fact.op for fact in bench.lines[-1].facts] == ["run.ended"]
    assert row(bench, "tasks", run["task_id"])["result"] == "by hand"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, {"text": "of the file"}),
        (Reported({"text": None, "usage": {"n": 1}}), {"text": "of the file", "usage": {"n": 1}}),
        (Reported({"text": "of the stream"}), {"text": "of the stream"}),
        (Reported("bare"), "bare"),
    ],
)
def test_a_file_gives_the_result_that_the_stream_did_not(said: Reported | None, expected: Any) -> None:
    bench = Bench()
    run = bench.do(ask.RunExec(argv=("true",)))
    own(bench, order, run_id=run["id"])
    if said is not None:
        own(bench, reported, run_id=run["id"], said=said)
    own(bench, ended, run_id=run["id"], ending=msgspec.structs.replace(exited(0), result={"text": "of the file"}))
    assert row(bench, "runs", run["id"])["result"] == expected
    assert row(bench, "tasks", run["task_id"])["result"] == expected


def test_a_result_in_a_file_does_not_excuse_a_failure() -> None:
    bench = Bench()
    run = bench.do(ask.RunExec(argv=("true",)))
    own(bench, order, run_id=run["id"])
    own(bench, ended, run_id=run["id"], ending=msgspec.structs.replace(exited(None, 15), result={"text": "half"}))
    assert row(bench, "runs", run["id"])["result"] == {"text": "half"}
    assert row(bench, "tasks", run["task_id"])["status"] == "failed"


def test_a_task_whose_tool_is_gone_fails_instead_of_being_tried_again() -> None:
    bench = Bench(rules=Rules(runs=RunRules(tools={"T": Tool(name="T", argv=("t",))})))
    bench.do(task.TaskCreate(id="t", description="d", tool="T"))
    run = bench.do(ask.RunStart(task_id="t"))
    own(bench, order, run_id=run["id"])
    bench.rules = Rules()
    own(bench, ended, run_id=run["id"], ending=GONE)
    found = row(bench, "tasks", "t")
    assert (found["status"], found["error"]["kind"]) == ("failed", "failed_to_start")


TALKER = Tool(name="TALKER", argv=("talk", "{session_id}"), resume=("talk", "again", "{session_id}"))
RULES = Rules(runs=RunRules(tools={"TALKER": TALKER, SHELL: SHELL_TOOL}, interruptions_max=2))


def talked(bench: Bench, *endings: Ending, max_attempts: int = 9) -> list[tuple[bool, int, str]]:
    """Let a task's runs end like this, one after the other; return of each whether it resumed, its attempt, its end."""
    made = bench.do(task.TaskCreate(description="d", tool="TALKER", max_attempts=max_attempts))
    bench.do(ask.RunStart(task_id=made["id"]))
    for ending in endings:
        (run_id,) = bench.tables.runs.queued
        own(bench, order, run_id=run_id)
        if ending is not REFUSED:
            own(bench, started, run_id=run_id, pid=1, pid_started=2)
        own(bench, ended, run_id=run_id, ending=ending)
    rows = [row(bench, "runs", one.id) for one in bench.tables.runs.of_task(made["id"])]
    return [(one["argv"][1] == "again", one["attempt"], one["status"]) for one in rows]


@pytest.mark.parametrize(
    ("endings", "expected"),
    [
        ([exited(1)], [(False, 1), (True, 2)]),
        ([exited(1), exited(1)], [(False, 1), (True, 2), (False, 3)]),
        ([exited(1), exited(1), exited(1)], [(False, 1), (True, 2), (False, 3), (False, 4)]),
        ([GONE], [(False, 1), (True, 1)]),
        ([GONE, exited(1)], [(False, 1), (True, 1), (False, 1)]),
        ([GONE, exited(1), GONE], [(False, 1), (True, 1), (False, 1), (True, 1)]),
        ([exited(1), GONE, exited(1)], [(False, 1), (True, 2), (True, 2), (False, 2)]),
    ],
)
def test_a_conversation_is_resumed_and_after_that_failed_once_begun_afresh(
    endings: list[Ending], expected: list[tuple[bool, int]]
) -> None:
    bench = Bench(rules=RULES)
    found = talked(bench, *endings)
    assert [(resumed, attempt) for resumed, attempt, _status in found] == expected


def test_the_last_attempt_is_not_lost_to_a_conversation_that_could_not_be_resumed() -> None:
    bench = Bench(rules=RULES)
    found = talked(bench, exited(1), exited(1), exited(1), max_attempts=2)
    assert found == [(False, 1, "exited"), (True, 2, "exited"), (False, 2, "exited")]


def test_an_agent_that_never_began_has_no_conversation_to_resume() -> None:
    talker = msgspec.structs.replace(TALKER, retry=Retry(failed_to_start=True))
    bench = Bench(rules=Rules(runs=RunRules(tools={"TALKER": talker})))
    assert [resumed for resumed, _attempt, _status in talked(bench, REFUSED)] == [False, False]


STEPS = st.one_of(
    st.tuples(st.just("exec"), st.integers(1, 3)),
    st.tuples(st.just("talk"), st.integers(1, 3)),
    st.tuples(st.just("order")),
    st.tuples(st.just("start")),
    st.tuples(st.just("name"), st.sampled_from(["v", "w"])),
    st.tuples(st.just("report"), st.sampled_from([Reported("r"), Reported("r", "no")])),
    st.tuples(st.just("ask_end"), st.sampled_from(["stopped", "withdrawn", "silence", "wall_time"])),
    st.tuples(st.just("end"), st.sampled_from([exited(0), exited(1), exited(None, 15), GONE, GONE, GONE, REFUSED])),
    st.tuples(st.just("stop")),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("delete")),
    st.tuples(st.just("claim")),
    st.tuples(st.just("drop")),
)


def play(bench: Bench, which: int, step: tuple[Any, ...]) -> None:
    """Do one thing to one of the runs, as an actor or a client would."""
    name, *given = step
    runs = bench.tables.runs
    if name == "exec":
        bench.do(ask.RunExec(argv=("true",), max_attempts=given[0]))
    elif name == "talk":
        made = bench.do(task.TaskCreate(description="d", tool="TALKER", max_attempts=given[0]))
        bench.do(ask.RunStart(task_id=made["id"]))
    elif name == "claim":
        bench.do(task.TaskClaim(worker="w"))
    elif len(runs):
        run_id = list(runs.rows)[which % len(runs)]
        task_id = str(runs.rows[run_id].task_id)
        commands = {
            "stop": ask.RunStop(id=run_id),
            "cancel": task.TaskCancel(id=task_id),
            "delete": task.TaskDelete(id=task_id),
        }
        if name in commands:
            bench.do(commands[name])
            return
        work: dict[str, tuple[Any, dict[str, Any]]] = {
            "order": (order, {}),
            "drop": (dropped, {}),
            "start": (started, {"pid": 1, "pid_started": 2}),
            "name": (identified, {"vendor_session_id": given[0] if given else ""}),
            "report": (reported, {"said": given[0] if given else None}),
            "ask_end": (end_asked, {"kind": given[0] if given else "", "message": "m"}),
            "end": (ended, {"ending": given[0] if given else None}),
        }
        decide, more = work[name]
        own(bench, decide, run_id=run_id, **more)


@given(st.lists(st.tuples(st.integers(0, 9), STEPS), max_size=40))
@settings(max_examples=150)
def test_whatever_happens_to_runs_their_rows_and_their_tasks_agree(steps: list[tuple[int, Any]]) -> None:
    bench = Bench(rules=RULES)
    over: dict[str, bytes] = {}
    for which, step in steps:
        bench.pass_s(1.0)
        with contextlib.suppress(PerdureError):
            play(bench, which, step)
        check(bench, over)


def check(bench: Bench, over: dict[str, bytes]) -> None:
    """What must hold after every line."""
    runs, tasks = bench.tables.runs, bench.tables.tasks
    for run_id, encoded in over.items():
        assert runs.rows[run_id].encoded == encoded, "what is over stays as it is"
    over.update((one.id, one.encoded) for one in runs.rows.values() if one.status not in LIVE)
    assert set(runs.queued) == {one.id for one in runs.rows.values() if one.status == "queued"}
    assert set(runs.active) == {one.id for one in runs.rows.values() if one.status in ACTIVE}
    for task_id in tasks.rows:
        rows = runs.of_task(task_id)
        assert sum(one.status in LIVE for one in rows) <= 1, "one run of a task at a time"
        found = row(bench, "tasks", task_id)
        assert found["attempts"] <= found["max_attempts"]
        in_a_row = 0
        for one in rows:
            in_a_row = in_a_row + 1 if one.status == "interrupted" else 0
            assert in_a_row <= RULES.runs.interruptions_max + 1
    if bench.lines:
        ops = [fact.op for fact in bench.lines[-1].facts]
        assert ops.count("run.ended") <= 1
        assert ops.count("run.queued") <= 1
