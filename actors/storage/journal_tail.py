"""Cutting the end of the journal, at a start and after a failure, so that nothing doubtful is built upon.

Three steps, each durable before the next: what is cut is copied to quarantine; the new end is put in place as a segment
of its own (with the good lines above D, or empty), which by the rule of authority supersedes the old end at once; only
then the old file is cut. A crash between any two leaves a journal that the next recovery brings to the same state.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import msgspec

from actors.storage.files import Disk
from actors.storage.journal import FailedTail
from actors.storage.journal_lines import read_content_end
from actors.storage.journal_report import ScanReport, Tail
from actors.storage.journal_scan import Scan
from actors.storage.layout import Layout, first_seq_of
from actors.storage.quarantine import Quarantine
from actors.storage.segments import begin_segment, write_segment

TORN_REASON = "torn end of the journal: written, never acknowledged"
SUPERSEDED_REASON = "end of an older segment that a newer one has superseded"
FAILED_REASON = "end of the journal whose write or sync failed"
DAMAGED_REASON = "last segment of the journal, damaged"
UNREADABLE_REASON = "segment that the disk cannot read to its end"


class TailOutcome(msgspec.Struct, frozen=True):
    """What was done to the end of the journal."""

    copied_bytes: int
    """Good lines above D, now in a synced segment."""
    cut_bytes: int
    """Torn bytes, now in quarantine."""
    zeros_bytes: int
    """Zeros after the last line, cut."""


def make_tail_durable(disk: Disk, layout: Layout, report: ScanReport, quarantine: Quarantine) -> TailOutcome:
    """Make everything that the scan gave out durable, and cut what it called torn. Raises OSError.

    Afterwards a Journal may be begun at `report.next_seq`. Doing it again changes nothing.
    """
    tail = report.tail
    if tail is None:
        return TailOutcome(0, 0, 0)
    if tail.is_unreadable:
        return _leave_unreadable(disk, layout, tail, quarantine)
    outcome = TailOutcome(
        tail.good_end - tail.start, tail.content_end - tail.good_end, tail.size_bytes - tail.content_end
    )
    damaged = {damage.path for damage in report.damages if damage.line > 0}
    for old in report.superseded:
        if old.path in damaged:
            continue  # a line that came late may lie there
        quarantine.keep_bytes(old.path, old.offset, old.length_bytes, SUPERSEDED_REASON)
        _cut(disk, old.path, old.offset)
    if tail.path in damaged or report.damages_omitted:
        _settle_beside_damage(disk, layout, report, tail, quarantine)
        return outcome
    if outcome.cut_bytes:
        quarantine.keep_bytes(tail.path, tail.good_end, outcome.cut_bytes, TORN_REASON)
    if outcome.copied_bytes:
        copy = _copy_range(disk, layout, tail.path, tail.start, tail.good_end, report.durable + 1)
        if copy != tail.path:
            _cut(disk, tail.path, tail.start)
    elif tail.size_bytes > tail.good_end:
        _cut(disk, tail.path, tail.good_end)
    return outcome


def supersede_tail(disk: Disk, layout: Layout, failed: FailedTail, quarantine: Quarantine) -> None:
    """Set aside everything that a broken journal wrote after its last sync. Raises OSError while the disk stays bad.

    Afterwards a Journal may be begun at `failed.durable_seq` + 1. Doing it again changes nothing.
    """
    first_seq = failed.durable_seq + 1
    target = layout.segment(first_seq)
    content_end = read_content_end(disk, failed.path, failed.offset)
    if content_end > failed.offset:
        quarantine.keep_bytes(failed.path, failed.offset, content_end - failed.offset, FAILED_REASON)
    if target == failed.path:
        write_segment(disk, layout, first_seq, ())
        return
    _begin_empty(disk, layout, first_seq)
    _cut(disk, failed.path, failed.offset)


def _settle_beside_damage(disk: Disk, layout: Layout, report: ScanReport, tail: Tail, quarantine: Quarantine) -> None:
    """Supersede the end of a damaged journal without cutting anything.

    Beside damage, good lines do not lie one after the other, and one that came late may lie behind the end: so the good
    lines above D are copied one by one, and the old file stays as it is, under the rule of authority. The name of the
    new segment also keeps how far the journal had come, which the lines that are cut off proved until now.
    """
    if tail.content_end > tail.start:
        quarantine.keep_copy(tail.path, DAMAGED_REASON)
    if tail.good_end > tail.start:
        same = Scan(disk, layout, report.after_seq)  # asked the same question, it gives the same answer
        lines = (line.raw + b"\n" for line in same if line.seq > report.durable)
        write_segment(disk, layout, report.durable + 1, lines)
    elif report.next_seq != first_seq_of(tail.path):
        _begin_empty(disk, layout, report.next_seq)


def _leave_unreadable(disk: Disk, layout: Layout, tail: Tail, quarantine: Quarantine) -> TailOutcome:
    """Move what could be read to a new file under the old name; the old file lives on in quarantine."""
    quarantine.keep_link(tail.path, UNREADABLE_REASON)
    _copy_range(disk, layout, tail.path, 0, tail.good_end, first_seq_of(tail.path))
    return TailOutcome(tail.good_end, 0, 0)


def _copy_range(disk: Disk, layout: Layout, source: Path, start: int, end: int, first_seq: int) -> Path:
    """Put a part of a segment in place as the segment of `first_seq`."""
    with closing(disk.read_range(source, start, end)) as good:
        return write_segment(disk, layout, first_seq, good)


def _begin_empty(disk: Disk, layout: Layout, first_seq: int) -> None:
    """Supersede whatever lies at or above `first_seq`, and keep by the name how far the journal had come."""
    descriptor, _ = begin_segment(disk, layout, first_seq)
    disk.close(descriptor)


def _cut(disk: Disk, path: Path, length_bytes: int) -> None:
    """Cut the file, durably."""
    with disk.opened(path, os.O_WRONLY) as descriptor:
        disk.ftruncate(descriptor, length_bytes)
        disk.fsync(descriptor)
