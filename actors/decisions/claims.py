"""Claims: the most urgent task that can be worked on, handed out with a fencing token and a lease (SPEC section 6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from actors.decisions.decision import NOTHING, At, Decision, Handler, needed_task, patch
from actors.decisions.tasks import RELEASED, check_lease, task_reply
from actors.messages import tasks as ask
from actors.model.draft import Draft
from actors.model.ids import clean_id
from actors.model.run import LIVE
from actors.model.stamps import later
from actors.model.tables import Row, RunRow, TaskRow, decode_task, seconds_between
from actors.model.task import Task, next_status


def claim(draft: Draft, asked: ask.TaskClaim, at: At) -> Decision:
    """Take the most urgent task for this worker, or nothing."""
    row = most_urgent(draft, asked.tools, at)
    if row is None:
        return NOTHING
    task = decode_task(row.encoded)
    changes = {
        "status": next_status(task.id, task.status, "claim"),
        "worker": asked.worker,
        "lease": draft.next_lease(),
        "lease_expires_at": later(at.stamp, asked.lease_s or at.rules.lease_s),
        "started_at": at.stamp,
        "updated_at": at.stamp,
        "attempts": task.attempts + 1,
    }
    return Decision((patch(draft, "tasks", "task.claimed", task.id, changes),), (task.id,))


def release(draft: Draft, asked: ask.TaskRelease, at: At) -> Decision:
    """The worker gives its task back."""
    task = needed_task(draft, clean_id(asked.id))
    check_lease(task, asked.lease)
    return _given_back(draft, task, "task.released", at)


def expire(draft: Draft, task_id: str, lease: int, at: At) -> Decision:
    """The lease of a worker that was silent ran out; nothing to do when it is not held any more."""
    row = draft.row("tasks", task_id)
    task = decode_task(row.encoded) if row is not None else None
    if task is None or task.lease != lease or task.status != "running":
        return NOTHING
    return _given_back(draft, task, "task.lease_expired", at)


def most_urgent(draft: Draft, tools: tuple[str, ...] | None, at: At) -> TaskRow | None:
    """Return the ready task that comes first: by level (priority less age), then by age, then by id."""

    def urgency(row: TaskRow) -> tuple[int, tuple[str, str]]:
        # A file that a person edited may hold a time that is none; such a task has no age.
        age_s = seconds_between(row.order[0], at.stamp) or 0.0
        return max(0, row.priority - int(age_s / at.rules.ageing_s)), row.order

    return min(_candidates(draft, tools), key=urgency, default=None)


def _candidates(draft: Draft, tools: tuple[str, ...] | None) -> Iterator[TaskRow]:
    """Yield the first ready task of every lane, and every one that is ready by what is not durable yet."""
    changed = draft.changed("tasks")
    queued = _tasks_newly_queued(draft)
    for _lane, queue in draft.tables.tasks.lanes(tools):
        head = (draft.tables.tasks.rows[order[1]] for order in queue if order[1] not in changed)
        first = next((row for row in head if _is_free(draft, row, queued)), None)
        if first is not None:
            yield first
    for row in [*changed.values(), *_set_free(draft, changed)]:
        fits = isinstance(row, TaskRow) and row.status == "pending" and (tools is None or row.tool in tools)
        if fits and isinstance(row, TaskRow) and _is_free(draft, row, queued):
            yield row


def _is_free(draft: Draft, row: TaskRow, queued: set[str]) -> bool:
    """Whether a worker may take it: nothing holds it up, and no agent of Perdure's own is going to work on it."""
    runs = draft.tables.runs
    is_queued = row.id in queued or any(run_id in runs.queued for run_id in runs.by_task.get(row.id, ()))
    return not is_queued and _dependencies_met(draft, row)


def _tasks_newly_queued(draft: Draft) -> set[str]:
    """Return the tasks whose runs were queued in this very draft."""
    rows = (row for row in draft.changed("runs").values() if isinstance(row, RunRow))
    return {row.task_id for row in rows if row.task_id is not None and row.is_own and row.status in LIVE}


def _set_free(draft: Draft, changed: dict[str, Row | None]) -> Iterator[TaskRow]:
    """Yield what waits for tasks whose completion is not durable yet: the tables do not know it to be ready."""
    tables = draft.tables.tasks
    for row in changed.values():
        if isinstance(row, TaskRow) and row.status == "completed":
            waiting = tables.dependents.get(row.id, ())
            yield from (tables.rows[task_id] for task_id in waiting if task_id not in changed)


def _dependencies_met(draft: Draft, row: TaskRow) -> bool:
    return all(_is_completed(draft, needed) for needed in row.depends_on)


def _is_completed(draft: Draft, task_id: str) -> bool:
    row = draft.row("tasks", task_id)
    return isinstance(row, TaskRow) and row.status == "completed"


def _given_back(draft: Draft, task: Task, op: str, at: At) -> Decision:
    changes: dict[str, Any] = RELEASED | {
        "status": next_status(task.id, task.status, "release"),
        "worker": None,
        "started_at": None,
        "updated_at": at.stamp,
    }
    return Decision((patch(draft, "tasks", op, task.id, changes),), (task.id,))


HANDLERS: dict[type, Handler] = {
    ask.TaskClaim: Handler(claim, task_reply),
    ask.TaskRelease: Handler(release, task_reply),
}
"""Parameters → what they do."""
