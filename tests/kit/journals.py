"""Builders for tests of the journal: a state directory, lines in it, and what a scan gives."""

from __future__ import annotations

from pathlib import Path

from actors.storage.files import Disk
from actors.storage.journal import Journal
from actors.storage.journal_report import ScanReport
from actors.storage.journal_scan import Scan
from actors.storage.journal_tail import TailOutcome, make_tail_durable
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from tests.kit.toy_store import body_of


def state_directory(root: Path, disk: Disk | None = None) -> Layout:
    """Make the directories."""
    layout = Layout(root)
    layout.make_directories(disk or Disk())
    return layout


def write_batches(layout: Layout, *batches: int, first_seq: int = 1, last_crc: bytes | None = None) -> Path:
    """Write a segment with batches of these sizes, close it and return its path."""
    journal = Journal(Disk(), layout, next_seq=first_seq, last_crc=last_crc, preallocate_bytes=0)
    for count in batches:
        journal.append([body_of(seq) for seq in range(journal.next_seq, journal.next_seq + count)])
    journal.close()
    return journal.path


def scan_all(layout: Layout, after_seq: int = 0, disk: Disk | None = None) -> tuple[list[int], ScanReport]:
    """Return the seqs that a scan gives out, in its order, and its report; every body must be the one written."""
    scan = Scan(disk or Disk(), layout, after_seq)
    seqs: list[int] = []
    for line in scan:
        assert line.body == body_of(line.seq)
        seqs.append(line.seq)
    return seqs, scan.report


def settle(layout: Layout, report: ScanReport, disk: Disk | None = None) -> TailOutcome:
    """Make the tail durable as recovery does."""
    disk = disk or Disk()
    return make_tail_durable(disk, layout, report, Quarantine(disk, layout, "20260101T000000.000000Z"))


def lines_of(path: Path) -> list[bytes]:
    """Return the lines of a segment, each with its LF."""
    return path.read_bytes().splitlines(keepends=True)


def tree_of(root: Path) -> dict[str, bytes]:
    """Return every file's content by its path below `root`."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
