"""What the store on disk promises beyond the contract: segments, backups, failures, other durabilities."""

from __future__ import annotations

import errno
import os
import shutil
import time
from functools import partial
from pathlib import Path

import pytest

from actors.model.errors import StorageFailed
from actors.model.recent_lines import RecentLines
from actors.model.tables import decode_session
from actors.storage import journal_pages, recovery_replay
from tests.kit.disks import Effect, Fault, FaultyDisk
from tests.kit.histories import backups, opened, quarantined, recovered, segments
from tests.kit.stores import (
    SESSION,
    Driver,
    Ticks,
    created,
    deleted,
    described,
    disk_store,
    session_appended,
    session_created,
    session_deleted,
    session_saved,
    state_of,
)


def task_files(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "tasks").glob("*.json"))


# Segments and backups


def test_a_segment_that_a_kept_backup_needs_stays_however_old_and_big(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path, backups_kept=3, journal_keep_s=0.0, journal_bytes_max=0))
    for number in range(8):
        driver.create(f"t{number}")
        driver.settle_files()
        driver.save()
        oldest = driver.store.backups()[-1]["seq"]
        assert segments(tmp_path)[0].stem <= f"{oldest + 1:020d}"
    assert len(segments(tmp_path)) == 4
    driver.store.close()
    for kept in backups(tmp_path):
        root = tmp_path.with_name(f"from-{kept.name}")
        shutil.copytree(tmp_path, root)
        (root / "state.json").write_bytes(b"")
        for newer in backups(root):
            if newer.name > kept.name:
                newer.unlink()
        assert recovered(root)[0] == state_of(driver.tables)


def test_a_segment_whose_files_are_not_durable_stays(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path, backups_kept=1, journal_bytes_max=0))
    driver.create("behind")
    for number in range(4):
        driver.create(f"t{number}")
        driver.save()
    assert segments(tmp_path)[0].stem == f"{1:020d}"
    driver.settle_files()
    driver.create("last")
    driver.save()
    assert segments(tmp_path)[0].stem > f"{1:020d}"
    driver.store.close()


def test_every_day_that_the_journal_is_kept_for_can_be_gone_back_to(tmp_path: Path) -> None:
    ends = {}
    clock = Ticks()
    for day in range(12):
        driver = Driver(disk_store(tmp_path, clock=clock, backups_kept=2, journal_keep_s=7 * 86_400.0), clock=clock)
        for number in range(3):
            driver.create(f"day{day}-{number}")
            driver.settle_files()
            driver.save()
        ends[day] = driver.tables.seq
        driver.stop()
        for segment in segments(tmp_path):  # the files live by the same clock
            if segment.stat().st_mtime > clock.now_s:
                os.utime(segment, (clock.now_s, clock.now_s))
        clock.now_s += 86_400
    archived = (int(path.name.split(".")[4]) for path in (tmp_path / "archive" / "snapshots").iterdir())
    bases = [*archived, *(int(path.name.split(".")[4]) for path in backups(tmp_path))]
    first_seq = int(segments(tmp_path)[0].stem)
    assert first_seq > 1, "what is older has left"
    for day in range(5, 12):
        assert any(first_seq - 1 <= base <= ends[day] for base in bases), f"no way to the end of day {day}"


def test_the_cap_on_the_journal_never_takes_what_a_kept_backup_needs(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path, backups_kept=4, journal_bytes_max=1, journal_keep_s=1e9))
    for number in range(8):
        driver.create(f"t{number}")
        driver.settle_files()
        driver.save()
    oldest_seq = min(int(path.name.split(".")[4]) for path in backups(tmp_path))
    assert int(segments(tmp_path)[0].stem) == oldest_seq + 1, "all that goes, goes; all that is needed stays"
    driver.stop()


def test_segments_that_nothing_needs_stay_as_long_as_the_journal_is_kept(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path, backups_kept=1, journal_keep_s=3600.0))
    for number in range(5):
        driver.create(f"t{number}")
        driver.settle_files()
        driver.save()
    assert segments(tmp_path)[0].stem == f"{1:020d}"
    driver.store.close()


