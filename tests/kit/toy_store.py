"""The smallest store that keeps the promises with the real journal, snapshot, backups and quarantine.

Its state is body by seq, so that what recovery gives can be compared with what was submitted, byte for byte. It is what
the power-loss model judges the storage layer's files with, without the domain above them (`tests.kit.toy_promises`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from attrs import define, field, frozen

from actors.storage.backups import choose_backup, oldest_needed_seq
from actors.storage.files import Disk
from actors.storage.journal import Journal
from actors.storage.journal_report import ScanReport
from actors.storage.journal_scan import Scan
from actors.storage.journal_tail import make_tail_durable, supersede_tail
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.segments import remove_segments
from actors.storage.snapshot import SnapshotHeader, SnapshotWriter
from actors.storage.snapshot_reader import read_snapshot
from tests.kit.disks import RecordingDisk


def body_of(seq: int, life: int = 0) -> bytes:
    """Return the body submitted as `seq`: different for each seq and life, of different lengths."""
    text = (
        f'"ts":"2026-01-01T00:00:00.000Z","cmd":"toy","facts":[{{"id":"{seq}/{life}","data":"{"x" * (seq * 7 % 90)}"}}]'
    )
    return text.encode()


@frozen
class ToyOptions:
    """Small numbers, so that a few dozen lines meet every boundary."""

    segment_bytes_max: int = 1500
    preallocate_bytes: int = 0
    backups_kept: int = 3


@define
class ToyStore:
    """Recovers when made; then commits and takes snapshots. Marks in a recording disk what may be relied on."""

    disk: Disk
    layout: Layout
    options: ToyOptions
    rows: dict[int, bytes]
    report: ScanReport
    journal: Journal = field(init=False)
    life: int = 0
    """Raised after every failure, so that a seq that is used again has another body."""
    snapshots: int = 0

    @classmethod
    def open(cls, disk: Disk, root: Path, options: ToyOptions | None = None) -> Self:
        """Recover: the newest good base, the journal on top, its tail made durable."""
        layout = Layout(root)
        layout.make_directories(disk)
        image = read_snapshot(disk, layout.state)
        if not image.whole:
            image = choose_backup(disk, layout).image or image
        rows = {row["seq"]: row["body"].encode() for row in map(json.loads, image.sections["tasks"])}
        scan = Scan(disk, layout, image.seq)
        rows.update((line.seq, line.body) for line in scan)
        store = cls(disk, layout, options or ToyOptions(), rows, scan.report)
        store.settle_tail()
        store.journal = store.begin_journal(store.report.next_seq, store.report.last_crc)
        store.mark(acknowledged=store.last_seq, idle=1)
        return store

    def settle_tail(self) -> None:
        """Make durable what was read; a control leaves it out."""
        make_tail_durable(self.disk, self.layout, self.report, Quarantine(self.disk, self.layout, "start"))

    def begin_journal(self, next_seq: int, last_crc: bytes | None) -> Journal:
        """Begin the segment that this life appends to; a control goes on in the old one."""
        return Journal(
            self.disk,
            self.layout,
            next_seq=next_seq,
            last_crc=last_crc,
            segment_bytes_max=self.options.segment_bytes_max,
            preallocate_bytes=self.options.preallocate_bytes,
        )

    @property
    def last_seq(self) -> int:
        """The highest seq acknowledged."""
        return self.journal.durable_seq

    def commit(self, count: int) -> None:
        """Commit the next `count` bodies as one batch; JournalBroken goes out and nothing is acknowledged."""
        first = self.journal.next_seq
        bodies = [body_of(seq, self.life) for seq in range(first, first + count)]
        self.mark(submitted=first + count - 1, idle=0)
        self.append(bodies)
        self.rows.update(enumerate(bodies, first))
        self.acknowledge(first, count)

    def acknowledge(self, first: int, count: int) -> None:
        """Tell the client; from here these bodies must be there for ever."""
        self.mark(**{f"life of {seq}": self.life for seq in range(first, first + count)})
        self.mark(acknowledged=first + count - 1, idle=1)

    def append(self, bodies: list[bytes]) -> None:
        """Append durably; a control does something worse."""
        self.journal.append(bodies)

    def snapshot(self) -> None:
        """Save the state, rotate the journal, remove what no base needs any more."""
        self.snapshots += 1
        self.journal.rotate()
        stamp = f"2026-01-01T00:{self.life:02d}:{self.snapshots:02d}.000Z"
        header = SnapshotHeader(self.last_seq, 1, stamp, b'{"total_tasks":1}', b"{}", b'{"pid":1}')
        writer = SnapshotWriter(self.disk, self.layout, header, Quarantine(self.disk, self.layout, "snapshot"))
        writer.write("tasks", (_row(seq, body) for seq, body in sorted(self.rows.items())))
        written = writer.finish(self.options.backups_kept)
        self.mark(saved=written.seq, backups=len(self.layout.backups(self.disk)))
        remove_segments(self.disk, self.layout, oldest_needed_seq(self.disk, self.layout, written.seq))

    def come_back(self) -> None:
        """After a failed write or sync: set the doubtful end aside, save what was durable, begin anew."""
        failed, last_crc = self.journal.failed_tail(), self.journal.last_durable_crc
        self.journal.close()
        self.life += 1
        supersede_tail(self.disk, self.layout, failed, Quarantine(self.disk, self.layout, f"failed-{self.life}"))
        self.journal = self.begin_journal(failed.durable_seq + 1, last_crc)
        self.snapshot()
        self.mark(idle=1)

    def die_writing(self) -> bytes:
        """Be killed in the middle of a commit: half of its bytes are written, nothing is synced. Return the half."""
        seq = self.journal.next_seq
        half = b'{"v":1,"seq":%d,"durable":%d,%b' % (seq, self.last_seq, body_of(seq, self.life))
        self.mark(submitted=seq, idle=0)
        self.disk.pwrite_all(self.journal._descriptor, half, self.journal.segment_bytes)
        self.abandon()
        return half

    def abandon(self) -> None:
        """Stop as a killed process does: the descriptor is closed and nothing else is done."""
        self.journal.broken = self.journal.broken or OSError("killed")
        self.journal.close()

    def mark(self, **values: int) -> None:
        """Note in the trace what may be relied on from here."""
        if isinstance(self.disk, RecordingDisk):
            self.disk.mark(**values)


def _row(seq: int, body: bytes) -> bytes:
    return json.dumps({"seq": seq, "body": body.decode()}, separators=(",", ":")).encode()
