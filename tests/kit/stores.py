"""Stores under test: a driver that plays the writer, and the two media that a store can be opened on."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from attrs import define, field

from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.session import Session
from actors.model.stamps import stamp_of
from actors.model.state import Limits, Line, Tables, rows_after
from actors.model.task import Task
from actors.storage.behind import Behind
from actors.storage.contract import Recovered, Saved, Store, cut_of
from actors.storage.disk_store import DiskStore, StorageSettings
from actors.storage.files import Disk
from actors.storage.journal_decoding import encode_body
from actors.storage.layout import Layout
from actors.storage.memory_store import Medium, MemoryStore
from tests.kit.disks import Fault, FaultyDisk

EPOCH_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z
SESSION = "11111111-2222-4333-8444-555555555555"
OTHER_SESSION = "99999999-2222-4333-8444-555555555555"

encode = msgspec.json.Encoder().encode


@define
class Ticks:
    """A clock that goes on by a second with every look at it."""

    now_s: float = EPOCH_S

    def stamp(self) -> str:
        self.now_s += 1
        return stamp_of(self.now_s)


def settings(**changes: Any) -> StorageSettings:
    """Return settings for tests: no preallocated megabyte, so that directories stay small."""
    return StorageSettings(**{"preallocate_bytes": 0, **changes})


def disk_store(root: Path, disk: Disk | None = None, clock: Ticks | None = None, **changes: Any) -> DiskStore:
    """Make a store on a directory."""
    clock = clock or Ticks()
    return DiskStore(
        disk=disk or Disk(),
        layout=Layout(root),
        settings=settings(**changes),
        limits=Limits(),
        stamp=clock.stamp,
        version="0.1.0",
    )


class Bench(Protocol):
    """A medium on which stores are opened one after the other."""

    def open(self) -> Store:
        """Make a store over what is there."""
        ...

    def fail_next_write(self) -> None:
        """Let the next write of the journal fail."""
        ...

    def mend(self) -> None:
        """Let everything work again."""
        ...


class DiskBench:
    """A directory."""

    def __init__(self, root: Path, fallback: Path | None = None) -> None:
        self.root = root
        self.fallback = fallback
        self.disk = FaultyDisk()
        self.clock = Ticks()

    def open(self) -> Store:
        return disk_store(self.root, self.disk, self.clock, fallback_path=self.fallback)

    def fail_next_write(self) -> None:
        self.disk.faults = [Fault("pwrite", at=self.disk.calls.get("pwrite", 0) + 1, error=errno.EIO)]

    def mend(self) -> None:
        self.disk.faults = []


class MemoryBench:
    """A medium in memory."""

    def __init__(self) -> None:
        self.medium = Medium()
        self.clock = Ticks()

    def open(self) -> Store:
        return MemoryStore(self.medium, Limits(), self.clock.stamp)

    def fail_next_write(self) -> None:
        self.medium.refuses = OSError(errno.EIO, os.strerror(errno.EIO))

    def mend(self) -> None:
        self.medium.refuses = None


@define
class Driver:
    """Does with one store what the writer does: recovers, commits lines, keeps its tables, notes what lies behind."""

    store: Store
    recovered: Recovered = field(init=False)
    tables: Tables = field(init=False)
    behind: Behind = field(init=False)
    clock: Ticks = field(factory=Ticks)
    acknowledged_seq: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.recovered = self.store.recover()
        self.tables = self.recovered.tables
        self.behind = self.recovered.behind
        self.acknowledged_seq = self.tables.seq

    @property
    def report(self) -> Mapping[str, Any]:
        return self.recovered.report

    def commit(self, *facts: Fact, key: str | None = None, ref: str = "", method: str = "test.do") -> int:
        """Commit one line and return its seq."""
        return self.commit_all([facts], key=key, ref=ref, method=method)[-1]

    def commit_all(
        self, lines: Sequence[tuple[Fact, ...]], key: str | None = None, ref: str = "", method: str = "test.do"
    ) -> list[int]:
        """Commit several lines as one batch and return their seqs."""
        stamp = self.clock.stamp()
        hashed = None if key is None else "h"
        ids = [tuple(fact.id for fact in facts) for facts in lines]
        commands = [Command(method=method, ref=ref, key=key, hash=hashed, ids=some) for some in ids]
        bodies = [encode_body(stamp, command, facts) for command, facts in zip(commands, lines, strict=True)]
        appended = self.store.commit(bodies)
        for seq, (command, facts) in enumerate(zip(commands, lines, strict=True), appended.first_seq):
            line = Line(seq=seq, ts=stamp, cmd=command, facts=facts)
            rows = rows_after(self.tables, facts)
            leaving = self.tables.leaving(facts, rows)
            self.tables.absorb(line, rows)
            self.behind.note(line, rows, leaving)
        self.acknowledged_seq = appended.last_seq
        return list(range(appended.first_seq, appended.last_seq + 1))

    def create(self, *task_ids: str, **members: Any) -> int:
        """Create tasks, one line each; return the last seq."""
        return self.commit_all([(created(task_id, rev=self.rev(task_id), **members),) for task_id in task_ids])[-1]

    def describe(self, task_id: str, description: str) -> int:
        """Change a task's description."""
        row = self.tables.row("tasks", task_id)
        assert row is not None
        return self.commit(described(task_id, row.rev + 1, description))

    def rev(self, task_id: str) -> int:
        return self.tables.first_rev("tasks", task_id)

    def write_files(self, tasks_max: int = 1000) -> None:
        """Write one portion of what lies behind."""
        self.store.write_behind(self.behind.take(tasks_max))

    def settle_files(self) -> int:
        """Write and sync everything that lies behind."""
        while len(self.behind):
            self.write_files()
        self.write_files()
        return self.store.sync_behind()

    def save(self) -> Saved:
        """Take a snapshot and rotate, as the writer does after one."""
        cut = cut_of(self.tables, self.recovered.epoch + 1, self.recovered.identity, self.clock.stamp())
        saved = self.store.save(cut)
        self.store.rotate(saved.seq)
        return saved

    def reopen(self) -> None:
        """Come back after a failed commit."""
        self.store.reopen(cut_of(self.tables, self.recovered.epoch + 1, self.recovered.identity, self.clock.stamp()))

    def stop(self) -> None:
        """End as a graceful stop does."""
        self.settle_files()
        self.save()
        self.store.close()


