"""Decisions about the runs that Perdure carries out: queueing them, and what is noted while they go (SPEC section 8).

How a run ends, and what that means for its task, stands in `runs_ends`. Only `start` and `execute` are asked by clients
and make agents; the others are what the runs actor does by itself. Each of those looks at the row as it is then and
does nothing where that is not what it was decided for, so each may come twice, or too late.
"""

from __future__ import annotations

import posixpath
import shlex
import uuid
from typing import Any

import attrs
import msgspec

from actors.decisions.decision import (
    NOTHING,
    At,
    Decision,
    Handler,
    Rules,
    needed_row,
    needed_task,
    patch,
    row_reply,
    whole,
)
from actors.messages import runs as ask
from actors.messages.runs import Brought
from actors.model.draft import Draft
from actors.model.errors import Conflict, InvalidParams
from actors.model.facts import Fact
from actors.model.ids import clean_id, new_id
from actors.model.run import ACTIVE, LIVE, Run, Stream, next_status, output_path
from actors.model.tables import RunRow, TaskRow, decode_run, decode_session, decode_task
from actors.model.task import Task
from actors.model.task import next_status as next_task_status
from actors.running.parsing import Reported
from actors.running.tools import SHELL, SHELL_TOOL, Limits, Tool, expanded

STOPPED = "stopped"
"""Somebody stopped the run; its task is given up with it."""
WITHDRAWN = "withdrawn"
"""The task is going to be cancelled or deleted; its run leaves first."""
AGENT_ERROR = "agent_error"
"""The agent itself said that it failed."""
ENDINGS = frozenset({STOPPED, WITHDRAWN, "wall_time", "silence"})
"""Why Perdure ends an agent: what `error.kind` of an active run says once that was asked."""


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


def queued(draft: Draft, task: Task, attempt: int, at: At, resume_id: str | None = None) -> Fact:
    """Return the fact of a new run that waits for its turn.

    With `resume_id` it takes up that conversation, where the tool can. Raises InvalidParams when the task cannot run.
    """
    tool = _tool_of(task, at)
    given = brought(task)
    if tool.needs_argv and not given.argv:
        raise InvalidParams.of("metadata.argv", f"{tool.name} runs what stands there, and there is nothing")
    run_id = new_id()
    resumes = resume_id is not None and tool.resume is not None
    vendor = resume_id if resumes else (str(uuid.uuid4()) if tool.names_its_sessions else None)
    cwd = _cwd(draft, task, tool, given, at)
    values = {
        "description": task.description,
        "task_id": task.id,
        "session_id": vendor or "",
        "result_path": posixpath.join(cwd, f".{run_id}.result"),
    }
    template = tool.resume if resumes and tool.resume is not None else tool.argv
    run = Run(
        id=run_id,
        task_id=task.id,
        session_id=task.session_id,
        tool=tool.name,
        attempt=attempt,
        argv=expanded(template, values, given.argv),
        cwd=cwd,
        vendor_session_id=vendor,
        stdout=Stream(path=output_path(run_id, "stdout")),
        stderr=Stream(path=output_path(run_id, "stderr")),
        rev=draft.next_rev("runs", run_id),
    )
    return whole("run.queued", run)


def order(draft: Draft, at: At, *, run_id: str) -> Decision:
    """A run's turn has come: a fact before its agent is ordered, so that a crash between loses nothing."""
    run = _own(draft, run_id)
    if run is None or run.status != "queued":
        return NOTHING
    task = draft.row("tasks", run.task_id or "")
    if not isinstance(task, TaskRow) or task.status != "pending":
        return dropped(draft, at, run_id=run_id)
    if not dependencies_met(draft, task):
        return NOTHING
    began = {
        "status": next_task_status(task.id, task.status, "start"),
        "started_at": at.stamp,
        "updated_at": at.stamp,
        "attempts": run.attempt,
    }
    begun = {"status": next_status(run.id, run.status, "order"), "started_at": at.stamp}
    facts = (
        patch(draft, "runs", "run.ordered", run.id, begun),
        patch(draft, "tasks", "task.started", task.id, began),
    )
    return Decision(facts, (run.id,))


def dropped(draft: Draft, at: At, *, run_id: str) -> Decision:
    """A queued run leaves when its task is not there to be carried out any more."""
    run = _own(draft, run_id)
    if run is None or run.status != "queued":
        return NOTHING
    task = draft.row("tasks", run.task_id or "")
    if isinstance(task, TaskRow) and task.status == "pending":
        return NOTHING
    word = task.status if isinstance(task, TaskRow) else "gone"
    changes = {
        "status": next_status(run.id, run.status, "cancel"),
        "ended_at": at.stamp,
        "error": {"kind": "overtaken", "message": f"its task is {word}"},
    }
    return Decision((patch(draft, "runs", "run.ended", run.id, changes),), (run.id,))


def started(draft: Draft, _at: At, *, run_id: str, pid: int, pid_started: int) -> Decision:
    """The agent's process is there."""
    run = _own(draft, run_id)
    if run is None or run.status != "starting":
        return NOTHING
    changes = {"status": next_status(run.id, run.status, "start"), "pid": pid, "pid_started": str(pid_started)}
    return Decision((patch(draft, "runs", "run.started", run.id, changes),), (run.id,))


