"""What is counted of a state directory."""

from __future__ import annotations

import os
from pathlib import Path

from actors.storage.files import Disk
from actors.storage.health import CHEAP_S, COUNTING_SHARE, FileCounts, files_by_kind
from actors.storage.layout import DIRECTORIES, Layout


def write(path: Path, size_bytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size_bytes)


def test_files_are_counted_by_kind_with_all_that_lies_below(tmp_path: Path) -> None:
    write(tmp_path / "tasks" / "a.json", 3)
    write(tmp_path / "tasks" / "b.json", 4)
    write(tmp_path / "quarantine" / "20260101T000000.000000Z" / "journal" / "x.jsonl", 5)
    write(tmp_path / "quarantine" / "20260101T000000.000000Z" / "report.json", 6)
    write(tmp_path / "state.json", 7)
    write(tmp_path / "state.backup.20260101T000000.000000Z.8.json", 8)
    found = files_by_kind(Disk(), Layout(tmp_path))
    assert set(found) == {*DIRECTORIES, "state", "backups"}
    assert found["tasks"] == {"files": 2, "bytes": 7}
    assert found["quarantine"] == {"files": 2, "bytes": 11}
    assert found["state"] == {"files": 1, "bytes": 7}
    assert found["backups"] == {"files": 1, "bytes": 8}


def test_links_in_a_directory_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "big", 1000)
    (tmp_path / "p" / "archive").mkdir(parents=True)
    (tmp_path / "p" / "archive" / "link").symlink_to(tmp_path / "elsewhere")
    assert files_by_kind(Disk(), Layout(tmp_path / "p"))["archive"]["bytes"] < 1000


def test_a_directory_in_which_nothing_is_yet_counts_nothing(tmp_path: Path) -> None:
    found = files_by_kind(Disk(), Layout(tmp_path / "none"))
    assert all(counted == {"files": 0, "bytes": 0} for counted in found.values())


class SlowDisk(Disk):
    """A disk on which every look at a file takes a while, by a clock of its own."""

    def __init__(self, look_s: float) -> None:
        super().__init__()
        self.now_s = 0.0
        self.looks = 0
        self._look_s = look_s

    def lstat(self, path: Path) -> os.stat_result:
        self.looks += 1
        self.now_s += self._look_s
        return super().lstat(path)


def test_a_small_directory_is_counted_whenever_somebody_asks(tmp_path: Path) -> None:
    disk = SlowDisk(0.0)
    counts = FileCounts(disk, Layout(tmp_path), lambda: disk.now_s)
    for number in range(1, 4):
        write(tmp_path / "tasks" / f"{number}.json", 1)
        assert counts.look() == (files_by_kind(disk, Layout(tmp_path)), 0.0)


def test_a_large_one_is_counted_seldom_and_says_how_old_the_count_is(tmp_path: Path) -> None:
    disk = SlowDisk(CHEAP_S)
    counts = FileCounts(disk, Layout(tmp_path), lambda: disk.now_s)
    for number in range(10):
        write(tmp_path / "tasks" / f"{number}.json", 1)
    first, age_s = counts.look()
    assert (first["tasks"]["files"], age_s) == (10, 0.0)
    looks, took_s = disk.looks, disk.now_s
    write(tmp_path / "tasks" / "new.json", 1)
    disk.now_s += 1.0
    again, age_s = counts.look()
    assert (again, age_s, disk.looks) == (first, 1.0, looks)
    disk.now_s += took_s / COUNTING_SHARE
    assert counts.look()[0]["tasks"]["files"] == 11
