"""Appending: many lines, one write, one sync; a failure is told once and for all."""

from __future__ import annotations

import errno
import json
from collections import Counter
from pathlib import Path
from zlib import crc32

import pytest

from actors.model.errors import StorageFailed
from actors.storage.files import Disk
from actors.storage.journal import Appended, Journal, JournalBroken
from actors.storage.journal_tail import supersede_tail
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from tests.kit.disks import Effect, Fault, FaultyDisk, RecordingDisk
from tests.kit.journals import lines_of, scan_all, state_directory
from tests.kit.toy_store import body_of


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return state_directory(tmp_path)


GOLDEN = (
    b'{"v":1,"seq":1,"durable":0,"ts":"t","cmd":"c","facts":[],"prev":"00000000","crc":"4674f946"}\n'
    b'{"v":1,"seq":2,"durable":0,"ts":"u","cmd":"c","facts":[],"prev":"4674f946","crc":"7689e00e"}\n'
    b'{"v":1,"seq":3,"durable":2,"ts":"v","cmd":"c","facts":[],"prev":"7689e00e","crc":"f2a08e17"}\n'
)


def test_the_form_of_a_segment_does_not_change(layout: Layout) -> None:
    journal = Journal(Disk(), layout, next_seq=1)
    journal.append([b'"ts":"t","cmd":"c","facts":[]', b'"ts":"u","cmd":"c","facts":[]'])
    journal.append([b'"ts":"v","cmd":"c","facts":[]'])
    journal.close()
    assert layout.segment(1).read_bytes() == GOLDEN
    for line in GOLDEN.splitlines():
        value = json.loads(line)
        assert list(value) == ["v", "seq", "durable", "ts", "cmd", "facts", "prev", "crc"]
        assert int(value["crc"], 16) == crc32(line[: line.index(b',"crc"')])


