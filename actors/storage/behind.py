"""What has to be written into files because of committed lines: task, session, log and report files.

Files are written behind the journal, in the background, coalesced: of a task that changed ten times only the last state
is written. Everything here can be written twice without harm (whole files; messages by index; text by offset), so a
crash in the middle is mended by doing it again from the journal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import attrs
import msgspec

from actors.model.errors import UNDECODABLE
from actors.model.facts import Effect, Fact
from actors.model.state import VERSION, Line, Lookup
from actors.model.tables import Row

_encode = msgspec.json.Encoder().encode

MOVES: Final = {"task.archived", "session.archived", "session.deleted"}
"""Facts after which a file leaves for the archive instead of being removed."""

EVERY_SESSION: Final = "*"
"""Stands for the files of all sessions (`Behind.holds`); no id is like this."""

BEGINNINGS: Final = {"session.created", "session.adopted", "session.rewound"}
"""Facts with which a session's file may begin."""


class _Revised(msgspec.Struct):
    rev: int


@attrs.define
class SessionWork:
    """What is to be done to one session's file, in this order."""

    rev: int = 0
    """The session's rev as of this work; orders messages against rewrites."""

    restore_from: str | None = None
    """Bring the file back from the archive under this name first."""
    header: bytes | None = None
    rewrite: bool = False
    """Begin a new file; the old one goes to the archive."""
    rewind: tuple[str, int] | None = None
    """(file, number): begin a new file with so many messages of that file (a path relative to the state directory; it
    may be the session's own); the old one goes to the archive."""
    messages: list[tuple[int, bytes]] = attrs.field(factory=list)
    """(index from 1, the message)"""
    meta: tuple[int, bytes] | None = None
    """(rev, row)"""
    partial: bool = False
    """`meta` holds only what changed: the rest is in the metadata that the file has."""
    archive: bool = False
    """Finally move the file into the archive, with the row in `meta`, or the one that the file holds."""

    def is_leaving_with(self, row: bytes) -> bool:
        """Whether this is how the session left whose last row, as the archive has it, is this one."""
        if not self.archive or self.meta is not None:
            return self.archive and self.meta is not None and self.meta[1] == row
        try:
            return msgspec.json.decode(row, type=_Revised).rev == self.rev - 1  # the row is as before its deletion
        except UNDECODABLE:  # nobody knows when it left: then the file is begun anew rather than nothing kept
            return False


def was_done(works: Sequence[SessionWork], left: Iterable[bytes]) -> bool:
    """Whether the first of these was done before: the archive has, among the rows that `left`, how a later one ends.

    Done again, messages would begin a new file without those that came before them, and that file would be taken for
    the session when somebody brings it back. Only what is done again stands before its own end: a session that is made
    anew has nothing to do with how another left under its id, and its revs may begin anew, too.
    """
    return works[0].restore_from is None and any(work.is_leaving_with(row) for row in left for work in works)


