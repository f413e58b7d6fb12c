"""Cutting the journal's end: set aside first, superseded next, cut last; a crash anywhere is made good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.journal import Journal, JournalBroken
from actors.storage.journal_scan import Scan
from actors.storage.journal_tail import TailOutcome, make_tail_durable, supersede_tail
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from tests.kit.disks import Crash, Effect, Fault, FaultyDisk, RecordingDisk
from tests.kit.journals import lines_of, scan_all, settle, state_directory, tree_of, write_batches
from tests.kit.toy_store import body_of

TORN = b'{"v":1,"seq":6,"durable":5,"ts":"half of a li'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return state_directory(tmp_path)


def kept_bytes(layout: Layout) -> list[bytes]:
    return [path.read_bytes() for path in sorted(layout.quarantine.glob("*/*")) if path.name != "report.json"]


def test_lines_that_may_not_be_synced_move_to_a_segment_that_is(tmp_path: Path) -> None:
    layout = state_directory(tmp_path)
    old = write_batches(layout, 3, 2)
    lines = lines_of(old)
    disk = RecordingDisk(tmp_path)
    outcome = settle(layout, scan_all(layout)[1], disk)
    assert outcome.copied_bytes == sum(map(len, lines[3:]))
    assert lines_of(old) == lines[:3]
    assert lines_of(layout.segment(4)) == lines[3:]
    assert scan_all(layout)[0] == [1, 2, 3, 4, 5]
    points = disk.trace.sync_points()
    assert points.index("segments.write_segment:sync_dir") < points.index("journal_tail._cut:fsync")


def test_a_torn_end_is_kept_before_it_is_cut_and_told(layout: Layout) -> None:
    path = write_batches(layout, 3, 2)
    path.write_bytes(path.read_bytes() + TORN + bytes(300))
    _, report = scan_all(layout)
    outcome = settle(layout, report)
    assert (outcome.cut_bytes, outcome.zeros_bytes) == (len(TORN), 300)
    assert kept_bytes(layout) == [TORN]
    (told,) = json.loads(next(layout.quarantine.glob("*/report.json")).read_bytes())["items"]
    assert told["source"] == f"journal/{1:020d}.jsonl"
    assert told["bytes"] == len(TORN)
    assert "torn" in told["reason"]
    assert report.torn is not None
    assert scan_all(layout)[1].torn is None


def test_a_journal_that_ends_cleanly_is_left_as_it_is(layout: Layout) -> None:
    write_batches(layout, 3)
    write_batches(layout, first_seq=4)
    before = tree_of(layout.root)
    settle(layout, scan_all(layout)[1])
    assert tree_of(layout.root) == before
    empty = state_directory(layout.root / "empty")
    assert settle(empty, scan_all(empty)[1]) == TailOutcome(0, 0, 0)


def test_making_durable_twice_gives_the_same_files(layout: Layout) -> None:
    path = write_batches(layout, 3, 2)
    path.write_bytes(path.read_bytes() + TORN)
    settle(layout, scan_all(layout)[1])
    once = tree_of(layout.root)
    settle(layout, scan_all(layout)[1])
    assert tree_of(layout.root) == once


CALLS = ("open", "write", "fsync", "rename", "sync_dir", "ftruncate", "mkdir", "link", "unlink")


@pytest.mark.parametrize("effect", [Effect.CRASH_BEFORE, Effect.CRASH_AFTER])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("batches", [(3, 2), (5,)], ids=["in the middle", "at the beginning"])
def test_a_crash_at_any_call_of_it_changes_nothing_of_what_comes_back(
    batches: tuple[int, ...], call: str, effect: Effect, tmp_path: Path
) -> None:
    for number in range(1, 20):
        layout = state_directory(tmp_path / str(number))
        path = write_batches(layout, *batches)
        path.write_bytes(path.read_bytes() + TORN)
        disk = FaultyDisk([Fault(call, number, effect)])
        try:
            settle(layout, scan_all(layout)[1], disk)
        except Crash:
            disk.bury()
        else:
            break
        settle(layout, scan_all(layout)[1])
        settle(layout, scan_all(layout)[1])
        assert TORN in kept_bytes(layout)
        seqs, report = scan_all(layout)
        assert seqs == [1, 2, 3, 4, 5]
        assert (report.damages, report.superseded, report.torn) == ((), (), None)
        journal = Journal(Disk(), layout, next_seq=6, last_crc=report.last_crc)
        journal.append([body_of(6)])
        journal.close()
        assert scan_all(layout)[0] == [1, 2, 3, 4, 5, 6]


def test_a_superseded_end_is_kept_and_cut(layout: Layout) -> None:
    old = write_batches(layout, 3, 2)
    lines = lines_of(old)
    write_batches(layout, 2, first_seq=4)
    settle(layout, scan_all(layout)[1])
    assert kept_bytes(layout) == [b"".join(lines[3:])]
    assert lines_of(old) == lines[:3]
    assert scan_all(layout)[1].superseded == ()


def test_what_the_disk_cannot_read_is_left_in_quarantine_and_the_rest_goes_on(layout: Layout) -> None:
    path = write_batches(layout, 3, 2)
    readable = path.read_bytes()
    inode = path.stat().st_ino
    disk = FaultyDisk([Fault("pread", at=2)])
    scan = Scan(disk, layout)
    list(scan)
    make_tail_durable(Disk(), layout, scan.report, Quarantine(Disk(), layout, "q"))
    assert path.read_bytes() == readable
    assert (layout.quarantine / "q" / path.name).stat().st_ino == inode
    assert scan_all(layout)[0] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("batches", [1, 2])
def test_what_a_broken_journal_wrote_after_its_last_sync_is_set_aside(batches: int, layout: Layout) -> None:
    disk = FaultyDisk([Fault("fdatasync", at=batches)])
    journal = Journal(disk, layout, next_seq=1)
    with pytest.raises(JournalBroken):
        for first in range(1, 9, 2):
            journal.append([body_of(first), body_of(first + 1)])
    failed = journal.failed_tail()
    journal.close()
    durable = 2 * (batches - 1)
    for _ in range(2):
        supersede_tail(Disk(), layout, failed, Quarantine(Disk(), layout, "q"))
        seqs, report = scan_all(layout)
        assert seqs == list(range(1, durable + 1))
        assert (report.next_seq, report.torn, report.superseded) == (durable + 1, None, ())
    (kept,) = kept_bytes(layout)
    assert kept.count(b"\n") == 2
    assert b'"seq":%d' % (durable + 1) in kept