def test_a_batch_is_one_write_and_one_sync(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    layout = state_directory(tmp_path, disk)
    journal = Journal(disk, layout, next_seq=1, preallocate_bytes=4096)
    before = len(disk.trace.operations)
    appended = journal.append([body_of(seq) for seq in range(1, 101)])
    journal.close()
    kinds = Counter(type(operation).__name__ for operation in disk.trace.operations[before:])
    assert kinds == {"Write": 1, "Sync": 1, "Truncate": 1}
    assert appended == Appended(1, 100, layout.segment(1).stat().st_size)


def test_durable_in_a_line_is_the_last_seq_synced_when_it_was_written(layout: Layout) -> None:
    journal = Journal(Disk(), layout, next_seq=1)
    journal.append([body_of(1), body_of(2)])
    journal.append_unsynced([body_of(3)])
    journal.append_unsynced([body_of(4)])
    assert journal.durable_seq == 2
    journal.sync()
    journal.append([body_of(5)])
    journal.close()
    assert [json.loads(line)["durable"] for line in lines_of(layout.segment(1))] == [0, 0, 2, 2, 4]


def test_a_segment_grows_in_steps_of_zeros_which_are_cut_when_it_is_closed(layout: Layout) -> None:
    journal = Journal(Disk(), layout, next_seq=1, preallocate_bytes=1000)
    sizes = []
    for seq in range(1, 12):
        journal.append([body_of(seq)])
        sizes.append(journal.path.stat().st_size)
    assert {size % 1000 for size in sizes} == {0}
    assert sizes[-1] > 1000
    assert scan_all(layout)[0] == list(range(1, 12))
    journal.close()
    assert journal.path.stat().st_size == journal.segment_bytes
    assert b"\0" not in journal.path.read_bytes()


def test_a_segment_that_is_full_is_closed_and_the_next_named_by_its_first_seq(layout: Layout) -> None:
    journal = Journal(Disk(), layout, next_seq=1, segment_bytes_max=600)
    for seq in range(1, 14, 2):
        journal.append([body_of(seq), body_of(seq + 1)])
    journal.close()
    firsts = [segment.first_seq for segment in layout.segments(Disk())]
    assert len(firsts) > 2
    for first in firsts:
        assert json.loads(lines_of(layout.segment(first))[0])["seq"] == first
    assert scan_all(layout)[0] == list(range(1, 15))


def test_rotating_an_empty_segment_does_nothing(layout: Layout) -> None:
    journal = Journal(Disk(), layout, next_seq=1)
    journal.rotate()
    journal.append([body_of(1)])
    journal.rotate()
    journal.rotate()
    journal.close()
    assert [segment.first_seq for segment in layout.segments(Disk())] == [1, 2]


@pytest.mark.parametrize("body", [b"", b'"a":\n1'])
def test_a_body_that_cannot_be_a_line_is_refused_before_anything_is_written(body: bytes, layout: Layout) -> None:
    journal = Journal(Disk(), layout, next_seq=1)
    with pytest.raises(ValueError, match="seq 2"):
        journal.append([body_of(1), body])
    with pytest.raises(ValueError, match="nothing"):
        journal.append([])
    journal.append([body_of(1)])
    journal.close()
    assert scan_all(layout)[0] == [1]


def test_a_segment_that_holds_lines_is_never_begun_anew(layout: Layout) -> None:
    layout.segment(1).write_bytes(b"something\n")
    with pytest.raises(StorageFailed, match="still holds lines"):
        Journal(Disk(), layout, next_seq=1)
    assert layout.segment(1).read_bytes() == b"something\n"


FAILURES = [
    Fault("pwrite", at=2, error=errno.ENOSPC),
    Fault("pwrite", at=2, effect=Effect.HALF_THEN_FAIL, error=errno.EDQUOT),
    Fault("fdatasync", at=2),
]


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: f"{fault.call} {fault.effect.name}")
def test_after_a_failure_nothing_is_tried_again_on_that_file(fault: Fault, layout: Layout) -> None:
    disk = FaultyDisk([fault])
    journal = Journal(disk, layout, next_seq=1, preallocate_bytes=0)
    journal.append([body_of(1)])
    with pytest.raises(JournalBroken, match="failed") as caught:
        journal.append([body_of(2)])
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.filename == str(layout.segment(1))
    calls = dict(disk.calls)
    for again in (lambda: journal.append([body_of(2)]), journal.sync, journal.rotate):
        with pytest.raises(JournalBroken, match="before"):
            again()
    assert disk.calls == calls
    journal.close()
    assert journal.durable_seq == 1


@pytest.mark.parametrize("call", ["open", "fsync", "rename", "sync_dir", "ftruncate"])
def test_a_rotation_that_fails_breaks_the_journal_and_loses_nothing_durable(call: str, tmp_path: Path) -> None:
    layout = state_directory(tmp_path)
    disk = FaultyDisk()
    journal = Journal(disk, layout, next_seq=1)
    journal.append([body_of(1)])
    disk.faults = [Fault(call, at=disk.calls.get(call, 0) + 1)]
    with pytest.raises(JournalBroken):
        journal.rotate()
    journal.close()
    supersede_tail(disk, layout, journal.failed_tail(), Quarantine(disk, layout, "q"))
    again = Journal(disk, layout, next_seq=2, last_crc=journal.last_durable_crc)
    again.append([body_of(2)])
    again.close()
    assert scan_all(layout)[0] == [1, 2]


def test_a_closed_journal_takes_nothing_and_closing_twice_is_fine(layout: Layout) -> None:
    journal = Journal(Disk(), layout, next_seq=1)
    journal.close()
    journal.close()
    with pytest.raises(JournalBroken, match="closed"):
        journal.append([body_of(1)])


def test_short_writes_are_completed(layout: Layout) -> None:
    journal = Journal(FaultyDisk([Fault("pwrite", 1, Effect.SHORT, times=8)]), layout, next_seq=1, preallocate_bytes=0)
    journal.append([body_of(seq) for seq in range(1, 30)])
    journal.close()
    assert scan_all(layout)[0] == list(range(1, 30))
