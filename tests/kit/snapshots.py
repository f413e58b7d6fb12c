"""Builders for tests of snapshots."""

from __future__ import annotations

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.snapshot import SnapshotHeader, SnapshotWriter, SnapshotWritten

TASKS = [b'{"id":"task_%d","rev":%d}' % (number, number + 1) for number in range(6)]
RUNS = [b'{"id":"run_1","pid":77}', b'{"id":"run_2","pid":78}']
TOMBSTONES = [b'{"id":"task_9","seq":4}']


def write_snapshot(
    layout: Layout, seq: int, tasks: list[bytes] | None = None, disk: Disk | None = None, kept: int = 10
) -> SnapshotWritten:
    """Write state.json as of `seq`, saved as many seconds after the beginning of 2026."""
    disk = disk or Disk()
    stamp = f"2026-01-01T00:{seq // 60:02d}:{seq % 60:02d}.000Z"
    header = SnapshotHeader(seq, 3, stamp, b'{"total_tasks":6}', b'{"daemon_id":"d"}', b"{}")
    writer = SnapshotWriter(disk, layout, header, Quarantine(disk, layout, "snapshot"))
    writer.write("tasks", TASKS if tasks is None else tasks)
    writer.write("runs", RUNS)
    writer.write("tombstones", TOMBSTONES)
    return writer.finish(kept)
