"""A task: its members, its statuses, and the table of what may follow what (SPEC section 4).

`completed`, `failed` and `cancelled` are left only by `task.reopen`. Whatever the table does not hold is an
`invalid_transition`, and then nothing has changed.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

from actors.model.errors import InvalidTransition

Status = Literal["pending", "running", "completed", "failed", "cancelled"]

STATUSES: Final[tuple[Status, ...]] = ("pending", "running", "completed", "failed", "cancelled")
FINAL: Final = frozenset({"completed", "failed", "cancelled"})
PRIORITY_DEFAULT: Final = 5
PRIORITY_LEAST: Final = 9
ATTEMPTS_DEFAULT: Final = 3

TRANSITIONS: Final[dict[tuple[str, str], Status]] = {
    ("pending", "start"): "running",
    ("pending", "claim"): "running",
    ("pending", "cancel"): "cancelled",
    ("running", "complete"): "completed",
    ("running", "fail"): "failed",
    ("running", "cancel"): "cancelled",
    ("running", "release"): "pending",
    ("completed", "reopen"): "pending",
    ("failed", "reopen"): "pending",
    ("cancelled", "reopen"): "pending",
}
"""(status, what happens) → the next status."""

_PARTICIPLES: Final[dict[str, str]] = {
    "start": "started",
    "claim": "claimed",
    "cancel": "cancelled",
    "complete": "completed",
    "fail": "failed",
    "release": "released",
    "reopen": "reopened",
}
"""What happens, as it is said of a task."""


def next_status(task_id: str, status: str, happening: str) -> Status:
    """Return the status that follows; raise InvalidTransition naming what would be allowed."""
    following = TRANSITIONS.get((status, happening))
    if following is None:
        *others, last = sorted(_PARTICIPLES[what] for (origin, what) in TRANSITIONS if origin == status)
        allowed = f"{', '.join(others)} or {last}" if others else last
        raise InvalidTransition(
            f"task {task_id} is {status}: it cannot be {_PARTICIPLES[happening]}",
            hint=f"a {status} task can be {allowed}",
            status=status,
        )
    return following


# Not slotted: the members are written in the order given here, and msgspec takes that order from __dict__.
@attrs.frozen(kw_only=True, slots=False)
class LogEntry:
    """One line of a task's log."""

    timestamp: str
    level: str = "info"
    type: str = "user"
    message: str


@attrs.frozen(kw_only=True, slots=False)
class Task:
    """A task, members in the order in which its file shows them: the seeds' first, then ours."""

    id: str
    description: str
    status: Status = "pending"
    tool: str | None = None
    created_at: str
    updated_at: str
    started_at: str | None = None
    completed_at: str | None = None
    logs: tuple[LogEntry, ...] = ()
    """The newest entries, at most `tasks.logs_kept`; older ones are in logs/task_<id>.log."""
    result: Any = None
    error: Any = None
    """What `task.fail` was given: text, or {kind, message}."""
    priority: int = PRIORITY_DEFAULT
    """0 is the most urgent, 9 the least."""
    session_id: str | None = None
    depends_on: tuple[str, ...] = ()
    attempts: int = 0
    max_attempts: int = ATTEMPTS_DEFAULT
    worker: str | None = None
    lease: int | None = None
    """The fencing token of who holds the task; grows with every claim and never repeats."""
    lease_expires_at: str | None = None
    metadata: dict[str, Any] = attrs.field(factory=dict)
    rev: int = 1
