"""Parameters of `task.*` and `batch.apply` (SPEC section 6)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from actors.messages.bounds import (
    LIMIT_DEFAULT,
    MESSAGES_MAX,
    Attempts,
    Count,
    FilledText,
    GivenId,
    GivenSession,
    Ids,
    Limit,
    Name,
    Object,
    Params,
    Priority,
    Rev,
    Seconds,
    Text,
    Time,
    Word,
    Words,
)
from actors.model.task import PRIORITY_DEFAULT, Status

LEASE_S_DEFAULT = 60.0
COMMANDS_MAX = 1000
"""Commands of one `batch.apply`: they become one journal line."""


class TaskCreate(Params, frozen=True, kw_only=True):
    """Make a task. `max_attempts` absent: what the configuration says."""

    description: FilledText
    id: GivenId | None = None
    tool: Name | None = None
    priority: Priority = PRIORITY_DEFAULT
    session_id: GivenSession | None = None
    depends_on: Ids = ()
    max_attempts: Attempts | None = None
    metadata: Object = field(default_factory=dict)


class TaskGet(Params, frozen=True, kw_only=True):
    """Read one task."""

    id: GivenId


class TaskList(Params, frozen=True, kw_only=True):
    """Read tasks, page by page; `text` is looked for in the description."""

    status: Status | None = None
    tool: Name | None = None
    session_id: GivenSession | None = None
    text: Name | None = None
    limit: Limit = LIMIT_DEFAULT
    cursor: Name | None = None


class TaskUpdate(Params, frozen=True, kw_only=True):
    """Change members of a task; with `if_rev`, only when nobody did meanwhile."""

    id: GivenId
    description: FilledText | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    tool: Name | UnsetType | None = UNSET
    metadata: Object | UnsetType = UNSET
    depends_on: Ids | UnsetType = UNSET
    session_id: GivenSession | UnsetType | None = UNSET
    if_rev: Rev | None = None


class LogEntryGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry for a task's log; without `timestamp` it gets the time at which it is taken in."""

    message: Text
    level: Word = "info"
    type: Word = "user"
    timestamp: Time | None = None


Entries = Annotated[tuple[LogEntryGiven, ...], Meta(max_length=MESSAGES_MAX)]


class WholeTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task as `task.save` takes it: every member of the row, so that what was read can be saved again.

    `lease` proves, over a task that somebody has claimed, that it may be ended or given away. `lease_expires_at`,
    `log_count`, `rev` and `blocked_by` are accepted because a row that was read holds them, but they are Perdure's own:
    what they say is not believed.
    """

    id: GivenId
    description: FilledText
    status: Status = "pending"
    tool: Name | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    started_at: Time | None = None
    completed_at: Time | None = None
    logs: Entries = ()
    result: Any = None
    error: Any = None
    priority: Priority = PRIORITY_DEFAULT
    session_id: GivenSession | None = None
    depends_on: Ids = ()
    attempts: Count = 0
    max_attempts: Attempts | None = None
    worker: Name | None = None
    lease: Count | None = None
    lease_expires_at: Word | None = None
    metadata: Object = field(default_factory=dict)
    log_count: Count | None = None
    rev: Rev | None = None
    blocked_by: Any = None


class TaskSave(Params, frozen=True, kw_only=True):
    """Make or replace a whole task (the seeds' saveTask)."""

    task: WholeTask


class TaskStart(Params, frozen=True, kw_only=True):
    """A pending task is now running, carried out by whoever says so."""

    id: GivenId


class TaskComplete(Params, frozen=True, kw_only=True):
    """A running task is done."""

    id: GivenId
    result: Any = None
    lease: Count | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a task failed, when a text alone does not say it."""

    kind: Word
    message: Text


class TaskFail(Params, frozen=True, kw_only=True):
    """A running task has failed."""

    id: GivenId
    error: Text | Failure
    lease: Count | None = None


class TaskCancel(Params, frozen=True, kw_only=True):
    """Give up a task; a running agent of it is stopped first."""

    id: GivenId
    reason: Text | None = None


class TaskReopen(Params, frozen=True, kw_only=True):
    """Put a finished task back to pending."""

    id: GivenId


class TaskDelete(Params, frozen=True, kw_only=True):
    """Remove a task and its file; a running agent of it is stopped first."""

    id: GivenId


class TaskLog(Params, frozen=True, kw_only=True):
    """Add to a task's log: one `message`, or many `entries`."""

    id: GivenId
    message: Text | None = None
    level: Word | None = None
    type: Word | None = None
    entries: Entries | None = None
    lease: Count | None = None

    def __post_init__(self) -> None:
        """Refuse neither, and refuse both."""
        if (self.message is None) == (self.entries is None):
            raise ValueError("give either message or entries")
        if self.entries is not None and (self.level is not None or self.type is not None):
            raise ValueError("level and type belong to message: with entries, each entry has its own")

    def given(self) -> tuple[LogEntryGiven, ...]:
        """Return what is to be logged, in both cases as entries."""
        if self.entries is not None:
            return self.entries
        return (LogEntryGiven(message=self.message or "", level=self.level or "info", type=self.type or "user"),)


class TaskClaim(Params, frozen=True, kw_only=True):
    """Take the most urgent task that can be worked on; `tools` are those that the worker has.

    `lease_s` absent: what the configuration says.
    """

    worker: Name
    tools: Words | None = None
    lease_s: Seconds | None = None


class TaskHeartbeat(Params, frozen=True, kw_only=True):
    """Say that the holder of a claimed task is alive; `lease_s` absent: as long as before."""

    id: GivenId
    lease: Count
    lease_s: Seconds | None = None


class TaskRelease(Params, frozen=True, kw_only=True):
    """Give a claimed task back."""

    id: GivenId
    lease: Count


class BatchCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command of a batch: its parameters are still raw, and are checked whole by the row of its own method."""

    method: Word
    params: Annotated[Any, Meta(extra_json_schema={"type": "object"})] = field(default_factory=dict)


class BatchApply(Params, frozen=True, kw_only=True):
    """Carry out all the commands or none, as one line of the journal."""

    commands: Annotated[tuple[BatchCommand, ...], Meta(min_length=1, max_length=COMMANDS_MAX)]
