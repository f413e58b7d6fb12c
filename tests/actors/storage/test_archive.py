"""What leaves goes to the archive whole, comes back whole, and is never overwritten; a power cut loses none of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from actors.storage.session_files import SessionLine, session_header
from tests.kit.behind import Behind, behind, names
from tests.kit.disks import Effect, Fault, FaultyDisk, RecordingDisk
from tests.kit.powerloss import judge

ID = "0191d5a0-0000-7000-8000-000000000001"
ROW = b'{"id":"x","rev":3}'


def a_session(b: Behind, text: bytes = b'"hello"') -> None:
    b.sessions.append(ID, session_header(ID, "2026-01-01T00:00:00.000Z"), [SessionLine.message(1, text)])
    b.logs.append_at(ID, 0, b"log of " + text)
    b.files.sync()


def contents(root: Path) -> list[bytes]:
    """Return the session's file, wherever it lies."""
    return [path.read_bytes() for path in sorted(root.rglob(f"{ID}.jsonl"))]


def test_a_session_leaves_with_its_file_and_its_row_and_comes_back(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        a_session(b)
        before = contents(tmp_path)
        gone = b.archive.archive_session(ID, ROW)
        assert gone.path == tmp_path / "archive" / "sessions" / ID / "1"
        assert names(gone.path) == [f"{ID}.jsonl", "row.archived"]
        assert names(tmp_path / "sessions") == []
        assert names(tmp_path / "logs") == [f"session_{ID}.log"]
        assert b.sessions.read(ID, 0, 10, 100).messages == []
        assert b.archive.listing("sessions") == [gone]
        assert b.archive.last_leaving("sessions", ID) == gone
        assert b.archive.last_leaving("sessions", f"{ID[:-1]}2") is None
        assert b.archive.restore_session(ID) == ROW
        assert contents(tmp_path) == before
        assert b.sessions.read(ID, 0, 10, 100).messages == [b'"hello"']
        assert b.archive.listing("sessions") == []
        assert b.archive.restore_session(ID) is None


def test_a_task_leaves_with_its_file_and_its_older_log(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.tasks.write_batch({"row.archived": b'{"id":"row.archived","rev":1}'})
        b.task_logs.append("row.archived", 1, [b'{"message":"m"}'])
        assert b.archive.archive_task("row.archived", ROW).number == 1
        assert b.tasks.read_all().rows == {}
        assert b.archive.restore_task("row.archived") == ROW
        assert b.tasks.write_batch({"row.archived": b'{"id":"row.archived","rev":2}'}).edited == ()
        assert b.task_logs.read("row.archived", 0, 10, 100).lines == [b'{"message":"m"}']


def test_what_left_before_is_never_overwritten(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        for number in (1, 2, 3):
            a_session(b, b'"%d"' % number)
            assert b.archive.archive_session(ID, b'{"rev":%d}' % number).number == number
        assert contents(tmp_path / "archive") == [
            (tmp_path / "archive" / "sessions" / ID / str(number) / f"{ID}.jsonl").read_bytes() for number in (1, 2, 3)
        ]
        assert b.archive.restore_session(ID) == b'{"rev":3}'
        with pytest.raises(FileExistsError):
            b.archive.restore_session(ID)
        assert [gone.number for gone in b.archive.listing("sessions")] == [1, 2]


def test_ids_that_differ_only_by_a_number_behind_them_do_not_meet(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        for task_id in ("a", "a", "a.2", "1", "a"):
            b.archive.archive_task(task_id, b'{"id":"%b","n":%d}' % (task_id.encode(), len(b.archive.listing("tasks"))))
        assert [(gone.id, gone.number) for gone in b.archive.listing("tasks")] == [
            ("1", 1), ("a", 1), ("a", 2), ("a", 3), ("a.2", 1),
        ]  # fmt: skip


def test_archiving_twice_is_archiving_once(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        a_session(b)
        assert b.archive.archive_session(ID, ROW) == b.archive.archive_session(ID, ROW)
        assert b.archive.restore_session("0191d5a0-0000-7000-8000-00000000000f") is None


def test_an_empty_directory_tells_that_it_was_brought_back_and_an_older_one_is_left_alone(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        a_session(b, b'"old"')
        b.archive.archive_session(ID, ROW)
        a_session(b, b'"new"')
        (tmp_path / "archive" / "sessions" / ID / "2").mkdir()
        assert b.archive.restore_session(ID) is None
        assert b.sessions.read(ID, 0, 10, 100).messages == [b'"new"']
        assert [gone.number for gone in b.archive.listing("sessions")] == [1]


def test_what_was_not_synced_yet_is_durable_once_it_is_archived(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        a_session(b)
    disk = RecordingDisk(tmp_path)
    with behind(tmp_path, disk) as b:
        b.sessions.append(ID, None, [SessionLine.message(2, b'"unsynced"')])
        b.archive.archive_session(ID, ROW)
        disk.mark(archived=1)

    def check(root: Path, marks: Mapping[str, int]) -> None:
        assert "archived" not in marks or b"unsynced" in contents(root / "archive")[0]

    assert judge(disk.trace, check).violation is None


@pytest.mark.parametrize("effect", [Effect.FAIL, Effect.HALF_THEN_FAIL])
@pytest.mark.parametrize("call", ["link", "unlink", "sync_dir", "rename", "mkdir"])
@pytest.mark.parametrize("at", range(1, 6))
def test_after_a_failure_the_same_call_finishes_the_move(tmp_path: Path, call: str, at: int, effect: Effect) -> None:
    disk = FaultyDisk()
    with behind(tmp_path, disk) as b:
        a_session(b)
        before = contents(tmp_path)
        disk.calls.clear()
        disk.faults = [Fault(call, at, effect)]
        for attempt in (1, 2):
            try:
                assert b.archive.archive_session(ID, ROW).number == 1
                break
            except OSError:
                assert attempt == 1
        disk.calls.clear()
        restored = None
        for attempt in (1, 2):
            try:
                restored = b.archive.restore_session(ID)
                break
            except OSError:
                assert attempt == 1
        assert restored in (ROW, None)
        assert contents(tmp_path) == before
        assert b.archive.listing("sessions") == []


def there_and_back(root: Path, forgets: str | None = None) -> tuple[RecordingDisk, list[bytes]]:
    with behind(root) as b:
        a_session(b)
        before = contents(root)
        b.archive.archive_task("another", ROW)
    disk = RecordingDisk(root, forgets=forgets)
    with behind(root, disk) as b:
        disk.mark(step=1)
        b.archive.archive_session(ID, ROW)
        disk.mark(step=2)
        b.archive.restore_session(ID)
        disk.mark(step=3)
    return disk, before


def nothing_is_lost(root: Path, marks: Mapping[str, int], before: list[bytes]) -> None:
    assert set(contents(root)) == set(before)
    with behind(root) as again:
        if marks["step"] == 1:
            again.archive.archive_session(ID, ROW)
            assert len(again.archive.listing("sessions")) == 1
            assert names(root / "sessions") == []
        again.archive.restore_session(ID)
        assert contents(root) == before
        assert again.archive.listing("sessions") == []
        assert again.sessions.append(ID, None, [SessionLine.message(2, b'"more"')]) == 1


def test_after_a_power_cut_nothing_is_lost_and_the_same_call_finishes_the_move(tmp_path: Path) -> None:
    disk, before = there_and_back(tmp_path)
    verdict = judge(disk.trace, lambda root, marks: nothing_is_lost(root, marks, before), first=1)
    assert verdict.violation is None, verdict.violation
    assert verdict.states > 20


@pytest.mark.parametrize("point", ["archive._archive:sync_dir", "archive._sync_directories:sync_dir"])
def test_without_one_of_its_syncs_the_power_loss_model_finds_what_is_lost(tmp_path: Path, point: str) -> None:
    disk, before = there_and_back(tmp_path, forgets=point)
    assert judge(disk.trace, lambda root, marks: nothing_is_lost(root, marks, before), first=1).violation is not None
