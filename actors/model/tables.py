"""Where rows live: one table per noun, rows frozen and kept as the bytes that the reply and the snapshot are made of.

A row holds its encoded JSON and, beside it, only the columns that something looks up or sorts by. It is decoded when
somebody wants to look inside. `gc=False` keeps a hundred thousand rows out of the garbage collector's rounds; rows
hold strings and tuples of strings only, so they can never be part of a circle.
"""

from __future__ import annotations

import datetime as dt
import posixpath
import sys
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import msgspec

from actors.model.run import Run, output_path
from actors.model.service import TOOL_PREFIX, Service
from actors.model.session import Session
from actors.model.task import Task

Order = tuple[str, str]
"""(a time stamp, the id): what lists are sorted by. It is content, not a position, so a cursor survives a restart."""


FINGERPRINTS: Final = ("first_human_prompt_v1", "lineage_prefix_v1")
"""By which hashes a session is recognised under another id."""


class Row(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One row of any table."""

    id: str
    rev: int
    encoded: bytes


class TaskRow(Row, frozen=True, gc=False, kw_only=True):
    """A task's row: what claims and lists look at."""

    status: str
    tool: str | None
    priority: int
    order: Order
    session_id: str | None
    depends_on: tuple[str, ...]
    seconds: float | None
    """How long it took, for completed tasks: feeds `metrics.average_completion_time`."""


class SessionRow(Row, frozen=True, gc=False, kw_only=True):
    """A session's row: what lists look at."""

    status: str
    activity: str
    order: Order
    """(last_accessed_at, id)"""
    created_at: str
    title: str
    working_directory: str
    """Normalised, so that lists find it however it was written."""
    message_count: int
    alias: str | None
    parent_id: str | None
    external_ids: tuple[str, ...]
    last_uuids: tuple[str, ...]
    """Where its transcripts end: a session that was forked off or resumed begins there."""
    fingerprints: tuple[str, ...]
    """As `kind:hash`, of the kinds that are known."""


class RunRow(Row, frozen=True, gc=False, kw_only=True):
    """A run's row."""

    status: str
    task_id: str | None
    session_id: str | None
    is_own: bool
    """Whether Perdure itself carries it out."""
    service: str | None
    """The service whose life it is; None for a run of a task."""


class _TaskColumns(msgspec.Struct):
    id: str
    status: str
    created_at: str
    rev: int
    tool: str | None = None
    priority: int = 5
    session_id: str | None = None
    depends_on: tuple[str, ...] = ()
    started_at: str | None = None
    completed_at: str | None = None


class _TranscriptColumns(msgspec.Struct):
    last_uuid: str | None = None


class _FingerprintColumns(msgspec.Struct):
    first_human_prompt_v1: str | None = None
    lineage_prefix_v1: str | None = None


class _SessionColumns(msgspec.Struct):
    id: str
    status: str
    activity: str
    created_at: str
    last_accessed_at: str
    title: str
    working_directory: str
    message_count: int
    rev: int
    alias: str | None = None
    parent_id: str | None = None
    external_ids: tuple[str, ...] = ()
    transcript_files: tuple[_TranscriptColumns, ...] = ()
    fingerprints: _FingerprintColumns = msgspec.field(default_factory=_FingerprintColumns)


class _StreamColumns(msgspec.Struct):
    path: str | None = None


class _RunColumns(msgspec.Struct):
    id: str
    status: str
    rev: int
    task_id: str | None = None
    session_id: str | None = None
    tool: str | None = None
    stdout: _StreamColumns = msgspec.field(default_factory=_StreamColumns)


class _AnyColumns(msgspec.Struct):
    id: str
    rev: int = 1


_task_columns = msgspec.json.Decoder(_TaskColumns)
_session_columns = msgspec.json.Decoder(_SessionColumns)
_run_columns = msgspec.json.Decoder(_RunColumns)
_any_columns = msgspec.json.Decoder(_AnyColumns)

decode_task: Final = msgspec.json.Decoder(Task).decode
decode_session: Final = msgspec.json.Decoder(Session).decode
decode_run: Final = msgspec.json.Decoder(Run).decode
decode_service: Final = msgspec.json.Decoder(Service).decode


def seconds_between(earlier: str | None, later: str | None) -> float | None:
    """Return the seconds between two stamps, None when one is missing or they are not stamps."""
    if earlier is None or later is None:
        return None
    try:
        begun, ended = (dt.datetime.fromisoformat(stamp) for stamp in (earlier, later))
        seconds = (ended - begun).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(0.0, seconds)


def task_row(encoded: bytes) -> TaskRow:
    """Build a task's row from its JSON; raises msgspec.ValidationError when it is no task."""
    columns = _task_columns.decode(encoded)
    completed = columns.status == "completed"
    return TaskRow(
        id=columns.id,
        rev=columns.rev,
        encoded=encoded,
        status=sys.intern(columns.status),
        tool=sys.intern(columns.tool) if columns.tool is not None else None,
        priority=columns.priority,
        order=(columns.created_at, columns.id),
        session_id=columns.session_id,
        depends_on=columns.depends_on,
        seconds=seconds_between(columns.started_at, columns.completed_at) if completed else None,
    )


def session_row(encoded: bytes) -> SessionRow:
    """Build a session's row from its JSON; raises msgspec.ValidationError when it is no session."""
    columns = _session_columns.decode(encoded)
    return SessionRow(
        id=columns.id,
        rev=columns.rev,
        encoded=encoded,
        status=sys.intern(columns.status),
        activity=sys.intern(columns.activity),
        order=(columns.last_accessed_at, columns.id),
        created_at=columns.created_at,
        title=columns.title,
        working_directory=posixpath.normpath(columns.working_directory),
        message_count=columns.message_count,
        alias=columns.alias,
        parent_id=columns.parent_id,
        external_ids=columns.external_ids,
        last_uuids=tuple(file.last_uuid for file in columns.transcript_files if file.last_uuid is not None),
        fingerprints=tuple(
            f"{kind}:{found}" for kind in FINGERPRINTS if (found := getattr(columns.fingerprints, kind)) is not None
        ),
    )


def run_row(encoded: bytes) -> RunRow:
    """Build a run's row from its JSON; raises msgspec.ValidationError when it is no run."""
    columns = _run_columns.decode(encoded)
    is_own = columns.stdout.path == output_path(columns.id, "stdout")
    is_life = is_own and columns.task_id is None and (columns.tool or "").startswith(TOOL_PREFIX)
    return RunRow(
        id=columns.id,
        rev=columns.rev,
        encoded=encoded,
        status=sys.intern(columns.status),
        task_id=columns.task_id,
        session_id=columns.session_id,
        is_own=is_own,
        service=(columns.tool or "").removeprefix(TOOL_PREFIX) if is_life else None,
    )


def plain_row(encoded: bytes) -> Row:
    """Build the row of a table that has no columns but the id and the rev."""
    columns = _any_columns.decode(encoded)
    return Row(id=columns.id, rev=columns.rev, encoded=encoded)


R = TypeVar("R", bound=Row)


class Table(Generic[R]):
    """Rows by id, in the order in which they came."""

    def __init__(self) -> None:
        self.rows: dict[str, R] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, row_id: str) -> R | None:
        """Return the row, or None."""
        return self.rows.get(row_id)

    def put(self, row: R) -> None:
        """Make the row, or replace the one with its id."""
        self.rows[row.id] = row

    def load(self, rows: Iterable[R]) -> None:
        """Fill the empty table with what a snapshot holds."""
        for row in rows:
            self.put(row)

    def remove(self, row_id: str) -> None:
        """Take the row out; nothing happens when it is not there."""
        self.rows.pop(row_id, None)


class Events(Table[Row]):
    """The newest recorded events; older ones are in the journal."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self.kept = kept

    def put(self, row: Row) -> None:
        """Remember the event; the oldest one leaves when there are too many."""
        super().put(row)
        while len(self.rows) > self.kept:
            del self.rows[next(iter(self.rows))]


_MAKERS: Final[dict[str, Callable[[bytes], Row]]] = {"tasks": task_row, "sessions": session_row, "runs": run_row}


def any_row(table: str, encoded: bytes) -> Row:
    """Build a row of the named table from its JSON."""
    return _MAKERS.get(table, plain_row)(encoded)


def maker_of(table: str) -> Callable[[bytes], Row]:
    """Return what builds the rows of the named table: for loading many, without a look-up for each."""
    return _MAKERS.get(table, plain_row)
