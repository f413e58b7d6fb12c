"""What a task waits for: no unknown ids, no circles; and who waits for what is not coming (SPEC section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actors.model.draft import Draft
from actors.model.errors import InvalidParams
from actors.model.ids import clean_id
from actors.model.state import Lookup
from actors.model.tables import TaskRow

HOPELESS: Final = frozenset({"failed", "cancelled"})
"""A dependency in one of these states (or deleted) is not coming; the task that waits for it says so."""


def dependencies(draft: Draft, task_id: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return the ids that a task shall wait for; unknown ones and circles are refused, all of them at once."""
    if not given:
        return ()
    wanted = tuple(dict.fromkeys(clean_id(text, f"depends_on[{n}]") for n, text in enumerate(given)))
    may_close_a_circle = _is_needed(draft, task_id)
    violations = [
        {"path": f"depends_on[{n}]", "message": problem}
        for n, needed in enumerate(wanted)
        if (problem := _problem(draft, task_id, needed, may_close_a_circle=may_close_a_circle)) is not None
    ]
    if violations:
        raise InvalidParams(f"depends_on: {violations[0]['message']}", violations=violations)
    return wanted


def blocked_by(lookup: Lookup, row: TaskRow) -> list[str]:
    """Return the dependencies of a pending task that failed, were cancelled or deleted."""
    if row.status != "pending" or not row.depends_on:
        return []
    return [needed for needed in row.depends_on if _is_hopeless(lookup, needed)]


def _problem(draft: Draft, task_id: str, needed: str, *, may_close_a_circle: bool) -> str | None:
    if needed == task_id:
        return f"{task_id} would wait for itself"
    if draft.row("tasks", needed) is None:
        return f"there is no task {needed}"
    if may_close_a_circle and task_id in _all_needed(draft, needed):
        return f"{needed} waits for {task_id}: a circle would never end"
    return None


def _is_needed(draft: Draft, task_id: str) -> bool:
    """Whether any task waits for this one: if none does, it closes no circle, and none is looked for."""
    return bool(draft.tables.tasks.dependents.get(task_id)) or any(
        isinstance(row, TaskRow) and task_id in row.depends_on for row in draft.changed("tasks").values()
    )


def _all_needed(draft: Draft, task_id: str) -> set[str]:
    """Return the task and everything it waits for, directly or not."""
    found: set[str] = set()
    waiting = [task_id]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        row = draft.row("tasks", current)
        if isinstance(row, TaskRow):
            waiting.extend(row.depends_on)
    return found


def _is_hopeless(lookup: Lookup, task_id: str) -> bool:
    row = lookup.row("tasks", task_id)
    return not isinstance(row, TaskRow) or row.status in HOPELESS
