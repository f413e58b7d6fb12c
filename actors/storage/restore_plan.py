"""What has to become true so that the present says again what was true at a moment of the past: pure, facts only.

=====================  ================================================================================================
tasks                  a row that was otherwise is `task.restored` whole, one that was not there is `task.deleted`
sessions               a row that was otherwise is `session.rewound`, with the messages that it had then (they come
                       from its own file, or from the copy that the archive keeps of each version of it); one that was
                       not there is `session.deleted`: its file moves to the archive
reports                as they were, `report.saved`, when the journal still has what they said then; one that was not
                       there is `report.removed`: its file moves to the archive
runs                   stay: they tell what agents really did. One that was never ended is ended now, so that nothing
                       begins to run because of a restore
services               stay: the next `perdure up` brings them up to the configuration and wants them all
events, idempotency    stay: they tell what really happened; a command that is repeated with its key changes nothing
keys, leases given     still, and no fencing token is given out twice
text logs of sessions  stay: they are only ever appended to
logs of tasks          entries that have left a task's row since are in its log already, and stay there
=====================  ================================================================================================

Every rev is above each one that its row ever had. A task that an agent of ours was at work on at that moment comes back
as `pending`: that agent is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

import msgspec
from attrs import Factory, define

from actors.model.facts import Fact
from actors.model.run import ACTIVE, LIVE
from actors.model.state import Tables
from actors.model.tables import Row

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_GIVEN_BACK: Final = {
    "status": "pending",
    "started_at": None,
    "worker": None,
    "lease": None,
    "lease_expires_at": None,
}
REASON: Final = "the state was restored to an earlier moment"


class Sources(Protocol):
    """What the plan must know of files."""

    def messages(self, session_id: str, rev: int, created_at: str) -> tuple[str, int, bool] | None:
        """Return (file, its last message, whether it is the session's own) of the version that has `rev`, or None."""
        ...

    def last_rev(self, session_id: str) -> int:
        """Return the highest rev that any file of the session speaks of, 0 when there is none."""
        ...

    def reports(self, wanted: dict[str, int]) -> Mapping[str, Any]:
        """Return {id: the members of the fact that saved it} for as many reports (id, rev) as the journal still has."""
        ...

    def has_log(self, task_id: str) -> bool:
        """Tell whether the log of a task's older entries is in its place."""
        ...


@define
class Plan:
    """The facts, and what they do, counted."""

    facts: list[Fact] = Factory(list)
    restored: dict[str, list[str]] = Factory(dict)
    """Rows that were otherwise, by table."""
    remade: dict[str, list[str]] = Factory(dict)
    """Rows that are gone now, and come back."""
    removed: dict[str, list[str]] = Factory(dict)
    """Rows that were not there then."""
    ended: list[str] = Factory(list)
    """Runs that are ended."""
    incomplete: list[str] = Factory(list)
    """What cannot be as it was, in words."""

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it was then."""
        return not self.facts

    def as_mapping(self) -> dict[str, Any]:
        """Return it with JSON values."""
        return {
            "restored": self.restored,
            "remade": self.remade,
            "removed": self.removed,
            "runs_ended": self.ended,
            "incomplete": self.incomplete,
            "facts": len(self.facts),
        }


class Planner:
    """Makes one plan."""

    def __init__(self, now: Tables, then: Tables, sources: Sources, stamp: str) -> None:
        self._now = now
        self._then = then
        self._sources = sources
        self._stamp = stamp
        self._plan = Plan()
        self._own_then = {
            row.task_id for row in then.runs.rows.values() if row.status in LIVE and row.is_own and row.task_id
        }

    def plan(self) -> Plan:
        """Compare all tables."""
        self._runs()
        self._tasks()
        self._sessions()
        self._reports()
        return self._plan

    # Runs

    def _runs(self) -> None:
        for row in self._now.runs.rows.values():
            if row.is_own and row.status in LIVE:
                status = "interrupted" if row.status in ACTIVE else "cancelled"
                error = {"kind": status, "message": REASON}
                self._add("run.ended", row.id, row.rev + 1, {"status": status, "ended_at": self._stamp, "error": error})
                self._plan.ended.append(row.id)

    # Tasks

    def _tasks(self) -> None:
        for row_id, was in self._then.tasks.rows.items():
            members = _decode(was.encoded)
            if row_id in self._own_then and members["status"] == "running":
                members |= _GIVEN_BACK
            members["logs"] = members["logs"][self._spilled_since(row_id) :]
            row = self._now.row("tasks", row_id)
            if row is not None and _is_same(row, members):
                continue
            rev = self._next_rev("tasks", row_id, was.rev)
            self._add("task.restored", row_id, rev, members | {"rev": rev})
            self._note("tasks", row_id, row)
        for row_id, row in self._now.tasks.rows.items():
            if row_id not in self._then.tasks.rows:
                self._add("task.deleted", row_id, row.rev + 1, {})
                self._plan.removed.setdefault("tasks", []).append(row_id)
        for row_id in {**self._then.tasks.rows, **self._now.tasks.rows}:
            self._log_of(row_id)

    def _spilled_since(self, task_id: str) -> int:
        """Return how many entries that were in the row then have left for the log since."""
        now, then = self._spilled(self._now, task_id), self._spilled(self._then, task_id)
        return now[0] - then[0] if now[1] == then[1] and self._sources.has_log(task_id) else 0

    def _log_of(self, task_id: str) -> None:
        """See to it that the entries in a task's log that are not its own are counted as such."""
        now, then = self._spilled(self._now, task_id), self._spilled(self._then, task_id)
        is_there = task_id in self._then.tasks.rows
        before = now[0] - (then[0] - then[1]) if is_there and now[1] != then[1] else now[1]
        if not is_there:
            before = now[0]
        row = self._now.row("logs", f"task_{task_id}")
        if row is not None and before != now[1] and self._sources.has_log(task_id):
            self._add("log.left", row.id, row.rev + 1, {"before": before})

    def _spilled(self, tables: Tables, task_id: str) -> tuple[int, int]:
        """Return how many entries are in a task's log, and how many of them are of tasks before it."""
        row = tables.row("logs", f"task_{task_id}")
        members = {} if row is None else _decode(row.encoded)
        return members.get("entries", 0), members.get("before", 0)

    # Sessions

    def _sessions(self) -> None:
        for row_id, was in self._then.sessions.rows.items():
            row = self._now.row("sessions", row_id)
            if row is not None and row.encoded == was.encoded:
                continue
            members = _decode(was.encoded)
            aside = self._messages(row_id, was, members, row)
            if row is not None and not aside and _is_same(row, members):
                continue
            rev = max(self._next_rev("sessions", row_id, was.rev), self._sources.last_rev(row_id) + 1)
            self._add("session.rewound", row_id, rev, members | {"rev": rev} | aside)
            self._note("sessions", row_id, row)
        for row_id, row in self._now.sessions.rows.items():
            if row_id not in self._then.sessions.rows:
                self._add("session.deleted", row_id, row.rev + 1, {})
                self._plan.removed.setdefault("sessions", []).append(row_id)

    def _messages(self, session_id: str, was: Row, members: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Return where the session's messages of then are; nothing when its file has just these."""
        count = members["message_count"]
        source = self._sources.messages(session_id, was.rev, members["created_at"])
        file, there, is_own = source or ("", 0, False)
        if there < count:
            told = f"session {session_id} had {count} messages; {there} of them are still in a file"
            self._plan.incomplete.append(told)
            members["message_count"] = there
        if is_own and row is not None and there == count:
            return {}
        return {"source": file, "keep": min(count, there)}

    # Reports

    def _reports(self) -> None:
        now, then = self._now.reports.rows, self._then.reports.rows
        changed = {row_id: was.rev for row_id, was in then.items() if row_id not in now or now[row_id].rev != was.rev}
        found = self._sources.reports(changed) if changed else {}
        for row_id, old_rev in changed.items():
            if row_id not in found:
                self._plan.incomplete.append(f"report {row_id}: the journal does not hold any more what it said")
                continue
            rev = self._next_rev("reports", row_id, old_rev)
            self._add("report.saved", row_id, rev, dict(found[row_id]) | {"rev": rev})
            self._note("reports", row_id, self._now.row("reports", row_id))
        for row_id, row in now.items():
            if row_id not in then:
                self._add("report.removed", row_id, row.rev + 1, {})
                self._plan.removed.setdefault("reports", []).append(row_id)

    # Parts

    def _next_rev(self, table: str, row_id: str, old_rev: int) -> int:
        row = self._now.row(table, row_id)
        return max(self._now.first_rev(table, row_id) if row is None else row.rev + 1, old_rev + 1)

    def _add(self, op: str, row_id: str, rev: int, data: dict[str, Any]) -> None:
        self._plan.facts.append(Fact(op=op, id=row_id, rev=rev, data=data))

    def _note(self, table: str, row_id: str, row: Row | None) -> None:
        which = self._plan.remade if row is None else self._plan.restored
        which.setdefault(table, []).append(row_id)


def _is_same(row: Row, members: dict[str, Any]) -> bool:
    """Tell whether a row says the same, apart from its rev."""
    there: dict[str, Any] = _decode(row.encoded)
    return there | {"rev": 0} == members | {"rev": 0}


def lines_of(facts: list[Fact], facts_max: int, bytes_max: int) -> Iterator[tuple[Fact, ...]]:
    """Yield the facts in portions that fit into lines of the journal."""
    portion: list[Fact] = []
    size_bytes = 0
    for fact in facts:
        fact_bytes = len(_encode(fact))
        if portion and (len(portion) >= facts_max or size_bytes + fact_bytes > bytes_max):
            yield tuple(portion)
            portion, size_bytes = [], 0
        portion.append(fact)
        size_bytes += fact_bytes
    if portion:
        yield tuple(portion)
