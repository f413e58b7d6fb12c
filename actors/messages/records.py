"""Parameters of `event.*`, `log.*`, `report.*`, and of the runs that others carry out (SPEC section 6)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from actors.messages.bounds import (
    INTEGER_MAX,
    LIMIT_DEFAULT,
    LIST_LENGTH_MAX,
    READ_BYTES_DEFAULT,
    READ_BYTES_MAX,
    Count,
    FilledText,
    GivenId,
    GivenSession,
    Limit,
    Name,
    Params,
    Rev,
    Text,
    Time,
    Word,
    Words,
)
from actors.model.run import Status

Integer = Annotated[int, Meta(ge=-INTEGER_MAX - 1, le=INTEGER_MAX)]


class EventRecord(Params, frozen=True, kw_only=True):
    """Write an event of the client's own into the journal."""

    type: Word
    message: Text
    level: Word = "info"
    detail: Any = None


class EventList(Params, frozen=True, kw_only=True):
    """Read events after a sequence number; `kinds` are exact (`task.created`) or prefixes (`task.*`)."""

    after_seq: Count = 0
    kinds: Words | None = None
    limit: Limit = LIMIT_DEFAULT


class EventSubscribe(Params, frozen=True, kw_only=True):
    """Follow the journal from after `after_seq` on; absent: from now on."""

    after_seq: Count | None = None
    kinds: Words | None = None


class EventUnsubscribe(Params, frozen=True, kw_only=True):
    """Stop following; `subscription` is what `event.subscribe` answered."""

    subscription: Word


class LogAppend(Params, frozen=True, kw_only=True):
    """Add text to a session's log."""

    session_id: GivenSession
    text: FilledText


class LogRead(Params, frozen=True, kw_only=True):
    """Read a session's log from a byte offset on; `limit` in bytes."""

    session_id: GivenSession
    offset: Count = 0
    limit: Annotated[int, Meta(ge=4, le=READ_BYTES_MAX)] = READ_BYTES_DEFAULT
    """At least one whole character of UTF-8."""


class ReportSave(Params, frozen=True, kw_only=True):
    """Keep a report: any JSON value."""

    data: Any
    id: GivenId | None = None


class ReportGet(Params, frozen=True, kw_only=True):
    """Read one report."""

    id: GivenId


class ReportList(Params, frozen=True, kw_only=True):
    """Read what reports there are."""


class StreamGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a run wrote to one of its streams, and where that is."""

    bytes: Count = 0
    path: Name | None = None


class WholeRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run as its carrier tells it. What is absent stays as it is, or gets the row's default when the run is new.

    `rev` is accepted because a row that was read holds it; what it says is not believed.
    """

    id: GivenId
    task_id: GivenId | UnsetType | None = UNSET
    session_id: GivenSession | UnsetType | None = UNSET
    tool: Name | UnsetType | None = UNSET
    attempt: Count | UnsetType = UNSET
    argv: Annotated[tuple[Text, ...], Meta(max_length=LIST_LENGTH_MAX)] | UnsetType = UNSET
    cwd: Name | UnsetType | None = UNSET
    pid: Count | UnsetType | None = UNSET
    pid_started: Word | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET
    exit_code: Integer | UnsetType | None = UNSET
    signal: Count | UnsetType | None = UNSET
    started_at: Time | UnsetType | None = UNSET
    ended_at: Time | UnsetType | None = UNSET
    vendor_session_id: Name | UnsetType | None = UNSET
    result: Any | UnsetType = UNSET
    error: Any | UnsetType = UNSET
    stdout: StreamGiven | UnsetType = UNSET
    stderr: StreamGiven | UnsetType = UNSET
    rev: Rev | UnsetType | None = UNSET


class RunPut(Params, frozen=True, kw_only=True):
    """Record a run that somebody else carries out: made when its id is new, changed otherwise."""

    run: WholeRun


class RunGet(Params, frozen=True, kw_only=True):
    """Read one run."""

    id: GivenId


class RunList(Params, frozen=True, kw_only=True):
    """Read runs, page by page."""

    task_id: GivenId | None = None
    status: Status | None = None
    limit: Limit = LIMIT_DEFAULT
    cursor: Name | None = None