def created(task_id: str, rev: int = 1, **members: Any) -> Fact:
    """Return the fact that makes a task."""
    given = {"description": f"do {task_id}", "created_at": stamp_of(EPOCH_S), "updated_at": stamp_of(EPOCH_S)}
    task = Task(id=task_id, rev=rev, **{**given, **members})
    return Fact(op="task.created", id=task_id, rev=rev, data=msgspec.Raw(encode(task)))


def described(task_id: str, rev: int, description: str) -> Fact:
    """Return a fact that changes a member of a task."""
    return Fact(op="task.updated", id=task_id, rev=rev, data={"description": description})


def deleted(task_id: str, rev: int) -> Fact:
    """Return the fact that removes a task."""
    return Fact(op="task.deleted", id=task_id, rev=rev, data={})


def session_created(session_id: str = SESSION, messages: Sequence[Any] = (), rev: int = 1) -> Fact:
    """Return the fact that makes a session."""
    session = Session(
        id=session_id,
        title="A session",
        provider="anthropic",
        model="m",
        working_directory="/w",
        created_at=stamp_of(EPOCH_S),
        last_accessed_at=stamp_of(EPOCH_S),
        message_count=len(messages),
        rev=rev,
    )
    data = {**msgspec.json.decode(encode(session)), "messages": list(messages)}
    return Fact(op="session.created", id=session_id, rev=rev, data=data)


def session_appended(rev: int, count: int, messages: Sequence[Any], session_id: str = SESSION) -> Fact:
    """Return the fact that adds messages; `count` is how many there are then."""
    return Fact(
        op="session.appended", id=session_id, rev=rev, data={"message_count": count, "messages": list(messages)}
    )


def session_saved(rev: int, messages: Sequence[Any], session_id: str = SESSION) -> Fact:
    """Return the fact that replaces all messages."""
    return Fact(
        op="session.saved", id=session_id, rev=rev, data={"message_count": len(messages), "messages": list(messages)}
    )


def session_deleted(rev: int, session_id: str = SESSION) -> Fact:
    """Return the fact that moves a session to the archive."""
    return Fact(op="session.deleted", id=session_id, rev=rev, data={})


def state_of(tables: Tables) -> dict[str, Any]:
    """Return everything that is true, comparable."""
    return {
        "seq": tables.seq,
        "lease_max": tables.lease_max,
        "rows": {name: dict(sorted(_encoded(table.rows).items())) for name, table in tables.by_name.items()},
        "keys": {record.key: record for record in tables.keys.records.values()},
        "tombstones": dict(sorted(tables.tombstones.items())),
    }


def _encoded(rows: Mapping[str, Any]) -> dict[str, bytes]:
    return {row_id: row.encoded for row_id, row in rows.items()}
