"""Lives of a store in which everything changes again and again, with a memory of what was true after every line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from actors.model.facts import Fact
from actors.model.state import Tables
from tests.kit.stores import (
    OTHER_SESSION,
    SESSION,
    Driver,
    Ticks,
    deleted,
    described,
    disk_store,
    session_appended,
    session_created,
    session_deleted,
    session_saved,
)

TASKS = ("a", "b", "c")
SESSIONS = (SESSION, OTHER_SESSION)
REPORTS = ("r", "s")


def without_revs(tables: Tables) -> dict[str, dict[str, Any]]:
    """Return what goes back, as it stands: rows by table and id."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("tasks", "sessions", "reports"):
        rows = {row_id: json.loads(row.encoded) for row_id, row in tables.by_name[name].rows.items()}
        found[name] = {row_id: row | {"rev": 0} for row_id, row in sorted(rows.items())}
    return found


@define
class History:
    """A store at work, which remembers what was true after every line, and every message."""

    root: Path
    changes: Mapping[str, Any] = field(factory=dict)
    driver: Driver = field(init=False)
    past: dict[int, dict[str, Any]] = field(factory=dict)
    messages: dict[str, list[str]] = field(factory=dict)
    spoken: dict[int, dict[str, list[str]]] = field(factory=dict)
    reports: dict[int, dict[str, Any]] = field(factory=dict)
    clock: Ticks = field(factory=Ticks)
    count: int = 0
    said: dict[str, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.open()
        self.note()

    def open(self) -> None:
        self.driver = Driver(disk_store(self.root, clock=self.clock, **self.changes), clock=self.clock)

    def note(self) -> None:
        seq = self.driver.tables.seq
        self.past[seq] = without_revs(self.driver.tables)
        self.spoken[seq] = {name: list(held) for name, held in self.messages.items()}
        self.reports[seq] = dict(self.said)

    def do(self, what: str, which: int) -> None:
        """Do one thing; what does not fit the present does nothing."""
        self.count += 1
        getattr(self, f"_{what}")(which)
        self.note()

    def _task(self, which: int) -> None:
        task_id = TASKS[which % len(TASKS)]
        row = self.driver.tables.row("tasks", task_id)
        if row is None:
            self.driver.create(task_id)
        else:
            self.driver.commit(described(task_id, row.rev + 1, f"changed {self.count}"))

    def _task_away(self, which: int) -> None:
        task_id = TASKS[which % len(TASKS)]
        row = self.driver.tables.row("tasks", task_id)
        if row is not None:
            gone = (
                deleted(task_id, row.rev + 1)
                if which % 2
                else Fact(op="task.archived", id=task_id, rev=row.rev + 1, data={})
            )
            self.driver.commit(gone)

    def _talk(self, which: int) -> None:
        session_id = SESSIONS[which % 2]
        row = self.driver.tables.row("sessions", session_id)
        if row is None:
            rev = self.driver.tables.first_rev("sessions", session_id)
            self.messages[session_id] = [f"first {self.count}"]
            self.driver.commit(session_created(session_id, self.messages[session_id], rev))
        else:
            self.messages[session_id].append(f"more {self.count}")
            count = len(self.messages[session_id])
            self.driver.commit(session_appended(row.rev + 1, count, [f"more {self.count}"], session_id))

    def _talk_anew(self, which: int) -> None:
        session_id = SESSIONS[which % 2]
        row = self.driver.tables.row("sessions", session_id)
        if row is not None:
            self.messages[session_id] = [f"anew {self.count}"] * (which % 3)
            self.driver.commit(session_saved(row.rev + 1, self.messages[session_id], session_id))

    def _silence(self, which: int) -> None:
        session_id = SESSIONS[which % 2]
        row = self.driver.tables.row("sessions", session_id)
        if row is not None:
            del self.messages[session_id]
            self.driver.commit(session_deleted(row.rev + 1, session_id))

    def _report(self, which: int) -> None:
        report_id = REPORTS[which % 2]
        rev = (
            (row.rev + 1)
            if (row := self.driver.tables.row("reports", report_id)) is not None
            else self.driver.tables.first_rev("reports", report_id)
        )
        self.said[report_id] = {"n": self.count}
        data = {"id": report_id, "created_at": "2026-01-01T00:00:00.000Z", "bytes": 9, "rev": rev}
        self.driver.commit(Fact(op="report.saved", id=report_id, rev=rev, data=data | {"data": self.said[report_id]}))

    def _save(self, which: int) -> None:
        if which % 2:
            self.driver.settle_files()
        self.driver.save()

    def _restart(self, which: int) -> None:
        if which % 2:
            self.driver.settle_files()
        self.driver.store.close()
        self.open()

    def close(self) -> int:
        """Stop without a word; return the newest seq."""
        seq = self.driver.tables.seq
        self.driver.store.close()
        return seq


def lived(root: Path, **changes: Any) -> History:
    """Make a history of a bit of everything."""
    history = History(root, changes)
    for number, what in enumerate(("task", "talk", "task", "report", "save", "task", "talk", "talk_anew", "report")):
        history.do(what, 3 if what == "save" else 0 if number < 6 else number % 2 * 2)
    history.do("task_away", 3)
    history.do("silence", 0)
    history.do("task", 1)
    history.do("save", 1)
    history.close()
    return history
