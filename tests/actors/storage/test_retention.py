"""How long the journal and the daily snapshots stay: every moment of the time that is kept can be reached."""

from __future__ import annotations

import os
from pathlib import Path

from actors.model.stamps import posix_of
from actors.storage import offline
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.moments import look_back
from actors.storage.restore import Moment
from actors.storage.work import Work
from tests.kit.histories import recovered, task_of
from tests.kit.stores import Driver, Ticks, disk_store

DAY_S = 86_400.0
KEEP_S = 3 * DAY_S


def work_on(root: Path, days: int, hours: tuple[int, ...], clock: Ticks) -> dict[int, str]:
    """Live through days, each with a start, a change and snapshots at some hours; return when each line was written."""
    written: dict[int, str] = {}
    begun_s = clock.now_s
    for day in range(days):
        for hour in hours:
            clock.now_s = begun_s + day * DAY_S + hour * 3600.0
            driver = Driver(disk_store(root, clock=clock, backups_kept=2, journal_keep_s=KEEP_S), clock=clock)
            if driver.tables.row("tasks", "t") is None:
                driver.create("t")
            for number in range(3):
                seq = driver.describe("t", f"day {day} hour {hour} change {number}")
                written[seq] = driver.tables.stamp
                driver.settle_files()
                driver.save()
            driver.store.close()
            for path in (root / "journal").iterdir():
                if path.stat().st_mtime > clock.now_s:  # written now, as the clock of this life has it
                    os.utime(path, (clock.now_s, clock.now_s))
    return written


def reachable(root: Path) -> list[tuple[int, int]]:
    return look_back(Disk(), Layout(root), Work())[0].ranges()


def test_every_moment_of_the_days_kept_can_be_reached_and_older_ones_go(tmp_path: Path) -> None:
    clock = Ticks(1_700_000_000.0)
    written = work_on(tmp_path, 9, (1, 9, 17), clock)
    kept = [seq for seq, stamp in written.items() if posix_of(stamp) >= clock.now_s - KEEP_S]
    ranges = reachable(tmp_path)
    assert ranges[-1][0] <= kept[0], "the journal begins in the middle of the time that is kept"
    assert ranges[-1][1] == max(written)
    assert ranges[-1][0] > 9, "what is older than what is kept has not left"
    assert len(list((tmp_path / "archive" / "snapshots").iterdir())) <= 5


def test_the_oldest_moment_kept_comes_back_by_its_time(tmp_path: Path) -> None:
    clock = Ticks(1_700_000_000.0)
    written = work_on(tmp_path, 6, (3, 20), clock)
    seq, stamp = next((seq, stamp) for seq, stamp in written.items() if posix_of(stamp) >= clock.now_s - KEEP_S)
    before, _ = recovered(tmp_path)
    restored = offline.restore(tmp_path, Moment(time=stamp), dry_run=False)
    assert restored["to_seq"] == seq
    assert task_of(recovered(tmp_path)[0], "t")["description"] != task_of(before, "t")["description"]


def test_a_clock_that_jumped_to_another_century_takes_no_days_place(tmp_path: Path) -> None:
    clock = Ticks(1_700_000_000.0)
    work_on(tmp_path, 2, (1, 9), clock)
    clock.now_s += 40_000 * DAY_S
    work_on(tmp_path, 1, (1,), clock)
    clock.now_s = 1_700_000_000.0 + 3 * DAY_S
    written = work_on(tmp_path, 6, (1, 9), clock)
    kept = [seq for seq, stamp in written.items() if posix_of(stamp) >= clock.now_s - KEEP_S]
    assert reachable(tmp_path)[-1][0] <= kept[0]


def test_a_journal_beyond_its_size_goes_earlier_and_what_is_left_is_told(tmp_path: Path) -> None:
    clock = Ticks(1_700_000_000.0)
    driver = Driver(disk_store(tmp_path, clock=clock, backups_kept=1, journal_bytes_max=1500), clock=clock)
    driver.create("t")
    for number in range(20):
        driver.describe("t", f"change {number}")
        driver.settle_files()
        driver.save()
    driver.store.close()
    ranges = reachable(tmp_path)
    assert ranges[-1][0] > 1
    assert ranges[-1][1] == 21
