"""Decisions about tasks (SPEC sections 4 and 6).

Claims stand in `claims`, logs in `task_logs`, what a task waits for in `task_dependencies`, and who leaves for the
archive in `tasks_retention`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.decisions.decision import At, Decision, Handler, encode, needed_task, patch, whole
from actors.decisions.task_dependencies import blocked_by, dependencies
from actors.decisions.task_logs import left_behind, log, log_reply, taken_in, trimmed
from actors.messages import tasks as ask
from actors.model.draft import Draft
from actors.model.errors import AlreadyExists, Conflict, InvalidParams
from actors.model.facts import Fact
from actors.model.ids import clean_id, given_session_id, new_id
from actors.model.stamps import given_stamp
from actors.model.state import Lookup
from actors.model.tables import TaskRow
from actors.model.task import Task, next_status

RELEASED: dict[str, Any] = {"lease": None, "lease_expires_at": None}
"""What every end of a claim has in common."""


def create(draft: Draft, asked: ask.TaskCreate, at: At) -> Decision:
    """Make a task."""
    if asked.id is None:
        task_id, rev = f"task_{new_id()}", 1  # nobody has had it before
    else:
        task_id = clean_id(asked.id)
        if draft.row("tasks", task_id) is not None:
            raise AlreadyExists(f"there is a task {task_id} already", id=task_id)
        rev = draft.next_rev("tasks", task_id)
    task = Task(
        id=task_id,
        description=asked.description,
        tool=asked.tool,
        created_at=at.stamp,
        updated_at=at.stamp,
        priority=asked.priority,
        session_id=_session(asked.session_id),
        depends_on=dependencies(draft, task_id, asked.depends_on),
        max_attempts=asked.max_attempts or at.rules.max_attempts,
        metadata=asked.metadata,
        rev=rev,
    )
    return Decision((whole("task.created", task),), (task_id,))


def update(draft: Draft, asked: ask.TaskUpdate, at: At) -> Decision:
    """Change members of a task; with `if_rev`, only when nobody did meanwhile."""
    task = needed_task(draft, clean_id(asked.id))
    if asked.if_rev is not None and asked.if_rev != task.rev:
        raise Conflict(f"task {task.id} has rev {task.rev}, not {asked.if_rev}", rev=task.rev)
    given = {
        name: value
        for name in ("description", "priority", "tool", "metadata", "depends_on", "session_id")
        if (value := getattr(asked, name)) is not msgspec.UNSET
    }
    if "depends_on" in given:
        given["depends_on"] = dependencies(draft, task.id, given["depends_on"])
    if "session_id" in given:
        given["session_id"] = _session(given["session_id"])
    return _changed(draft, task.id, "task.updated", {**given, "updated_at": at.stamp})


def save(draft: Draft, asked: ask.TaskSave, at: At) -> Decision:
    """Make or replace a whole task, status and logs included: no table of transitions is asked.

    A task that a worker has claimed stays its, unless the worker's own lease says otherwise.
    """
    given = asked.task
    task_id = clean_id(given.id, "task.id")
    before = draft.row("tasks", task_id)
    if before is not None and task_id != given.id:
        raise AlreadyExists(f"{given.id!r} becomes {task_id}, and there is such a task already", id=task_id)
    held = needed_task(draft, task_id) if before is not None else None
    keeps_lease = held is not None and held.lease is not None and given.status == "running"
    if held is not None and held.lease is not None and not keeps_lease:
        check_lease(held, given.lease)
    kept, spilled = trimmed(draft, task_id, taken_in(given.logs, "task.logs", at), at)
    stamps = _stamps(given)
    task = Task(
        id=task_id,
        description=given.description,
        status=given.status,
        tool=given.tool,
        created_at=stamps["created_at"] or (held.created_at if held else at.stamp),
        updated_at=stamps["updated_at"] or at.stamp,
        started_at=stamps["started_at"],
        completed_at=stamps["completed_at"],
        logs=kept,
        result=given.result,
        error=given.error,
        priority=given.priority,
        session_id=_session(given.session_id, "task.session_id"),
        depends_on=dependencies(draft, task_id, given.depends_on),
        attempts=given.attempts,
        max_attempts=given.max_attempts or at.rules.max_attempts,
        worker=held.worker if held and keeps_lease else given.worker,
        lease=held.lease if held and keeps_lease else None,
        lease_expires_at=held.lease_expires_at if held and keeps_lease else None,
        metadata=given.metadata,
        rev=draft.next_rev("tasks", task_id),
    )
    return Decision((whole("task.saved", task), *spilled), (task_id,))


def start(draft: Draft, asked: ask.TaskStart, at: At) -> Decision:
    """A pending task runs now, carried out by whoever says so."""
    task = needed_task(draft, clean_id(asked.id))
    changes = {
        "status": next_status(task.id, task.status, "start"),
        "started_at": at.stamp,
        "updated_at": at.stamp,
        "attempts": task.attempts + 1,
    }
    return _changed(draft, task.id, "task.started", changes)


def complete(draft: Draft, asked: ask.TaskComplete, at: At) -> Decision:
    """A running task is done."""
    task = needed_task(draft, clean_id(asked.id))
    check_lease(task, asked.lease)
    changes = _ended(task, "complete", at) | {"result": asked.result, "error": None}
    return _changed(draft, task.id, "task.completed", changes)


def fail(draft: Draft, asked: ask.TaskFail, at: At) -> Decision:
    """A running task has failed."""
    task = needed_task(draft, clean_id(asked.id))
    check_lease(task, asked.lease)
    error = asked.error if isinstance(asked.error, str) else msgspec.structs.asdict(asked.error)
    return _changed(draft, task.id, "task.failed", _ended(task, "fail", at) | {"error": error})


def cancel(draft: Draft, asked: ask.TaskCancel, at: At) -> Decision:
    """Give up a task. No lease is asked for: who owns the task may stop who works on it."""
    task = needed_task(draft, clean_id(asked.id))
    error = None if asked.reason is None else {"kind": "cancelled", "message": asked.reason}
    return _changed(draft, task.id, "task.cancelled", _ended(task, "cancel", at) | {"error": error})


def reopen(draft: Draft, asked: ask.TaskReopen, at: At) -> Decision:
    """Put a finished task back to pending."""
    task = needed_task(draft, clean_id(asked.id))
    changes = RELEASED | {
        "status": next_status(task.id, task.status, "reopen"),
        "started_at": None,
        "completed_at": None,
        "updated_at": at.stamp,
        "result": None,
        "error": None,
        "worker": None,
    }
    return _changed(draft, task.id, "task.reopened", changes)


def delete(draft: Draft, asked: ask.TaskDelete, _at: At) -> Decision:
    """Remove a task; tasks that wait for it stay pending and say so."""
    task = needed_task(draft, clean_id(asked.id))
    gone = Fact(op="task.deleted", id=task.id, rev=draft.next_rev("tasks", task.id), data={})
    return Decision((gone, *left_behind(draft, task.id)), (task.id,))


def check_lease(task: Task, lease: int | None) -> None:
    """Raise Conflict unless the lease given is the one held (or neither is there)."""
    if task.lease != lease:
        said = "no lease was given" if lease is None else f"lease {lease} is not the one held"
        raise Conflict(
            f"task {task.id}: {said}",
            hint="the lease expired or belongs to another worker: claim the task anew",
            lease_held=task.lease is not None,
        )


def task_reply(lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    """Answer with the row, and with `blocked_by` when it waits for something that is not coming."""
    row = lookup.row("tasks", ids[0]) if ids else None
    if not isinstance(row, TaskRow):
        return b"null"
    blocked = blocked_by(lookup, row) if row.depends_on else None
    if not blocked:
        return row.encoded
    return row.encoded[:-1] + b',"blocked_by":' + encode(blocked) + b"}"


def _deleted_reply(_lookup: Lookup, ids: tuple[str, ...]) -> bytes:
    return encode({"id": ids[0], "deleted": True})


def _changed(draft: Draft, task_id: str, op: str, changes: dict[str, Any]) -> Decision:
    return Decision((patch(draft, "tasks", op, task_id, changes),), (task_id,))


def _ended(task: Task, happening: str, at: At) -> dict[str, Any]:
    status = next_status(task.id, task.status, happening)
    return RELEASED | {"status": status, "completed_at": at.stamp, "updated_at": at.stamp}


def _stamps(given: ask.WholeTask) -> dict[str, str | None]:
    """Return the times that a whole task says, all in one form: lists and claims sort by them."""
    found: dict[str, str | None] = {}
    violations: list[dict[str, str]] = []
    for name in ("created_at", "updated_at", "started_at", "completed_at"):
        text: str | None = getattr(given, name)
        try:
            found[name] = None if text is None else given_stamp(text, f"task.{name}")
        except InvalidParams as error:
            violations += error.details["violations"]
    if violations:
        raise InvalidParams(f"{violations[0]['path']}: {violations[0]['message']}", violations=violations)
    return found


def _session(text: str | None, path: str = "session_id") -> str | None:
    return None if text is None else given_session_id(text, path)[0]


HANDLERS: dict[type, Handler] = {
    ask.TaskCreate: Handler(create, task_reply),
    ask.TaskUpdate: Handler(update, task_reply),
    ask.TaskSave: Handler(save, task_reply),
    ask.TaskStart: Handler(start, task_reply),
    ask.TaskComplete: Handler(complete, task_reply),
    ask.TaskFail: Handler(fail, task_reply),
    ask.TaskCancel: Handler(cancel, task_reply),
    ask.TaskReopen: Handler(reopen, task_reply),
    ask.TaskDelete: Handler(delete, _deleted_reply),
    ask.TaskLog: Handler(log, log_reply),
}
"""Parameters → what they do. The type of the parameters is the name of the command."""
