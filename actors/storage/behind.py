"""What has to be written into files because of committed lines: task, session, log and report files.

Files are written behind the journal, in the background, coalesced: of a task that changed ten times only the last state
is written. Everything here can be written twice without harm (whole files; messages by index; text by offset), so a
crash in the middle is mended by doing it again from the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import msgspec

from actors.model.facts import Fact
from actors.model.state import Line
from actors.model.tables import Row

_encode = msgspec.json.Encoder().encode

MOVES: Final = {"task.archived", "session.archived", "session.deleted"}
"""Facts after which a file leaves for the archive instead of being removed."""


@attrs.define
class SessionWork:
    """What is to be done to one session's file, in this order."""

    restore_from: str | None = None
    """Bring the file back from the archive under this name first."""
    header: bytes | None = None
    rewrite: bool = False
    """Begin a new file; the old one goes to the archive."""
    messages: list[tuple[int, bytes]] = attrs.field(factory=list)
    """(index from 1, the message)"""
    meta: tuple[int, bytes] | None = None
    """(rev, row)"""
    archive: bool = False
    """Finally move the file into the archive."""


@attrs.define
class Behind:
    """Files to write, as of the journal's line `seq`."""

    seq: int = 0
    tasks: dict[str, bytes | None] = attrs.field(factory=dict)
    """Rows by task id; None: the file goes."""
    archived_tasks: dict[str, bytes] = attrs.field(factory=dict)
    sessions: dict[str, list[SessionWork]] = attrs.field(factory=dict)
    texts: list[tuple[str, int, bytes]] = attrs.field(factory=list)
    """(log's name, offset, bytes)"""
    spills: list[tuple[str, int, list[bytes]]] = attrs.field(factory=list)
    """(log's name, number of the first entry, entries)"""
    reports: dict[str, bytes] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return (
            len(self.tasks)
            + len(self.archived_tasks)
            + len(self.sessions)
            + len(self.texts)
            + len(self.spills)
            + len(self.reports)
        )

    def note(self, line: Line, rows: Sequence[Row | None], before: Sequence[Row | None]) -> None:
        """Add what a committed line demands; `before` are the rows as they were, for what goes to the archive."""
        for fact, row, old in zip(line.facts, rows, before, strict=True):
            noun = fact.op.partition(".")[0]
            if noun == "task":
                self._task(fact, row, old)
            elif noun == "session":
                self._session(fact, row)
            elif noun in {"log", "report"}:
                self._record(fact)
        self.seq = line.seq

    def take(self, tasks_max: int) -> Behind:
        """Split off a portion: everything but tasks, and at most so many of these; what stays is what is left."""
        portion = Behind(
            seq=self.seq,
            archived_tasks=self.archived_tasks,
            sessions=self.sessions,
            texts=self.texts,
            spills=self.spills,
            reports=self.reports,
        )
        self.archived_tasks, self.sessions, self.texts, self.spills, self.reports = {}, {}, [], [], {}
        if len(self.tasks) <= tasks_max:
            portion.tasks, self.tasks = self.tasks, {}
        else:
            chosen = [task_id for task_id, _ in zip(self.tasks, range(tasks_max), strict=False)]
            portion.tasks = {task_id: self.tasks.pop(task_id) for task_id in chosen}
        return portion

    def put_back(self, portion: Behind) -> None:
        """Take back a portion that could not be written; what came since goes after it."""
        self.tasks = portion.tasks | self.tasks
        self.archived_tasks = portion.archived_tasks | self.archived_tasks
        for session_id, work in self.sessions.items():
            portion.sessions.setdefault(session_id, []).extend(work)
        self.sessions = portion.sessions
        self.texts = portion.texts + self.texts
        self.spills = portion.spills + self.spills
        self.reports = portion.reports | self.reports

    def _task(self, fact: Fact, row: Row | None, old: Row | None) -> None:
        self.tasks[fact.id] = None if row is None else row.encoded
        if fact.op in MOVES and old is not None:
            self.archived_tasks[fact.id] = old.encoded

    def _session(self, fact: Fact, row: Row | None) -> None:
        works = self.sessions.setdefault(fact.id, [])
        if row is None:
            works.append(SessionWork(archive=True))
            return
        members = fact.members()
        given: list[Any] = members.get("messages") or []
        first = int(msgspec.json.decode(row.encoded)["message_count"]) - len(given) + 1
        works.append(
            SessionWork(
                restore_from=members.get("archive"),
                header=_header(row) if fact.op in {"session.created", "session.adopted"} else None,
                rewrite=fact.op == "session.saved" and "messages" in members,
                messages=[(first + n, _encode(message)) for n, message in enumerate(given)],
                meta=(row.rev, row.encoded),
            )
        )

    def _record(self, fact: Fact) -> None:
        members = fact.members()
        if fact.op == "log.appended":
            self.texts.append((fact.id, members["offset"], members["text"].encode()))
        elif fact.op == "log.spilled":
            self.spills.append((fact.id, members["first"], [_encode(entry) for entry in members["lines"]]))
        else:
            body = {"id": fact.id, "created_at": members["created_at"], "data": members["data"]}
            self.reports[fact.id] = _encode(body)


def _header(row: Row) -> bytes:
    columns = msgspec.json.decode(row.encoded)
    return _encode({"v": 1, "id": row.id, "created_at": columns["created_at"], "version": "2.0.0"})
