"""Writing state.json: in place whole or not at all, the one before kept, never a moment without one."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.snapshot import SLICE_BYTES_MAX, SnapshotHeader, SnapshotWriter
from actors.storage.snapshot_form import SEALED_MEMBERS, SECTIONS
from actors.storage.snapshot_reader import read_snapshot
from tests.kit.disks import Crash, Effect, Fault, FaultyDisk, RecordingDisk, Sync, Write
from tests.kit.journals import state_directory, tree_of
from tests.kit.snapshots import RUNS, TASKS, TOMBSTONES, write_snapshot


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return state_directory(tmp_path)


def backup_seqs(layout: Layout) -> list[int]:
    return [backup.seq for backup in layout.backups(Disk())]


GOLDEN = """{
"version":"2.0.0",
"seq":7,
"epoch":3,
"last_saved":"2026-01-01T00:00:07.000Z",
"metrics":{"total_tasks":6,"crc":"36922107"},
"identity":{"daemon_id":"d","crc":"d3f8d2a6"},
"daemon":{"crc":"c681de14"},
"watermarks":{"crc":"9a41e8f8"},
"tasks":[
{"id":"task_0","rev":1,"crc":"5146f690"},
{"id":"task_1","rev":2,"crc":"278dcc14"}
],
"sessions":[
],
"runs":[
{"id":"run_1","pid":77,"crc":"b1af1dc2"},
{"id":"run_2","pid":78,"crc":"b8f26652"}
],
"recent_events":[
],
"idempotency":[
],
"tombstones":[
{"id":"task_9","seq":4,"crc":"f6a48216"}
],
"logs":[
],
"reports":[
],
"services":[
],
"""


def test_the_form_of_a_snapshot_does_not_change(layout: Layout) -> None:
    write_snapshot(layout, 7, TASKS[:2])
    checksum = hashlib.sha256(GOLDEN.encode()).hexdigest()
    assert layout.state.read_text() == GOLDEN + f'"checksum":"sha256:{checksum}"}}\n'


def test_a_snapshot_is_json_with_the_members_in_their_order(layout: Layout) -> None:
    written = write_snapshot(layout, 7)
    state = json.loads(layout.state.read_bytes())
    assert list(state) == ["version", "seq", "epoch", "last_saved", *SEALED_MEMBERS, *SECTIONS, "checksum"]
    assert [task["id"] for task in state["tasks"]] == [f"task_{number}" for number in range(6)]
    assert (written.seq, written.bytes, written.backup) == (7, layout.state.stat().st_size, None)


def test_what_was_written_is_read_back(layout: Layout) -> None:
    write_snapshot(layout, 7)
    image = read_snapshot(Disk(), layout.state)
    assert image.whole
    assert {name: rows for name, rows in image.sections.items() if rows} == {
        "tasks": TASKS,
        "runs": RUNS,
        "tombstones": TOMBSTONES,
    }
    assert image.header["metrics"] == {"total_tasks": 6}
    assert image.header["daemon"] == {}
    assert image.seq == 7


def test_it_is_written_in_slices_each_synced_by_itself(tmp_path: Path) -> None:
    layout = state_directory(tmp_path)
    disk = RecordingDisk(tmp_path)
    rows = [b'{"id":"%d","text":"%b"}' % (number, b"x" * 1000) for number in range(4000)]
    write_snapshot(layout, 7, rows, disk)
    operations = disk.trace.operations
    sizes = [len(operation.data) for operation in operations if isinstance(operation, Write)]
    points = [operation.point for operation in operations if isinstance(operation, Sync)]
    assert max(sizes) < SLICE_BYTES_MAX + 2000
    assert points.count("snapshot._pace:fdatasync") == 4_000_000 // SLICE_BYTES_MAX
    assert read_snapshot(Disk(), layout.state).sections["tasks"] == rows


def test_the_ten_before_are_kept_and_the_older_ones_go(layout: Layout) -> None:
    for seq in range(1, 13):
        write_snapshot(layout, seq)
    written = write_snapshot(layout, 13)
    assert backup_seqs(layout) == list(range(3, 13))
    assert written.backup == "state.backup.20260101T000012.000000Z.12.json"
    assert written.pruned == ("state.backup.20260101T000002.000000Z.2.json",)
    for backup in layout.backups(Disk()):
        assert read_snapshot(Disk(), backup.path).seq == backup.seq


CALLS = ("open", "write", "fsync", "link", "rename", "sync_dir", "unlink")


@pytest.mark.parametrize("call", CALLS)
def test_a_snapshot_that_fails_leaves_a_good_state_and_the_next_one_works(call: str, tmp_path: Path) -> None:
    layout = state_directory(tmp_path)
    for seq in (1, 2):
        write_snapshot(layout, seq)
    disk = FaultyDisk([Fault(call)])
    with pytest.raises(OSError, match="Input/output"):
        write_snapshot(layout, 3, disk=disk, kept=1)
    assert read_snapshot(Disk(), layout.state).seq in ((3,) if call == "unlink" else (2,))
    assert layout.temporaries(Disk()) == []
    write_snapshot(layout, 4, disk=disk, kept=1)
    assert read_snapshot(Disk(), layout.state).seq == 4
    assert backup_seqs(layout) == [3 if call == "unlink" else 2]


@pytest.mark.parametrize("effect", [Effect.CRASH_BEFORE, Effect.CRASH_AFTER])
@pytest.mark.parametrize("call", CALLS)
def test_a_crash_at_any_call_leaves_a_whole_state_and_no_backup_lost(call: str, effect: Effect, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        layout = state_directory(tmp_path / str(number))
        for seq in (1, 2, 3):
            write_snapshot(layout, seq, kept=2)
        disk = FaultyDisk([Fault(call, number, effect)])
        try:
            write_snapshot(layout, 4, disk=disk, kept=2)
        except Crash:
            disk.bury()
        assert read_snapshot(Disk(), layout.state).seq in (3, 4)
        assert {2, 3} <= {*backup_seqs(layout), read_snapshot(Disk(), layout.state).seq}
        write_snapshot(layout, 5, kept=2)
        assert read_snapshot(Disk(), layout.state).seq == 5
        assert all(read_snapshot(Disk(), backup.path).whole for backup in layout.backups(Disk()))


def test_a_backup_copied_back_by_hand_is_kept_once(layout: Layout) -> None:
    for seq in (1, 2):
        write_snapshot(layout, seq)
    backup = layout.backups(Disk())[0].path
    shutil.copy(backup, layout.state)
    layout.state.chmod(0o600)
    written = write_snapshot(layout, 3)
    assert written.backup == backup.name
    assert backup_seqs(layout) == [1]
    assert list(layout.quarantine.iterdir()) == []


@pytest.mark.parametrize("content", [b"somebody else's", b""])
def test_a_state_that_is_not_ours_is_set_aside_before_it_is_replaced(content: bytes, layout: Layout) -> None:
    layout.state.write_bytes(content)
    assert write_snapshot(layout, 3).backup is None
    (kept,) = layout.quarantine.glob("*/state.json")
    assert kept.read_bytes() == content
    assert read_snapshot(Disk(), layout.state).seq == 3


def test_a_state_that_was_edited_under_its_backups_name_is_set_aside(layout: Layout) -> None:
    for seq in (1, 2):
        write_snapshot(layout, seq)
    shutil.copy(layout.backups(Disk())[0].path, layout.state)
    layout.state.write_bytes(layout.state.read_bytes().replace(b"task_3", b"task_33"))
    assert write_snapshot(layout, 3).backup is None
    (kept,) = layout.quarantine.glob("*/state.json")
    assert b"task_33" in kept.read_bytes()


def open_writer(layout: Layout) -> SnapshotWriter:
    header = SnapshotHeader(1, 1, "2026-01-01T00:00:00.000Z", b"{}", b"{}", b"{}")
    return SnapshotWriter(Disk(), layout, header, Quarantine(Disk(), layout, "q"))


def test_an_aborted_snapshot_leaves_nothing(layout: Layout) -> None:
    write_snapshot(layout, 1)
    before = tree_of(layout.root)
    writer = open_writer(layout)
    writer.write("tasks", TASKS)
    writer.abort()
    assert tree_of(layout.root) == before


@pytest.mark.parametrize("section", ["tasks", "unknown"])
def test_a_section_out_of_order_or_unknown_is_refused(section: str, layout: Layout) -> None:
    writer = open_writer(layout)
    writer.write("runs", RUNS)
    with pytest.raises(ValueError, match=section):
        writer.write(section, TASKS)
    writer.abort()


def test_a_stamp_that_is_no_time_does_not_stop_the_next_snapshot(layout: Layout) -> None:
    header = SnapshotHeader(1, 1, "whenever", b"{}", b"{}", b"{}")
    SnapshotWriter(Disk(), layout, header, Quarantine(Disk(), layout, "q")).finish(10)
    assert write_snapshot(layout, 2).backup == "state.backup.19700101T000000.000000Z.1.json"
