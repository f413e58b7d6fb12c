"""A store that is opened for one errand: recovered, used, its files and snapshot written, closed."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.model.facts import Fact
from actors.model.ids import new_id
from actors.model.keys import Command
from actors.model.stamps import stamp_of
from actors.model.state import Limits, Line, Tables, rows_after
from actors.storage.contract import Recovered, Store, cut_of
from actors.storage.disk_store import DiskStore
from actors.storage.files import Disk
from actors.storage.journal_decoding import encode_body
from actors.storage.layout import Layout
from actors.storage.settings import StorageSettings
from actors.storage.work import Work

ARCHIVED_PER_LINE: Final = 500
TASK_FILES_PER_PORTION: Final = 1000
_FINAL: Final = ("completed", "failed", "cancelled")


@contextmanager
def recovered_store(
    path: Path,
    settings: StorageSettings | None,
    limits: Limits | None,
    work: Work | None = None,
    disk: Disk | None = None,
) -> Iterator[tuple[DiskStore, Recovered]]:
    """Open the store of a directory whose locks are held; without an error everything is written at the end."""
    work = work or Work()
    store = DiskStore(
        disk=disk or Disk(),
        layout=Layout(path),
        settings=settings or StorageSettings(),
        limits=limits or Limits(),
        stamp=_now,
        version=importlib.metadata.version("perdure"),
    )
    try:
        work.begin("recovery")
        recovered = store.recover()
        yield store, recovered
        _finish(store, recovered, work)
    finally:
        store.close()


def finished_tasks(tables: Tables, before: str) -> list[str]:
    """Return the tasks that ended before a stamp and that no unfinished task depends on."""
    ended = [row.id for row in tables.tasks.in_order(_FINAL, None) if _ended(row.encoded) < before]
    needed = {task_id for row in tables.tasks.rows.values() if row.status != "completed" for task_id in row.depends_on}
    return [task_id for task_id in ended if task_id not in needed]


def archive_tasks(store: Store, recovered: Recovered, task_ids: Sequence[str], stamp: str) -> list[str]:
    """Move the tasks to the archive by facts of their own, as the running Perdure does; return their ids."""
    tables = recovered.tables
    command = Command(method="clean.archive")
    for begin in range(0, len(task_ids), ARCHIVED_PER_LINE):
        revs = {task_id: tables.tasks.rows[task_id].rev for task_id in task_ids[begin : begin + ARCHIVED_PER_LINE]}
        facts = tuple(Fact(op="task.archived", id=task_id, rev=rev + 1, data={}) for task_id, rev in revs.items())
        commit_line(store, recovered, command, facts, stamp)
    return list(task_ids)


def record_event(
    store: Store, recovered: Recovered, type: str, message: str, detail: Mapping[str, Any], stamp: str
) -> None:
    """Write an event into the journal: what a command did is part of the directory's history."""
    event_id = new_id()
    row = {"id": event_id, "created_at": stamp, "level": "info", "type": type, "message": message, "detail": detail}
    fact = Fact(op="event.recorded", id=event_id, rev=1, data=msgspec.Raw(msgspec.json.encode({**row, "rev": 1})))
    commit_line(store, recovered, Command(method="event.record"), (fact,), stamp)


def commit_line(store: Store, recovered: Recovered, command: Command, facts: tuple[Fact, ...], stamp: str) -> Line:
    """Commit one line, take it into the tables, and note the files that it demands."""
    tables = recovered.tables
    appended = store.commit([encode_body(stamp, command, facts)])
    line = Line(seq=appended.first_seq, ts=stamp, cmd=command, facts=facts)
    rows = rows_after(tables, facts)
    leaving = tables.leaving(facts, rows)
    tables.absorb(line, rows)
    recovered.behind.note(line, rows, leaving)
    return line


def _finish(store: Store, recovered: Recovered, work: Work) -> None:
    """Write what lies behind, and take a snapshot when something changed."""
    behind = recovered.behind
    work.begin("files", len(behind))
    store.write_behind(behind.take(TASK_FILES_PER_PORTION))
    while len(behind):
        work.step(TASK_FILES_PER_PORTION)
        store.write_behind(behind.take(TASK_FILES_PER_PORTION))
    store.sync_behind()
    work.begin("snapshot")
    saved = store.save(cut_of(recovered.tables, recovered.epoch + 1, recovered.identity, _now()))
    store.rotate(saved.seq)


def _ended(encoded: bytes) -> str:
    members: dict[str, Any] = msgspec.json.decode(encoded)
    return str(members.get("completed_at") or members["updated_at"])


def _now() -> str:
    return stamp_of(time.time())
