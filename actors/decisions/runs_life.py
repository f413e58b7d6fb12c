"""What is noted of a run of Perdure's own while it goes, from its turn on; how it ends stands in `runs_ends`.

The runs actor decides these by itself. Each looks at the row as it is then and does nothing where that is not what it
was decided for, so each may come twice, or too late.
"""

from __future__ import annotations

from typing import Any

from actors.decisions import service_facts
from actors.decisions.decision import NOTHING, At, Decision, patch
from actors.model.draft import Draft
from actors.model.run import ACTIVE, Run, next_status
from actors.model.tables import RunRow, TaskRow, decode_run
from actors.model.task import next_status as next_task_status
from actors.running.parsing import Reported

STOPPED = "stopped"
"""Somebody stopped the run; its task is given up with it."""
WITHDRAWN = "withdrawn"
"""The task is going to be cancelled or deleted; its run leaves first."""
AGENT_ERROR = "agent_error"
"""The agent itself said that it failed."""
ENDINGS = frozenset({STOPPED, WITHDRAWN, "wall_time", "silence"})
"""Why Perdure ends an agent: what `error.kind` of an active run says once that was asked."""


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
    of_service = service_facts.started(draft, run, pid, str(pid_started))
    return Decision((patch(draft, "runs", "run.started", run.id, changes), *of_service), (run.id,))


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


def ending_of(run: Run) -> str | None:
    """Return why Perdure ends an active run; None when it does not."""
    kind = run.error.get("kind") if isinstance(run.error, dict) else None
    return kind if kind in ENDINGS else None


def dependencies_met(draft: Draft, task: TaskRow) -> bool:
    """Return whether everything that a task waits for is completed."""
    rows = (draft.row("tasks", needed) for needed in task.depends_on)
    return all(isinstance(row, TaskRow) and row.status == "completed" for row in rows)


def _own(draft: Draft, run_id: str) -> Run | None:
    row = draft.row("runs", run_id)
    return decode_run(row.encoded) if isinstance(row, RunRow) and row.is_own else None