def test_a_clock_that_jumps_ahead_makes_no_segment_old(tmp_path: Path) -> None:
    clock = Ticks(time.time())
    driver = Driver(disk_store(tmp_path, clock=clock, backups_kept=1, journal_keep_s=86_400.0))
    for number in range(4):
        clock.now_s += 10 * 365 * 86_400
        driver.create(f"t{number}")
        driver.settle_files()
        driver.save()
    assert segments(tmp_path)[0].stem == f"{1:020d}"
    driver.store.close()


def test_one_snapshot_of_each_day_goes_to_the_archive_before_it_is_let_go(tmp_path: Path) -> None:
    clock = Ticks()
    driver = Driver(disk_store(tmp_path, clock=clock, backups_kept=1, journal_keep_s=2 * 86_400.0), clock=clock)
    for day in range(6):
        for number in range(3):
            driver.create(f"t{day}-{number}")
            driver.save()
        clock.now_s += 86_400
    driver.store.close()
    kept = sorted(path.name for path in (tmp_path / "archive" / "snapshots").iterdir())
    assert [name.split(".")[2][:8] for name in kept] == ["20260103", "20260104", "20260105", "20260106"]
    assert len(backups(tmp_path)) == 1


def test_a_session_made_anew_under_an_id_has_its_own_messages_after_a_crash(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.commit(session_created(messages=["of the first"]))
    driver.commit(session_deleted(2))
    driver.save()  # a snapshot that covers both lines, while no file is written
    driver.store.close()
    driver = Driver(disk_store(tmp_path))
    driver.settle_files()
    driver.commit(session_created(messages=["of the second"], rev=3))
    driver.store.close()  # killed before the new file is written
    driver = Driver(disk_store(tmp_path))
    driver.settle_files()
    assert driver.store.read_messages(SESSION, 0, 10).messages == [b'"of the second"']
    driver.stop()


def test_a_leaving_that_is_done_again_leaves_the_session_made_anew_in_its_place(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.commit(session_created(messages=["of the first"]))
    driver.commit(session_deleted(2))
    driver.commit(session_created(messages=["of the second"], rev=3))
    driver.save()  # covers all lines, while no file is written
    driver.settle_files()
    driver.store.close()  # killed before a snapshot says that the files are written
    driver = Driver(disk_store(tmp_path))
    driver.commit(session_appended(4, 2, ["more"]))
    driver.settle_files()
    assert driver.store.read_messages(SESSION, 0, 10).messages == [b'"of the second"', b'"more"']
    driver.stop()


def test_the_row_of_a_session_that_left_is_whole_when_a_crash_made_it_leave_again(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.commit(session_created(messages=["one"]))
    driver.commit(session_saved(2, ["other"]))
    driver.commit(session_appended(3, 2, ["more"]))
    driver.commit(session_deleted(4))
    driver.save()
    driver.store.close()
    driver = Driver(disk_store(tmp_path))
    driver.settle_files()
    found = driver.store.read_archived(SESSION)
    assert found is not None
    assert (decode_session(found[0]).rev, decode_session(found[0]).message_count) == (3, 2)
    driver.stop()


def test_no_temporary_file_of_an_earlier_life_stays(tmp_path: Path) -> None:
    recovered(tmp_path)
    ours = [tmp_path / "state.json.tmp-77-1", tmp_path / "tasks" / "t.json.tmp-77-2"]
    others = [tmp_path / "perdure.sock.path.tmp-1-1", tmp_path / "tasks" / "my.tmp-notes.json"]
    for path in (*ours, *others):
        path.write_text("x")
    recovered(tmp_path)
    assert [path.exists() for path in (*ours, *others)] == [False, False, True, True]


# Failures


FAILING = {
    "the write": Fault("pwrite", error=errno.ENOSPC),
    "half the write": Fault("pwrite", effect=Effect.HALF_THEN_FAIL),
    "the sync": Fault("fdatasync"),
}


@pytest.mark.parametrize("fault", FAILING.values(), ids=FAILING.keys())
def test_after_a_failed_commit_the_store_goes_on_behind_a_fresh_snapshot(tmp_path: Path, fault: Fault) -> None:
    disk = FaultyDisk()
    driver = Driver(disk_store(tmp_path, disk))
    driver.create("a", "b")
    disk.faults = [Fault(fault.call, disk.calls.get(fault.call, 0) + 1, fault.effect, fault.error)]
    with pytest.raises(OSError, match=r"error|space"):
        driver.commit(created("lost"))
    disk.faults = []
    driver.reopen()
    assert driver.commit(created("c")) == 3
    expected = state_of(driver.tables)
    driver.store.close()
    assert recovered(tmp_path)[0] == expected
    if fault.effect is Effect.HALF_THEN_FAIL or fault.call == "fdatasync":
        assert any(b'"seq":3' in content for content in quarantined(tmp_path))


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename", "sync_dir", "ftruncate"])
def test_a_disk_that_stays_bad_while_it_is_reopened_is_told_and_tried_again(tmp_path: Path, call: str) -> None:
    disk = FaultyDisk()
    driver = Driver(disk_store(tmp_path, disk))
    driver.create("a")
    disk.faults = [Fault("fdatasync", disk.calls.get("fdatasync", 0) + 1)]
    with pytest.raises(OSError, match="error"):
        driver.commit(created("lost"))
    for at in range(1, 30):
        disk.faults = [Fault(call, disk.calls.get(call, 0) + at)]
        try:
            driver.reopen()
        except OSError:
            continue
        break
    assert driver.commit(created("b")) == 2
    expected = state_of(driver.tables)
    disk.faults = []
    driver.store.close()
    state, report = recovered(tmp_path)
    assert state == expected
    assert set(report["case"]) <= {"B", "F"}


def test_a_snapshot_that_fails_leaves_the_last_one_and_the_journal_goes_on(tmp_path: Path) -> None:
    disk = FaultyDisk()
    driver = Driver(disk_store(tmp_path, disk))
    driver.create("a")
    driver.save()
    before = (tmp_path / "state.json").read_bytes()
    driver.create("b")
    for call in ("write", "fsync", "rename"):
        disk.faults = [Fault(call, disk.calls.get(call, 0) + 1)]
        with pytest.raises(OSError, match="error"):
            driver.save()
        assert (tmp_path / "state.json").read_bytes() == before
    disk.faults = []
    driver.create("c")
    assert driver.save().seq == 3
    driver.store.close()
    assert not list(tmp_path.glob("*.tmp-*"))


def test_files_that_cannot_be_written_hold_the_watermark_until_they_can(tmp_path: Path) -> None:
    disk = FaultyDisk()
    driver = Driver(disk_store(tmp_path, disk))
    driver.create("a")
    disk.faults = [Fault("fsync", disk.calls.get("fsync", 0) + 1, error=errno.ENOSPC)]
    portion = driver.behind.take(10)
    with pytest.raises(OSError, match="space"):
        driver.store.write_behind(portion)
    disk.faults = []
    driver.create("b")
    later = driver.behind.take(10)
    driver.store.write_behind(later)
    assert driver.store.sync_behind() == 0
    driver.behind.put_back(portion)
    driver.write_files()
    assert driver.store.sync_behind() == 2
    assert task_files(tmp_path) == ["a", "b"]
    driver.store.close()


def test_a_read_only_directory_is_refused_with_an_error_and_changed_by_nothing(tmp_path: Path) -> None:
    recovered(tmp_path)
    disk = FaultyDisk([Fault("pwrite", 1, times=1000, error=errno.EROFS), Fault("write", 1, times=1000)])
    store = disk_store(tmp_path, disk, preallocate_bytes=4096)
    with pytest.raises(OSError, match=r"Read-only|error"):
        store.recover()
    store.close()
    assert recovered(tmp_path)[1]["case"] == "B"


# Other durabilities


def test_without_sync_at_every_commit_a_sync_makes_durable_what_was_written(tmp_path: Path) -> None:
    disk = FaultyDisk()
    driver = Driver(disk_store(tmp_path, disk, durability="interval"))
    before = disk.calls.get("fdatasync", 0)
    driver.create("a")
    driver.create("b")
    assert disk.calls.get("fdatasync", 0) == before
    driver.store.sync()
    assert disk.calls["fdatasync"] == before + 1
    driver.store.close()


def test_a_failed_sync_of_an_interval_is_survived_by_what_the_writer_holds(tmp_path: Path) -> None:
    disk = FaultyDisk()
    driver = Driver(disk_store(tmp_path, disk, durability="interval"))
    driver.create("a", "b")
    disk.faults = [Fault("fdatasync", disk.calls.get("fdatasync", 0) + 1)]
    with pytest.raises(OSError, match="error"):
        driver.store.sync()
    disk.faults = []
    driver.reopen()
    driver.create("c")
    driver.store.close()
    assert sorted(recovered(tmp_path)[0]["rows"]["tasks"]) == ["a", "b", "c"]


# Reading and closing


def test_lines_that_were_not_acknowledged_are_not_given_out(tmp_path: Path) -> None:
    disk = FaultyDisk()
    driver = Driver(disk_store(tmp_path, disk))
    driver.create("a")
    disk.faults = [Fault("fdatasync", disk.calls.get("fdatasync", 0) + 1)]
    with pytest.raises(OSError, match="error"):
        driver.commit(created("lost"))
    assert [line.seq for line in driver.store.read_lines(1, 10)] == [1]
    disk.faults = []
    driver.reopen()
    driver.create("b")
    assert [line.facts[0].id for line in driver.store.read_lines(1, 10)] == ["a", "b"]
    driver.store.close()


def test_following_the_journal_page_by_page_gives_every_line_once(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path, segment_bytes_max=3000))
    seen: list[int] = []
    for number in range(40):
        driver.create(f"t{number}")
        if number % 3 == 0:
            page = driver.store.read_lines(len(seen) + 1, 2)
            seen += [line.seq for line in page]
    while page := driver.store.read_lines(len(seen) + 1, 7):
        seen += [line.seq for line in page]
    assert seen == list(range(1, 41))
    assert len(segments(tmp_path)) > 3
    driver.store.close()


def test_a_page_of_the_journal_ends_early_where_lines_are_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_pages, "PAGE_BYTES_MAX", 5000)
    driver = Driver(disk_store(tmp_path, segment_bytes_max=10_000))
    for number in range(6):
        driver.create(f"t{number}", description="x" * (6000 if number == 3 else 2000))
    pages: list[list[int]] = []
    while page := driver.store.read_lines(sum(map(len, pages)) + 1, 100):
        pages.append([line.seq for line in page])
    assert pages == [[1, 2, 3], [4], [5, 6]]
    driver.store.close()


def test_after_a_restart_only_so_much_of_the_journal_is_remembered_as_memory_is_meant_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery_replay, "RecentLines", partial(RecentLines, bytes_kept=5000))
    driver = Driver(disk_store(tmp_path))
    for number in range(6):
        driver.create(f"t{number}", description="x" * 2000)
    driver.store.close()
    driver = Driver(disk_store(tmp_path))
    assert [line.seq for line in driver.recovered.lines] == [5, 6]
    driver.store.close()


def test_a_closed_store_reads_nothing_and_can_be_closed_again(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.commit(session_created(messages=["one"]))
    driver.settle_files()
    driver.store.close()
    driver.store.close()
    with pytest.raises(StorageFailed, match="closed"):
        driver.store.read_messages(SESSION, 0, 10)


def test_a_task_file_whose_row_is_gone_is_gone_too(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("a", "b")
    driver.commit(described("a", 2, "x"))
    driver.settle_files()
    driver.commit(deleted("b", 2))
    driver.settle_files()
    assert task_files(tmp_path) == ["a"]
    driver.store.close()


def test_the_index_of_sessions_follows_and_is_made_again_when_it_is_lost(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.commit(session_created())
    driver.settle_files()
    index = (tmp_path / "sessions" / "sessions.json").read_text()
    assert SESSION in index
    driver.stop()
    (tmp_path / "sessions" / "sessions.json").write_text("[")
    driver = Driver(opened(tmp_path))
    driver.settle_files()
    assert (tmp_path / "sessions" / "sessions.json").read_text() == index
    driver.store.close()
