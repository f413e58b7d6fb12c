"""What each noting of the runs actor changes, or leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from actors.decisions.runs_life import STOPPED, dropped, end_asked, identified, order, reported, started
from actors.messages import runs as ask
from actors.messages import tasks as task
from actors.running.parsing import Reported
from tests.kit.decided import Bench
from tests.kit.decided_runs import RULES, a_run, own, row


@pytest.fixture
def bench() -> Bench:
    return Bench(rules=RULES)


def test_a_turn_begins_run_and_task_in_one_line(bench: Bench) -> None:
    run = a_run(bench)
    own(bench, order, run_id=run["id"])
    assert [fact.op for fact in bench.lines[-1].facts] == ["run.ordered", "task.started"]
    assert row(bench, "tasks", run["task_id"])["attempts"] == 1


def test_a_turn_whose_task_waits_for_another_changes_nothing(bench: Bench) -> None:
    bench.do(task.TaskCreate(id="first", description="d"))
    bench.do(task.TaskCreate(id="t", description="d", tool="TALKER", depends_on=("first",)))
    run = bench.do(ask.RunStart(task_id="t"))
    assert own(bench, order, run_id=run["id"]).facts == ()


@pytest.mark.parametrize(
    ("decide", "given"),
    [
        (order, {}),
        (dropped, {}),
        (started, {"pid": 1, "pid_started": 2}),
        (identified, {"vendor_session_id": "v"}),
        (reported, {"said": Reported("r")}),
        (end_asked, {"kind": "silence", "message": "m"}),
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
    own(bench, end_asked, run_id=run["id"], kind="silence", message="m")
    own(bench, reported, run_id=run["id"], said=Reported({"a": 1}, "failed"))
    found = row(bench, "runs", run["id"])
    assert (found["result"], found["error"]["kind"]) == ({"a": 1}, "silence")
    own(bench, end_asked, run_id=run["id"], kind=STOPPED, message="m")
    assert own(bench, end_asked, run_id=run["id"], kind="wall_time", message="m").facts == ()