@attrs.define
class Behind:
    """Files to write because of the journal's lines above `after_seq`, up to `seq`.

    When this is written, and everything up to `after_seq` was before, then everything up to `seq` is.
    """

    seq: int = 0
    after_seq: int = 0
    tasks: dict[str, bytes | None] = attrs.field(factory=dict)
    """Rows by task id, the one that waits longest first; None: the file goes."""
    archived_runs: dict[str, bytes] = attrs.field(factory=dict)
    """The last rows of runs whose logs move to the archive."""
    archived_tasks: dict[str, tuple[int, bytes | None]] = attrs.field(factory=dict)
    """(rev at which it left, last row) of tasks whose files move to the archive; None: the row that the file holds."""
    sessions: dict[str, list[SessionWork]] = attrs.field(factory=dict)
    texts: list[tuple[str, int, bytes]] = attrs.field(factory=list)
    """(log's name, offset, bytes)"""
    spills: list[tuple[str, int, list[bytes]]] = attrs.field(factory=list)
    """(log's name, number of the first entry, entries)"""
    leaving_spills: list[tuple[str, int, list[bytes]]] = attrs.field(factory=list)
    """Those of tasks that are archived afterwards: their log leaves with them."""
    reports: dict[str, bytes | None] = attrs.field(factory=dict)
    """Bodies by report id; None: the file moves to the archive."""
    held_bytes: int = 0
    """What is in memory for nothing but this: messages, texts and bodies. Rows are there anyway."""
    _waits_from: dict[str, int] = attrs.field(factory=dict)
    """By task, in the order of `tasks`: the first line whose change is not in its file yet."""

    def __len__(self) -> int:
        return (
            len(self.tasks)
            + len(self.archived_tasks)
            + len(self.archived_runs)
            + len(self.sessions)
            + len(self.texts)
            + len(self.spills)
            + len(self.leaving_spills)
            + len(self.reports)
        )

    def holds(self, row_id: str) -> bool:
        """Tell whether something for the file of this session, log or report is among it."""
        texts = (name for name, _offset, _data in self.texts)
        if row_id == EVERY_SESSION:
            return bool(self.sessions)
        return row_id in self.sessions or row_id in self.reports or row_id in texts

    def note(self, line: Line, rows: Sequence[Row | None], before: Sequence[Row | None]) -> None:
        """Add what a committed line demands; `before` are the rows of those that go (`Tables.leaving`)."""
        for fact, row, old in zip(line.facts, rows, before, strict=True):
            noun = fact.op.partition(".")[0]
            if noun == "task":
                self._task(line.seq, fact, row, old)
            elif noun == "session":
                self._session(fact, row, old)
            elif fact.op == "run.archived":
                self.archived_runs[fact.id] = _encode(fact.members()["row"])
            elif noun in {"log", "report"}:
                self._record(fact)  # of a report that is removed the file holds all there is
        self.seq = max(self.seq, line.seq)

    def note_covered(self, line: Line, lookup: Lookup) -> None:
        """Add what a line demands that the snapshot covers already: its rows are later ones, taken from `lookup`.

        A session's file tells its row as of each change: these are taken from the facts, for the session of now may be
        another one with the same id.
        """
        tables = [fact.kind.table for fact in line.facts]
        rows = [
            None if table == "sessions" else lookup.row(table, fact.id)
            for table, fact in zip(tables, line.facts, strict=True)
        ]
        self.note(line, rows, [None] * len(rows))

    def note_task(self, task_id: str, row: bytes | None) -> None:
        """Add one task's file, which recovery found older than its row."""
        self.tasks.setdefault(task_id, row)
        self._waits_from.setdefault(task_id, self.seq)

    def take(self, tasks_max: int) -> Behind:
        """Split off a portion: everything but tasks, and at most so many of these; what stays is what is left."""
        portion = Behind(
            seq=self.seq,
            after_seq=self.after_seq,
            archived_tasks=self.archived_tasks,
            archived_runs=self.archived_runs,
            sessions=self.sessions,
            texts=self.texts,
            spills=self.spills,
            leaving_spills=self.leaving_spills,
            reports=self.reports,
            held_bytes=self.held_bytes,
        )
        self.archived_tasks, self.archived_runs, self.reports = {}, {}, {}
        self.sessions, self.texts, self.spills, self.leaving_spills = {}, [], [], []
        self.held_bytes = 0
        if len(self.tasks) <= tasks_max:
            portion.tasks, self.tasks = self.tasks, {}
            portion._waits_from, self._waits_from = self._waits_from, {}
        else:
            for task_id in list(islice(self.tasks, tasks_max)):
                portion.tasks[task_id] = self.tasks.pop(task_id)
                portion._waits_from[task_id] = self._waits_from.pop(task_id)
            portion.seq = self._waits_from[next(iter(self.tasks))] - 1
        self.after_seq = portion.seq
        return portion

    def put_back(self, portion: Behind) -> None:
        """Take back a portion that could not be written; what came since goes after it."""
        self.after_seq = min(self.after_seq, portion.after_seq)
        self.held_bytes += portion.held_bytes
        self.tasks = portion.tasks | self.tasks
        self._waits_from = self._waits_from | portion._waits_from
        self._waits_from = {task_id: self._waits_from[task_id] for task_id in self.tasks}
        leaving = portion.take_leaving_spills(self.archived_tasks)
        self.leaving_spills = portion.leaving_spills + leaving + self.leaving_spills
        self.archived_tasks = portion.archived_tasks | self.archived_tasks
        self.archived_runs = portion.archived_runs | self.archived_runs
        for session_id, work in self.sessions.items():
            portion.sessions.setdefault(session_id, []).extend(work)
        self.sessions = portion.sessions
        self.texts = portion.texts + self.texts
        self.spills = portion.spills + self.spills
        self.reports = portion.reports | self.reports

    def take_leaving_spills(self, task_ids: Collection[str]) -> list[tuple[str, int, list[bytes]]]:
        """Take the entries of these tasks' logs out of `spills`, and return them."""
        leaving = [spill for spill in self.spills if task_of_log(spill[0]) in task_ids]
        if leaving:
            self.spills = [spill for spill in self.spills if task_of_log(spill[0]) not in task_ids]
        return leaving

    def _task(self, seq: int, fact: Fact, row: Row | None, old: Row | None) -> None:
        self.tasks[fact.id] = None if row is None else row.encoded
        self._waits_from.setdefault(fact.id, seq)
        if fact.op in MOVES:
            self.leaving_spills += self.take_leaving_spills((fact.id,))
            self.archived_tasks[fact.id] = (fact.rev, None if old is None else old.encoded)

    def _session(self, fact: Fact, row: Row | None, old: Row | None) -> None:
        works = self.sessions.setdefault(fact.id, [])
        if fact.kind.effect is Effect.GONE:
            works.append(SessionWork(rev=fact.rev, meta=_meta(fact.rev - 1, old), archive=True))
            return
        members = fact.members()
        given: list[Any] = members.get("messages") or []
        first = _message_count(members, row) - len(given) + 1
        rewrite = fact.op == "session.saved" and "messages" in members
        rewind = _rewind(fact, members)
        meta = _meta(fact.rev, row)
        partial = meta is None and fact.kind.effect is not Effect.WHOLE
        if meta is None:
            # A line that the snapshot covers: the fact says all, or what changed.
            meta = (fact.rev, _encode({"id": fact.id, **_without(members, *fact.kind.aside), "rev": fact.rev}))
        messages = [(first + n, _encode(message)) for n, message in enumerate(given)]
        self.held_bytes += sum(len(message) for _index, message in messages)
        works.append(
            SessionWork(
                rev=fact.rev,
                restore_from=members.get("archive"),
                header=_header(fact, row) if fact.op in BEGINNINGS or rewrite else None,
                rewrite=rewrite,
                rewind=rewind,
                messages=messages,
                meta=meta,
                partial=partial,
            )
        )

    def _record(self, fact: Fact) -> None:
        members = fact.members()
        if fact.op == "log.appended":
            text = members["text"].encode()
            self.held_bytes += len(text)
            self.texts.append((fact.id, members["offset"], text))
        elif fact.op == "log.spilled":
            entries = [_encode(entry) for entry in members["lines"]]
            self.held_bytes += sum(map(len, entries))
            self.spills.append((fact.id, members["first"], entries))
        elif fact.op == "report.saved":
            body = _encode({"id": fact.id, "created_at": members["created_at"], "data": members["data"]})
            self.held_bytes += len(body)
            self.reports[fact.id] = body
        elif fact.op == "report.removed":
            self.reports[fact.id] = None


def task_of_log(name: str) -> str:
    """Return the task whose older log entries the table `logs` knows by this name."""
    return name.removeprefix("task_")


def _meta(rev: int, row: Row | None) -> tuple[int, bytes] | None:
    return None if row is None else (rev, row.encoded)


def _message_count(members: Mapping[str, Any], row: Row | None) -> int:
    """The fact's own word counts: the row may be a later one."""
    if "message_count" in members or row is None:
        return int(members.get("message_count") or 0)
    return int(msgspec.json.decode(row.encoded)["message_count"])


def _rewind(fact: Fact, members: Mapping[str, Any]) -> tuple[str, int] | None:
    return (members["source"], members["keep"]) if fact.op == "session.rewound" and "source" in members else None


def _without(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key not in names}


def _header(fact: Fact, row: Row | None) -> bytes:
    columns = fact.members() if row is None else msgspec.json.decode(row.encoded)
    created_at = columns.get("created_at") or ""
    return _encode({"v": 1, "id": fact.id, "created_at": created_at, "version": VERSION})
