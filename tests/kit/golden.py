"""A state directory that is the same byte for byte whenever it is made: one of every disk record.

Run as a program (`python -m tests.kit.golden DIRECTORY`) it makes the golden files anew, after a change of format that
was meant.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from actors.model.facts import Fact
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from tests.kit.stores import (
    OTHER_SESSION,
    SESSION,
    Driver,
    deleted,
    described,
    disk_store,
    session_appended,
    session_created,
    session_deleted,
    state_of,
)

IDENTITY = {
    "daemon_id": "01900000-0000-7000-8000-000000000001",
    "node_id": "node",
    "repo_root": "/repo",
    "created_at": "2026-01-01T00:00:00.000Z",
    "version": "0.1.0",
}


def build(root: Path) -> dict[str, Any]:
    """Make the directory and return its state."""
    root.mkdir(mode=0o700, parents=True)
    (root / "identity.json").write_text(json.dumps(IDENTITY, indent=2) + "\n")
    driver = Driver(disk_store(root))
    driver.create("t1", tool="SHELL", metadata={"argv": ["true"]})
    driver.commit(Fact(op="daemon.started", id="daemon", rev=1, data={"id": "daemon", "started": True, "rev": 1}))
    driver.commit(session_created(messages=[{"role": "user", "content": "naïve ☕"}]), key="key-1", ref="ref-1")
    driver.commit(session_created(OTHER_SESSION, ["gone"]))
    driver.settle_files()
    driver.save()
    driver.commit(described("t1", 2, "changed"), session_appended(2, 2, ["second"]))
    spilled = {"id": "task_t1", "entries": 1, "first": 1, "lines": [{"message": "old"}], "rev": 1}
    driver.commit(Fact(op="log.spilled", id="task_t1", rev=1, data=spilled))
    row = {"id": f"session_{SESSION}", "bytes": 5, "rev": 1, "offset": 0, "text": "text\n"}
    driver.commit(Fact(op="log.appended", id=f"session_{SESSION}", rev=1, data=row))
    report = {"id": "r1", "created_at": "2026-01-01T00:00:00.000Z", "bytes": 7, "rev": 1, "data": {"a": 1}}
    driver.commit(Fact(op="report.saved", id="r1", rev=1, data=report))
    driver.commit(Fact(op="event.recorded", id="e1", rev=1, data={"id": "e1", "type": "note", "rev": 1}))
    driver.commit(Fact(op="run.recorded", id="run-1", rev=1, data={"id": "run-1", "status": "exited", "rev": 1}))
    service = {"id": "codex", "name": "codex", "command": "codex", "args": ["app-server"], "rev": 1}
    driver.commit(Fact(op="service.configured", id="codex", rev=1, data=service))
    driver.create("t2")
    driver.settle_files()
    driver.commit(deleted("t2", 2), session_deleted(2, OTHER_SESSION))
    driver.settle_files()
    driver.save()
    driver.describe("t1", "after the snapshot")
    driver.settle_files()
    state = state_of(driver.tables)
    driver.store.close()
    damaged = root / "damaged"
    damaged.write_bytes(b"\xff\x00")
    Quarantine(Disk(), Layout(root), "20260101T000000.000000Z").keep_file(damaged, "an example")
    return state


if __name__ == "__main__":
    target = Path(sys.argv[1])
    shutil.rmtree(target, ignore_errors=True)
    build(target)
