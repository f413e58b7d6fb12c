"""What can become of a task, told by the facts that each command makes."""

from __future__ import annotations

from typing import Any

import pytest

from actors.decisions.decision import Rules
from actors.messages import tasks as ask
from actors.model.errors import AlreadyExists, Conflict, InvalidParams, InvalidTransition, NotFound
from actors.model.task import STATUSES, TRANSITIONS
from tests.kit.decided import START, Bench

HAPPENINGS: dict[str, Any] = {
    "start": ask.TaskStart(id="a"),
    "complete": ask.TaskComplete(id="a"),
    "fail": ask.TaskFail(id="a", error="no"),
    "cancel": ask.TaskCancel(id="a"),
    "reopen": ask.TaskReopen(id="a"),
}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def with_status(bench: Bench, status: str) -> None:
    bench.do(ask.TaskSave(task=ask.WholeTask(id="a", description="d", status=status)))  # type: ignore[arg-type]


def test_a_new_task_is_pending_at_rev_1_with_the_rules_attempts(bench: Bench) -> None:
    bench.rules = Rules(max_attempts=7)
    task = bench.do(ask.TaskCreate(description="d", tool="SHELL", metadata={"argv": ["true"]}))
    assert task["status"] == "pending"
    assert task["rev"] == 1
    assert task["max_attempts"] == 7
    assert task["created_at"] == task["updated_at"] == START
    assert task["id"].startswith("task_")


def test_an_id_given_is_cleaned_and_may_be_used_once(bench: Bench) -> None:
    assert bench.do(ask.TaskCreate(description="d", id="a/b"))["id"] == "ab"
    with pytest.raises(AlreadyExists):
        bench.do(ask.TaskCreate(description="d", id="a:b"))


@pytest.mark.parametrize("happening", HAPPENINGS)
@pytest.mark.parametrize("status", STATUSES)
def test_the_table_of_transitions_is_what_commands_do(bench: Bench, status: str, happening: str) -> None:
    with_status(bench, status)
    expected = TRANSITIONS.get((status, happening))
    if expected is not None:
        assert bench.do(HAPPENINGS[happening])["status"] == expected
        return
    before = bench.row("tasks", "a")
    with pytest.raises(InvalidTransition):
        bench.do(HAPPENINGS[happening])
    assert bench.row("tasks", "a") == before


