"""Decisions about the runs that Perdure carries out, as clients ask for them (SPEC section 8).

Only `start` and `execute` make agents. How a run is made of its task stands in `runs_making`, what is noted while it
goes in `runs_life`, how it ends and what that means for its task in `runs_ends`.
"""

from __future__ import annotations

import shlex

from actors.decisions.decision import At, Decision, Handler, needed_row, needed_task, patch, row_reply, whole
from actors.decisions.runs_life import STOPPED
from actors.decisions.runs_making import queued
from actors.messages import runs as ask
from actors.model.draft import Draft
from actors.model.errors import Conflict
from actors.model.ids import clean_id, new_id
from actors.model.run import ACTIVE, LIVE, next_status
from actors.model.tables import RunRow, TaskRow, decode_run
from actors.model.task import Task
from actors.model.task import next_status as next_task_status
from actors.running.tools import SHELL


def start(draft: Draft, asked: ask.RunStart, at: At) -> Decision:
    """Queue a run of a pending task."""
    task = needed_task(draft, clean_id(asked.task_id, "task_id"))
    next_task_status(task.id, task.status, "start")
    if (held := live_run(draft, task.id)) is not None:
        raise Conflict(f"task {task.id} has the run {held.id} already", hint="run.stop ends it", run_id=held.id)
    fact = queued(draft, task, task.attempts + 1, at)
    return Decision((fact,), (fact.id,))


def execute(draft: Draft, asked: ask.RunExec, at: At) -> Decision:
    """Make a task of a command, and its run, in one line."""
    given = {"argv": list(asked.argv), "cwd": asked.cwd, "env": asked.env, "timeout_s": asked.timeout_s}
    task_id = f"task_{new_id()}"
    task = Task(
        id=task_id,
        description=shlex.join(asked.argv),
        tool=SHELL,
        created_at=at.stamp,
        updated_at=at.stamp,
        max_attempts=asked.max_attempts,
        metadata={name: value for name, value in given.items() if value},
        rev=draft.next_rev("tasks", task_id),
    )
    fact = queued(draft, task, 1, at)
    return Decision((whole("task.created", task), fact), (fact.id,))


def stop(draft: Draft, asked: ask.RunStop, at: At) -> Decision:
    """End a run that has no agent; for one that has, the actor sees to that first. One that is over stays as it is."""
    row = needed_row(draft, "runs", clean_id(asked.id))
    run = decode_run(row.encoded)
    if not run.is_own:
        raise Conflict(f"run {run.id} is carried out by somebody else", hint="run.put records its end", id=run.id)
    if isinstance(row, RunRow) and row.service is not None and run.status in ACTIVE:
        hint = f"perdure service stop {row.service} (service.stop) ends it"
        raise Conflict(f"run {run.id} is the life of the service {row.service}", hint=hint, id=run.id)
    if run.status != "queued":
        return Decision((), (run.id,))
    error = {"kind": STOPPED, "message": "stopped before its turn came"}
    changes = {"status": next_status(run.id, run.status, "cancel"), "ended_at": at.stamp, "error": error}
    facts = [patch(draft, "runs", "run.ended", run.id, changes)]
    task = draft.row("tasks", run.task_id or "")
    if isinstance(task, TaskRow) and task.status == "pending":
        given_up = {
            "status": next_task_status(task.id, task.status, "cancel"),
            "completed_at": at.stamp,
            "updated_at": at.stamp,
            "error": {"kind": "cancelled", "message": "its run was stopped"},
        }
        facts.append(patch(draft, "tasks", "task.cancelled", task.id, given_up))
    return Decision(tuple(facts), (run.id,))


def live_run(draft: Draft, task_id: str) -> RunRow | None:
    """Return the run of Perdure's own that a task has and that is not over."""
    known = draft.tables.runs.by_task.get(task_id, set())
    for run_id in {*known, *draft.changed("runs")}:
        row = draft.row("runs", run_id)
        if isinstance(row, RunRow) and row.task_id == task_id and row.is_own and row.status in LIVE:
            return row
    return None


HANDLERS: dict[type, Handler] = {
    ask.RunStart: Handler(start, row_reply("runs")),
    ask.RunExec: Handler(execute, row_reply("runs")),
}
"""What starts agents; may stand in a batch."""

STOP = Handler(stop, row_reply("runs"))
