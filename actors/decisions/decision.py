"""The shape of a decision, and the row of a table of decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.messages.tasks import LEASE_S_DEFAULT
from actors.model.draft import Draft
from actors.model.errors import NotFound
from actors.model.facts import Fact
from actors.model.session import Session
from actors.model.state import Lookup
from actors.model.tables import Row, decode_session, decode_task
from actors.model.task import ATTEMPTS_DEFAULT, Task
from actors.running.rules import RunRules

encode = msgspec.json.Encoder().encode


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration, as far as decisions depend on it."""

    logs_kept: int = 1000
    """Log entries that stay inline in a task."""
    max_attempts: int = ATTEMPTS_DEFAULT
    lease_s: float = LEASE_S_DEFAULT
    """How long a claim holds that does not say how long."""
    ageing_s: float = 600.0
    """After this long a waiting task gains one level of urgency."""
    sessions_max: int = 100
    """Sessions beyond this are archived, least recently used first; 0 means no limit."""
    sessions_keep_days: float = 30.0
    """Sessions unused for longer are archived; 0 means for ever."""
    archive_tasks_after_days: float = 90.0
    """Tasks completed longer ago are archived; 0 means never."""
    runs: RunRules = msgspec.field(default_factory=RunRules)


class At(msgspec.Struct, frozen=True, kw_only=True):
    """When and under which rules a decision is made."""

    stamp: str
    rules: Rules
    steady: bool = True
    """Whether the clock can be believed; while it cannot, nothing is archived because of its age."""
    held_since: str = ""
    """When this state directory was made. What it holds cannot have been unused here for longer: rows of another
    program that were migrated or imported have their full time."""


class Decision(msgspec.Struct, frozen=True):
    """What shall become true, and the ids that the reply speaks of."""

    facts: tuple[Fact, ...]
    ids: tuple[str, ...]


NOTHING = Decision((), ())
"""Nothing to do and nothing to remember: a claim that found no task."""


class Handler(msgspec.Struct, frozen=True):
    """One row of a table of decisions."""

    decide: Callable[[Draft, Any, At], Decision]
    reply: Callable[[Lookup, tuple[str, ...]], bytes]
    """Builds the reply from the rows as they are then: also for a repeated command (SPEC section 3.3)."""


def row_reply(table: str) -> Callable[[Lookup, tuple[str, ...]], bytes]:
    """Return a reply builder that answers with the row itself; null when there is none (any more)."""

    def reply(lookup: Lookup, ids: tuple[str, ...]) -> bytes:
        row = lookup.row(table, ids[0]) if ids else None
        return b"null" if row is None else row.encoded

    return reply


def needed_row(lookup: Lookup, table: str, row_id: str) -> Row:
    """Return a row or raise NotFound naming it."""
    row = lookup.row(table, row_id)
    if row is None:
        raise missing(table, row_id)
    return row


def missing(table: str, row_id: str) -> NotFound:
    """Return the error for a row that is not there."""
    noun = table.removesuffix("s")
    return NotFound(f"there is no {noun} {row_id}", hint=f"{noun}.list shows what there is", id=row_id)


def needed_task(lookup: Lookup, task_id: str) -> Task:
    """Return a task or raise NotFound."""
    return decode_task(needed_row(lookup, "tasks", task_id).encoded)


def needed_session(lookup: Lookup, session_id: str) -> Session:
    """Return a session or raise NotFound."""
    return decode_session(needed_row(lookup, "sessions", session_id).encoded)


def whole(op: str, value: Any) -> Fact:
    """Return a fact whose data is the whole row, encoded once and for all."""
    return Fact(op=op, id=value.id, rev=value.rev, data=msgspec.Raw(encode(value)))


def patch(draft: Draft, table: str, op: str, row_id: str, changes: dict[str, Any]) -> Fact:
    """Return a fact that changes members of a row."""
    return Fact(op=op, id=row_id, rev=draft.next_rev(table, row_id), data=changes)