def identified(draft: Draft, _at: At, *, run_id: str, vendor_session_id: str) -> Decision:
    """The agent named its own session: by it the run can be resumed, so it is a fact at once."""
    run = _own(draft, run_id)
    if run is None or run.status not in ACTIVE or run.vendor_session_id == vendor_session_id:
        return NOTHING
    changes = {"vendor_session_id": vendor_session_id}
    return Decision((patch(draft, "runs", "run.identified", run.id, changes),), (run.id,))


def reported(draft: Draft, _at: At, *, run_id: str, said: Reported) -> Decision:
    """The agent said its last word. Why Perdure ends it, once asked, stays."""
    run = _own(draft, run_id)
    if run is None or run.status not in ACTIVE:
        return NOTHING
    error = None if said.error is None else {"kind": AGENT_ERROR, "message": said.error}
    changes: dict[str, Any] = {"result": said.result, "error": run.error if ending_of(run) else error}
    if all(getattr(run, name) == value for name, value in changes.items()):
        return NOTHING
    return Decision((patch(draft, "runs", "run.reported", run.id, changes),), (run.id,))


def end_asked(draft: Draft, _at: At, *, run_id: str, kind: str, message: str) -> Decision:
    """Perdure is going to end the agent; a fact first, so that its end is understood whoever sees it."""
    run = _own(draft, run_id)
    if run is None or run.status not in ACTIVE or ending_of(run) in {STOPPED, kind}:
        return NOTHING
    changes = {"error": {"kind": kind, "message": message}}
    return Decision((patch(draft, "runs", "run.end_asked", run.id, changes),), (run.id,))


def stop(draft: Draft, asked: ask.RunStop, at: At) -> Decision:
    """End a run that has no agent; for one that has, the actor sees to that first. One that is over stays as it is."""
    row = needed_row(draft, "runs", clean_id(asked.id))
    run = decode_run(row.encoded)
    if not run.is_own:
        raise Conflict(f"run {run.id} is carried out by somebody else", hint="run.put records its end", id=run.id)
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


def ending_of(run: Run) -> str | None:
    """Return why Perdure ends an active run; None when it does not."""
    kind = run.error.get("kind") if isinstance(run.error, dict) else None
    return kind if kind in ENDINGS else None


def live_run(draft: Draft, task_id: str) -> RunRow | None:
    """Return the run of Perdure's own that a task has and that is not over."""
    known = draft.tables.runs.by_task.get(task_id, set())
    for run_id in {*known, *draft.changed("runs")}:
        row = draft.row("runs", run_id)
        if isinstance(row, RunRow) and row.task_id == task_id and row.is_own and row.status in LIVE:
            return row
    return None


def dependencies_met(draft: Draft, task: TaskRow) -> bool:
    """Return whether everything that a task waits for is completed."""
    rows = (draft.row("tasks", needed) for needed in task.depends_on)
    return all(isinstance(row, TaskRow) and row.status == "completed" for row in rows)


def brought(task: Task) -> Brought:
    """Return what a task's metadata brings for its run."""
    try:
        return msgspec.convert(task.metadata, Brought)
    except msgspec.ValidationError:
        return Brought()


def limits_of(task: Task | None, tool: Tool) -> Limits:
    """Return what a run may use: the tool's limits, with the task's own wall time."""
    timeout_s = brought(task).timeout_s if task is not None else None
    return tool.limits if timeout_s is None else attrs.evolve(tool.limits, wall_s=timeout_s)


def task_of(lookup: Any, run: Run) -> Task | None:
    """Return a run's task, None when it is gone."""
    row = lookup.row("tasks", run.task_id or "")
    return None if row is None else decode_task(row.encoded)


def _own(draft: Draft, run_id: str) -> Run | None:
    row = draft.row("runs", run_id)
    return decode_run(row.encoded) if isinstance(row, RunRow) and row.is_own else None


def tool_named(name: str | None, rules: Rules) -> Tool | None:
    """Return a tool as it is configured now."""
    found = rules.runs.tools.get(name or "")
    return SHELL_TOOL if found is None and name == SHELL else found


def _tool_of(task: Task, at: At) -> Tool:
    if task.tool is None:
        raise InvalidParams.of("task_id", f"task {task.id} has no tool: task.update gives it one")
    tool = tool_named(task.tool, at.rules)
    if tool is None:
        known = ", ".join(sorted({*at.rules.runs.tools, SHELL}))
        raise InvalidParams.of("task_id", f"task {task.id} wants the tool {task.tool}; configured are {known}")
    return tool


def _cwd(draft: Draft, task: Task, tool: Tool, given: Brought, at: At) -> str:
    """The task says it best, then the tool, then the session that the task belongs to."""
    session = draft.row("sessions", task.session_id) if task.session_id is not None else None
    of_session = None if session is None else decode_session(session.encoded).working_directory
    chosen = given.cwd or tool.cwd or of_session or at.rules.runs.cwd
    return posixpath.normpath(posixpath.join(at.rules.runs.cwd, chosen))


HANDLERS: dict[type, Handler] = {
    ask.RunStart: Handler(start, row_reply("runs")),
    ask.RunExec: Handler(execute, row_reply("runs")),
}
"""What starts agents; may stand in a batch."""

STOP = Handler(stop, row_reply("runs"))
