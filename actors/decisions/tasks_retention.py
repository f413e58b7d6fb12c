"""Which tasks leave for the archive by themselves: those completed long ago that nothing waits for.

A task on which one depends that is not completed itself stays: archived it would count as deleted, and the one that
waits for it would wait for ever.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import msgspec

from actors.decisions.decision import At, Decision
from actors.decisions.task_logs import left_behind
from actors.model.draft import Draft
from actors.model.facts import Fact
from actors.model.stamps import later
from actors.model.tables import Order, TaskRow

SLICE: Final = 100
"""Tasks that leave in one journal line."""

LOOKED_AT: Final = 2000
"""Tasks looked at for one slice, about 2 ms: looking must not keep commands waiting either."""

DAY_S: Final = 86_400.0


class _Completed(msgspec.Struct):
    completed_at: str | None = None


class Slice(msgspec.Struct, frozen=True):
    """One part of a walk over the completed tasks."""

    decision: Decision
    after: Order | None
    """Where the next part begins; None when the walk is over."""


def overdue(draft: Draft, at: At, after: Order | None) -> Slice:
    """Walk on over the completed tasks, oldest first, and archive those completed too long ago."""
    if not at.rules.archive_tasks_after_days or not at.steady:
        return Slice(Decision((), ()), None)
    cutoff = later(at.stamp, -at.rules.archive_tasks_after_days * DAY_S)
    if at.held_since > cutoff:
        return Slice(Decision((), ()), None)
    completed = draft.tables.tasks.by_status.get("completed")
    # Completed later than made: nobody made after the cutoff is overdue.
    walk = completed.irange(after, (cutoff, ""), inclusive=(False, False)) if completed is not None else ()
    waited_for = _waited_for(draft)
    facts: list[Fact] = []
    leaving = 0
    last: Order | None = None
    for order in islice(walk, LOOKED_AT):
        last = order
        row = draft.row("tasks", order[1])
        if isinstance(row, TaskRow) and row.id not in waited_for and _is_overdue(draft, row, cutoff):
            facts.append(Fact(op="task.archived", id=row.id, rev=draft.next_rev("tasks", row.id), data={}))
            facts += left_behind(draft, row.id)
            leaving += 1
            if leaving == SLICE:
                break
    return Slice(Decision(tuple(facts), ()), last)


def _is_overdue(draft: Draft, row: TaskRow, cutoff: str) -> bool:
    dependents = draft.tables.tasks.dependents.get(row.id, ())
    if row.status != "completed" or not all(_is_completed(draft, waiting) for waiting in dependents):
        return False
    completed_at = msgspec.json.decode(row.encoded, type=_Completed).completed_at
    return completed_at is not None and completed_at < cutoff


def _waited_for(draft: Draft) -> set[str]:
    """Return what tasks that are not durable yet depend on."""
    pending = (row for row in draft.changed("tasks").values() if isinstance(row, TaskRow))
    return {needed for row in pending if row.status != "completed" for needed in row.depends_on}


def _is_completed(draft: Draft, task_id: str) -> bool:
    row = draft.row("tasks", task_id)
    return row is None or (isinstance(row, TaskRow) and row.status == "completed")
