"""State directories with a past, and ways of damaging them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from actors.storage.disk_store import DiskStore
from actors.storage.files import Disk
from actors.storage.layout import Layout
from tests.kit.stores import (
    OTHER_SESSION,
    SESSION,
    Driver,
    Ticks,
    deleted,
    disk_store,
    session_appended,
    session_created,
    state_of,
)


def make_history(root: Path, disk: Disk | None = None, **changes: Any) -> dict[str, Any]:
    """Make a directory with three snapshots and lines after the last one; return the state at its end.

    Seqs 1-4 are in the first snapshot after the empty one, 5-7 in the second, 8-11 in none.
    """
    driver = Driver(disk_store(root, disk, **changes))
    driver.create("t1", "t2", "t3")
    driver.commit(session_created(messages=["one", "two"]))
    driver.settle_files()
    driver.save()
    driver.describe("t1", "changed once")
    driver.create("t4")
    driver.commit(session_appended(2, 3, ["three"]))
    driver.settle_files()
    driver.save()
    driver.describe("t2", "changed")
    driver.commit(deleted("t3", 2))
    driver.create("t5")
    driver.commit(session_created(OTHER_SESSION, ["other"]), key="once")
    driver.settle_files()
    state = state_of(driver.tables)
    driver.store.close()
    return state


def recovered(root: Path, disk: Disk | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Recover and close; return the state and the report."""
    store = opened(root, disk)
    try:
        found = store.recover()
        return state_of(found.tables), dict(found.report)
    finally:
        store.close()


def opened(root: Path, disk: Disk | None = None) -> DiskStore:
    """Make a store over the directory, its clock later than that of the history."""
    return disk_store(root, disk, Ticks(1_767_300_000.0))


def flip(path: Path, offset: int, mask: int = 0x01) -> None:
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= mask
    path.write_bytes(content)


def flip_in(path: Path, needle: bytes) -> None:
    """Change a byte in the middle of the first place where `needle` stands."""
    flip(path, path.read_bytes().index(needle) + len(needle) // 2)


def segments(root: Path) -> list[Path]:
    return [segment.path for segment in Layout(root).segments(Disk())]


def backups(root: Path) -> list[Path]:
    """Return the backups, oldest first."""
    return [backup.path for backup in Layout(root).backups(Disk())]


def quarantined(root: Path) -> list[bytes]:
    """Return the content of everything that was set aside."""
    found = sorted((root / "quarantine").rglob("*"))
    return [path.read_bytes() for path in found if path.is_file() and path.name != "report.json"]


def edit_task(root: Path, task_id: str, **members: Any) -> None:
    """Change a task's file as a person does with an editor."""
    path = root / "tasks" / f"{task_id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}, indent=4))


def task_of(state: dict[str, Any], task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(state["rows"]["tasks"][task_id])
    return found


__all__ = ["OTHER_SESSION", "SESSION"]