def test_a_started_task_knows_when_and_how_often(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    bench.pass_s(5)
    task = bench.do(ask.TaskStart(id="a"))
    assert (task["started_at"], task["attempts"], task["rev"]) == (bench.stamp, 1, 2)


def test_an_end_keeps_result_or_error_and_the_time(bench: Bench) -> None:
    with_status(bench, "running")
    done = bench.do(ask.TaskComplete(id="a", result={"passed": 3}))
    assert (done["result"], done["error"], done["completed_at"]) == ({"passed": 3}, None, bench.stamp)
    bench.do(ask.TaskReopen(id="a"))
    bench.do(ask.TaskStart(id="a"))
    failed = bench.do(ask.TaskFail(id="a", error=ask.Failure(kind="exit", message="code 2")))
    assert failed["error"] == {"kind": "exit", "message": "code 2"}
    assert failed["result"] is None


def test_a_reopened_task_has_nothing_left_of_its_end_but_its_attempts(bench: Bench) -> None:
    with_status(bench, "pending")
    bench.do(ask.TaskStart(id="a"))
    bench.do(ask.TaskFail(id="a", error="no"))
    task = bench.do(ask.TaskReopen(id="a"))
    assert all(task[name] is None for name in ("started_at", "completed_at", "result", "error", "worker", "lease"))
    assert task["attempts"] == 1


def test_a_cancelled_task_says_why(bench: Bench) -> None:
    with_status(bench, "running")
    assert bench.do(ask.TaskCancel(id="a", reason="not needed"))["error"] == {
        "kind": "cancelled",
        "message": "not needed",
    }


def test_an_update_changes_what_is_given_and_null_is_given(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a", tool="SHELL"))
    assert bench.do(ask.TaskUpdate(id="a", priority=0))["tool"] == "SHELL"
    assert bench.do(ask.TaskUpdate(id="a", tool=None))["tool"] is None


def test_an_update_of_another_rev_than_expected_is_a_conflict(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    bench.do(ask.TaskUpdate(id="a", priority=0, if_rev=1))
    with pytest.raises(Conflict) as caught:
        bench.do(ask.TaskUpdate(id="a", priority=1, if_rev=1))
    assert caught.value.details["rev"] == 2


def test_a_deleted_task_is_gone_and_one_made_anew_counts_on(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    assert bench.do(ask.TaskDelete(id="a")) == {"id": "a", "deleted": True}
    with pytest.raises(NotFound):
        bench.do(ask.TaskDelete(id="a"))
    assert bench.do(ask.TaskCreate(description="d", id="a"))["rev"] == 3


def test_dependencies_that_are_unknown_are_all_told_at_once(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    with pytest.raises(InvalidParams) as caught:
        bench.do(ask.TaskCreate(description="d", id="b", depends_on=("a", "x", "b", "y")))
    paths = [violation["path"] for violation in caught.value.details["violations"]]
    assert paths == ["depends_on[1]", "depends_on[2]", "depends_on[3]"]


def test_a_circle_of_dependencies_is_refused_however_long(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    bench.do(ask.TaskCreate(description="d", id="b", depends_on=("a",)))
    bench.do(ask.TaskCreate(description="d", id="c", depends_on=("b",)))
    with pytest.raises(InvalidParams, match="circle"):
        bench.do(ask.TaskUpdate(id="a", depends_on=("c",)))


def test_a_circle_through_an_id_that_was_deleted_meanwhile_is_refused(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    bench.do(ask.TaskCreate(description="d", id="b", depends_on=("a",)))
    bench.do(ask.TaskDelete(id="a"))
    with pytest.raises(InvalidParams, match="circle"):
        bench.do(ask.TaskCreate(description="d", id="a", depends_on=("b",)))


@pytest.mark.parametrize(("ending", "blocked"), [("fail", True), ("cancel", True), ("complete", False)])
def test_who_waits_for_something_that_is_not_coming_says_so(bench: Bench, ending: str, blocked: bool) -> None:
    with_status(bench, "running")
    bench.do(ask.TaskCreate(description="d", id="b", depends_on=("a",)))
    bench.do(HAPPENINGS[ending])
    task = bench.do(ask.TaskUpdate(id="b", priority=1))
    assert task.get("blocked_by") == (["a"] if blocked else None)


def test_who_waits_for_a_deleted_task_says_so(bench: Bench) -> None:
    with_status(bench, "pending")
    bench.do(ask.TaskCreate(description="d", id="b", depends_on=("a",)))
    bench.do(ask.TaskDelete(id="a"))
    assert bench.do(ask.TaskUpdate(id="b", priority=1))["blocked_by"] == ["a"]


def test_what_was_read_can_be_saved_again_and_only_the_rev_moves(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a", tool="SHELL"))
    bench.do(ask.TaskLog(id="a", message="hello"))
    before = bench.row("tasks", "a")
    given = dict(before) | {"logs": tuple(ask.LogEntryGiven(**entry) for entry in before["logs"])}
    after = bench.do(ask.TaskSave(task=ask.WholeTask(**given)))
    assert after == before | {"rev": before["rev"] + 1}


def test_saving_a_claimed_task_leaves_it_to_its_worker(bench: Bench) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    claimed = bench.do(ask.TaskClaim(worker="w"))
    running = bench.do(
        ask.TaskSave(task=ask.WholeTask(id="a", description="e", status="running", worker="other", lease=99))
    )
    held = ("worker", "lease", "lease_expires_at")
    assert [running[name] for name in held] == [claimed[name] for name in held]
    assert running["description"] == "e"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "pending"])
def test_saving_the_end_of_a_claimed_task_needs_its_lease(bench: Bench, status: Any) -> None:
    bench.do(ask.TaskCreate(description="d", id="a"))
    claimed = bench.do(ask.TaskClaim(worker="w"))
    for lease in (None, 99):
        with pytest.raises(Conflict):
            bench.do(ask.TaskSave(task=ask.WholeTask(id="a", description="d", status=status, lease=lease)))
    assert bench.row("tasks", "a") == claimed
    ended = bench.do(ask.TaskSave(task=ask.WholeTask(id="a", description="d", status=status, lease=claimed["lease"])))
    assert (ended["status"], ended["lease"], ended["lease_expires_at"]) == (status, None, None)


def test_saving_gives_no_lease(bench: Bench) -> None:
    saved = bench.do(ask.TaskSave(task=ask.WholeTask(id="a", description="d", status="running", lease=99)))
    assert saved["lease"] is None


def test_saving_under_an_id_that_only_becomes_anothers_is_refused(bench: Bench) -> None:
    bench.do(ask.TaskSave(task=ask.WholeTask(id="a/b", description="first")))
    with pytest.raises(AlreadyExists):
        bench.do(ask.TaskSave(task=ask.WholeTask(id="a:b", description="second")))
    assert bench.do(ask.TaskSave(task=ask.WholeTask(id="ab", description="third")))["rev"] == 2


def test_a_session_that_a_task_names_is_one(bench: Bench) -> None:
    session_id = "0190163d-8694-739b-aea5-966c26f8ad91"
    task = bench.do(ask.TaskCreate(description="d", id="a", session_id=f"sess_{session_id}"))
    assert task["session_id"] == session_id
    for params, path in (
        (ask.TaskCreate(description="d", session_id="hello"), "session_id"),
        (ask.TaskUpdate(id="a", session_id="../x"), "session_id"),
        (ask.TaskSave(task=ask.WholeTask(id="a", description="d", session_id="")), "task.session_id"),
    ):
        with pytest.raises(InvalidParams) as caught:
            bench.do(params)
        assert [violation["path"] for violation in caught.value.details["violations"]] == [path]


def test_times_of_other_tools_get_one_form_and_what_is_no_time_is_refused(bench: Bench) -> None:
    saved = bench.do(ask.TaskSave(task=ask.WholeTask(id="a", description="d", created_at="2024-01-01T10:00:00+01:00")))
    assert saved["created_at"] == "2024-01-01T09:00:00.000Z"
    with pytest.raises(InvalidParams) as caught:
        bench.do(ask.TaskSave(task=ask.WholeTask(id="a", description="d", created_at="then", started_at="now")))
    paths = [violation["path"] for violation in caught.value.details["violations"]]
    assert paths == ["task.created_at", "task.started_at"]
