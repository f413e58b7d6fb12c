"""Rows that files hold and the state does not: which of them win, and the facts that they become.

Task files are asked when somebody removed state.json to force a rebuild (*rebuild*), and all files when something was
lost (*fill*):

==================================================  ================  ================
a file that is, compared with its row,              rebuild           fill
==================================================  ================  ================
of a higher rev                                     wins              wins
of the same rev with other content (a person did)   wins, rev + 1     loses
of a lower rev, or the same                         loses             loses
without a row, and no tombstone of its rev or more  wins              wins
not a task at all                                   stays, reported   stays, reported
==================================================  ================  ================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs
import msgspec

from actors.model.errors import UNDECODABLE, InvalidParams
from actors.model.facts import Fact
from actors.model.ids import clean_id
from actors.model.state import Tables
from actors.model.tables import decode_session, decode_task
from actors.model.task import Task
from actors.storage.recovery_report import RecoveryReport
from actors.storage.session_files import SessionFiles, UnreadableSession
from actors.storage.session_index import row_of
from actors.storage.task_files import TaskFiles

_encode = msgspec.json.Encoder().encode
_MEMBERS: Final = frozenset(field.name for field in attrs.fields(Task))


def adopted_tasks(tables: Tables, files: TaskFiles, report: RecoveryReport, *, is_rebuild: bool) -> Iterator[Fact]:
    """Yield a fact for every task file that wins."""
    read = files.read_all()
    for rejected in read.rejected:
        report.reject(f"tasks/{rejected.path.name}", 0, rejected.reason, rejected.excerpt)
    for task_id, content in read.rows.items():
        try:
            task = task_of(content, task_id)
        except (*UNDECODABLE, InvalidParams) as error:
            report.reject(f"tasks/{task_id}.json", 0, str(error), "")
            continue
        fact = _task_fact(tables, task, is_rebuild=is_rebuild)
        if fact is not None:
            yield fact


def adopted_sessions(tables: Tables, files: SessionFiles, report: RecoveryReport) -> Iterator[Fact]:
    """Yield a fact for every session file whose metadata is newer than its row."""
    for scan in files.scan_all():
        name = f"sessions/{scan.session_id}.jsonl"
        if isinstance(scan, UnreadableSession):
            report.reject(name, 0, scan.reason, "")
            continue
        for bad in scan.rejected:
            report.reject(name, bad.line, bad.reason, bad.excerpt)
        encoded = row_of(scan)
        if encoded is None:
            report.reject(name, 0, "it holds no metadata that could be a session's row", "")
            continue
        try:
            session = decode_session(encoded)
        except UNDECODABLE as error:
            report.reject(name, 0, str(error), "")
            continue
        row = tables.row("sessions", session.id)
        if session.rev > max(0 if row is None else row.rev, buried_rev(tables, "sessions", session.id)):
            session = attrs.evolve(session, message_count=max(session.message_count, scan.last_index))
            yield Fact(op="session.adopted", id=session.id, rev=session.rev, data=msgspec.Raw(_encode(session)))


def task_of(content: bytes, task_id: str) -> Task:
    """Return the task that a file holds, members that a task has not among its metadata.

    Raises msgspec.DecodeError when it is no task, InvalidParams when its id could not be one.
    """
    clean_id(task_id)
    members: dict[str, Any] = msgspec.json.decode(content)
    unknown = {name: members.pop(name) for name in list(members) if name not in _MEMBERS}
    unknown.pop("log_count", None)  # ours, shown in files and counted anew
    if unknown and isinstance(members.get("metadata", {}), dict):
        members["metadata"] = unknown | members.get("metadata", {})
    return decode_task(_encode(members))


def buried_rev(tables: Tables, table: str, row_id: str) -> int:
    """Return the rev of the row's tombstone, 0 when it has none."""
    grave = tables.tombstones.get((table, row_id))
    return 0 if grave is None else grave.rev


def _task_fact(tables: Tables, task: Task, *, is_rebuild: bool) -> Fact | None:
    row = tables.row("tasks", task.id)
    if row is None:
        wins = task.rev > buried_rev(tables, "tasks", task.id)
    elif task.rev == row.rev:
        wins = is_rebuild and _encode(task) != _encode(decode_task(row.encoded))
        task = attrs.evolve(task, rev=row.rev + 1) if wins else task
    else:
        wins = task.rev > row.rev
    if not wins:
        return None
    return Fact(op="task.adopted", id=task.id, rev=task.rev, data=msgspec.Raw(_encode(task)))


def stale_task_files(tables: Tables, files: TaskFiles) -> Iterator[tuple[str, bytes | None]]:
    """Yield the rows whose file is missing or older, and those that are gone while their file is not (None)."""
    read = files.read_all()
    for task_id, row in tables.tasks.rows.items():
        content = read.rows.get(task_id)
        if content is None or _rev_of(content) != row.rev:
            yield task_id, row.encoded
    for task_id in read.rows:
        if tables.row("tasks", task_id) is None and buried_rev(tables, "tasks", task_id):
            yield task_id, None


def _rev_of(content: bytes) -> Any:
    return msgspec.json.decode(content).get("rev")
