"""A state directory in which everything happened that can happen to one, as a real Perdure would have left it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from actors.model.facts import Fact
from actors.model.run import Run, Stream, output_path
from tests.kit.store_promises import log_appended, report_saved
from tests.kit.stores import (
    OTHER_SESSION,
    SESSION,
    Driver,
    deleted,
    disk_store,
    encode,
    session_appended,
    session_created,
    session_deleted,
    state_of,
)


def run_recorded(run_id: str, printed_bytes: int) -> Fact:
    """Return the fact of a run of our own that is over."""
    stdout = Stream(bytes=printed_bytes, path=output_path(run_id, "stdout"))
    run = Run(id=run_id, status="exited", exit_code=0, stdout=stdout, rev=1)
    return Fact(op="run.recorded", id=run_id, rev=1, data=msgspec.Raw(encode(run)))


def spilled(task_id: str, rev: int, first: int, entries: list[dict[str, Any]]) -> Fact:
    """Return the fact that entries left a task's row for its log."""
    name = f"task_{task_id}"
    data = {"id": name, "entries": first + len(entries) - 1, "before": 0, "first": first, "lines": entries, "rev": rev}
    return Fact(op="log.spilled", id=name, rev=rev, data=data)


def busy_life(root: Path, **changes: Any) -> dict[str, Any]:
    """Make a directory with all kinds of rows and files, three snapshots, and a stop; return the state at its end."""
    driver = Driver(disk_store(root, **changes))
    entry = {"timestamp": "2026-01-01T00:00:00.000Z", "level": "info", "type": "user", "message": "old"}
    driver.create("t1", "t2", "t3")
    driver.commit(session_created(messages=["one", "two"]))
    driver.settle_files()
    driver.save()
    driver.describe("t1", "changed once")
    driver.commit(session_appended(2, 4, ["three", "four"]), log_appended(0, "line one\n"))
    driver.commit(session_created(OTHER_SESSION, ["other"]), key="once")
    driver.store.write_output("r1", "stdout", 0, b"printed\n")
    driver.store.sync_output("r1")
    driver.commit(run_recorded("r1", 8))
    driver.settle_files()
    driver.save()
    driver.commit(report_saved(), spilled("t1", 1, 1, [entry, entry | {"message": "newer"}]))
    driver.describe("t2", "changed")
    driver.commit(deleted("t3", 2), session_deleted(2, OTHER_SESSION))
    driver.create("t4", "t5")
    driver.commit(Fact(op="task.archived", id="t5", rev=2, data={}))
    driver.settle_files()
    driver.save()
    driver.describe("t2", "changed at last")
    state = state_of(driver.tables)
    driver.settle_files()
    driver.store.close()
    return state


__all__ = ["SESSION"]
