"""The state: tables of frozen rows, and `apply`, the one way in which a row changes.

The same `apply` runs in the actor that decides, in the writer's fold of what is durable, and in replay. It is pure:
the row before and a fact give the row after. A `Tables` is moved forward by whole journal lines (`absorb`), so no
reader ever sees half a command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from actors.model.facts import Effect, Fact
from actors.model.keys import Command, KeyRecord, Keys
from actors.model.run_table import Runs
from actors.model.session_table import Sessions
from actors.model.tables import Events, Row, Table, any_row
from actors.model.task_table import Tasks

VERSION: Final = "2.0.0"
"""The version of the state directory's format that this program writes."""

_LEASING: Final = frozenset({"task.claimed", "task.saved", "task.adopted", "task.restored"})
"""What may bring a lease into a row: a claim gives it, a whole row holds it, a file's row perhaps one unheard of."""

_WHOLE: Final = Effect.WHOLE  # by name, each costs a look into the enumeration, and this is asked for every fact
_LOGGED: Final = Effect.LOGGED
_GONE: Final = Effect.GONE

_encode = msgspec.json.Encoder().encode


class _Leased(msgspec.Struct):
    lease: int | None = None


_decode_leased = msgspec.json.Decoder(_Leased).decode


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a deleted row until no file and no backup can bring it back."""

    table: str
    id: str
    rev: int
    seq: int
    at: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of what the tables keep; part of the configuration."""

    events_kept: int = 1000
    keys_kept: int = 100_000
    keys_kept_s: float = 86_400.0


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One journal line: a command and all its facts, or nothing."""

    seq: int
    ts: str
    cmd: Command
    facts: tuple[Fact, ...]
    size_bytes: int = 0
    """How long it is in the journal, about; 0 where nobody keeps it. Never written."""


class Lookup(Protocol):
    """What a decision may ask: the tables themselves, or a draft laid over them."""

    def row(self, table: str, row_id: str) -> Row | None:
        """Return a row as it stands, or None."""
        ...

    def key(self, key: str) -> KeyRecord | None:
        """Return what is remembered of an idempotency key."""
        ...


def apply(before: Row | None, fact: Fact) -> Row | None:
    """Return the row after the fact, None when it is gone.

    Raises KeyError for an operation that this version does not know, ValueError when a row is needed and there is none
    (a journal with a hole; live decisions never make such a fact), msgspec.ValidationError for data of a wrong shape.
    """
    kind = fact.kind
    if kind.effect is _GONE:
        return None
    if kind.effect is _WHOLE:
        return any_row(kind.table, _whole(fact, kind.aside))
    if before is None:
        raise ValueError(f"{fact.op} needs the row {fact.id}, which is not there")
    members: dict[str, Any] = msgspec.json.decode(before.encoded)
    changes = fact.members()
    if kind.effect is _LOGGED:
        logs = [*members["logs"], *changes["entries"]]
        members["logs"] = logs[len(logs) - min(len(logs), changes["kept"]) :]
    members.update((name, value) for name, value in changes.items() if name not in kind.aside)
    members["rev"] = fact.rev
    return any_row(kind.table, _encode(members))


def _whole(fact: Fact, aside: Sequence[str]) -> bytes:
    if not aside and not isinstance(fact.data, dict):
        return bytes(fact.data)
    members = fact.members()
    return _encode({name: value for name, value in members.items() if name not in aside})


class Tables:
    """Everything that is true as of `seq`. Only `absorb` and the loader of a snapshot change it."""

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.seq = 0
        self.stamp = ""
        """When the line `seq` was written; empty when nobody knows."""
        self.lease_max = 0
        """The highest fencing token ever given out."""
        self.tasks = Tasks()
        self.sessions = Sessions()
        self.runs = Runs()
        self.events = Events(limits.events_kept)
        self.logs: Table[Row] = Table()
        self.reports: Table[Row] = Table()
        self.services: Table[Row] = Table()
        self.daemon: Table[Row] = Table()
        self.keys = Keys(limits.keys_kept, limits.keys_kept_s)
        self.tombstones: dict[tuple[str, str], Tombstone] = {}
        self.by_name: Mapping[str, Table[Any]] = {
            "tasks": self.tasks,
            "sessions": self.sessions,
            "runs": self.runs,
            "events": self.events,
            "logs": self.logs,
            "reports": self.reports,
            "services": self.services,
            "daemon": self.daemon,
        }

    def row(self, table: str, row_id: str) -> Row | None:
        """Return a row, or None."""
        found: Row | None = self.by_name[table].rows.get(row_id)
        return found

    def key(self, key: str) -> KeyRecord | None:
        """Return what is remembered of an idempotency key."""
        return self.keys.get(key)

    def first_rev(self, table: str, row_id: str) -> int:
        """Return the rev that a row made now begins with: 1, or beyond its tombstone, so that no old copy wins."""
        grave = self.tombstones.get((table, row_id))
        return 1 if grave is None else grave.rev + 1

    def absorb(self, line: Line, rows: Sequence[Row | None]) -> None:
        """Move forward by one line whose facts gave these rows (None: gone)."""
        for fact, row in zip(line.facts, rows, strict=True):
            self._absorb_fact(line, fact, row)
        record = line.cmd.key_record(line.seq, line.ts)
        if record is not None:
            self.keys.put(record)
        self.seq = line.seq
        self.stamp = line.ts

    def leaving(self, facts: Sequence[Fact], rows: Sequence[Row | None]) -> list[Row | None]:
        """Return the rows that a line's facts take away, as the facts before them leave them; None for each other fact.

        `rows` are those that the facts give. Who is gone leaves for the archive as it was; nobody else is asked for
        that.
        """
        if len(rows) == 1:  # nearly every line
            return [None if rows[0] is not None else self.row(facts[0].kind.table, facts[0].id)]
        leaving: list[Row | None] = []
        changed: dict[tuple[str, str], Row | None] = {}
        for fact, row in zip(facts, rows, strict=True):
            address = (fact.kind.table, fact.id)
            before = None
            if row is None:
                before = changed[address] if address in changed else self.row(*address)
            leaving.append(before)
            changed[address] = row
        return leaving

    def put_row(self, table: str, row: Row) -> None:
        """Put a row that was read from a snapshot or a file."""
        self.by_name[table].put(row)

    def metrics(self) -> dict[str, float | int]:
        """Return the figures that the seeds keep in state.json."""
        completed = self.tasks.count("completed")
        return {
            "total_tasks": len(self.tasks),
            "completed_tasks": completed,
            "failed_tasks": self.tasks.count("failed"),
            "average_completion_time": round(self.tasks.completed_seconds / completed, 3) if completed else 0,
        }

    def _absorb_fact(self, line: Line, fact: Fact, row: Row | None) -> None:
        table = fact.kind.table
        if row is None:
            self.by_name[table].remove(fact.id)
            self.tombstones[table, fact.id] = Tombstone(table=table, id=fact.id, rev=fact.rev, seq=line.seq, at=line.ts)
        else:
            self.by_name[table].put(row)
            if self.tombstones:
                self.tombstones.pop((table, fact.id), None)
        if fact.op in _LEASING:
            self.lease_max = max(self.lease_max, _lease_of(fact))


def _lease_of(fact: Fact) -> int:
    lease = fact.data.get("lease") if isinstance(fact.data, dict) else _decode_leased(fact.data).lease
    return lease or 0


def rows_after(lookup: Lookup, facts: Sequence[Fact]) -> list[Row | None]:
    """Return the row that each fact leaves, in order; later facts of one line see the earlier ones."""
    rows: list[Row | None] = []
    changed: dict[tuple[str, str], Row | None] = {}
    for fact in facts:
        kind = fact.kind
        address = (kind.table, fact.id)
        if kind.effect is _WHOLE or kind.effect is _GONE:
            row = apply(None, fact)
        else:
            row = apply(changed[address] if address in changed else lookup.row(*address), fact)
        changed[address] = row
        rows.append(row)
    return rows
