"""What is written behind the journal comes to rest in one place, in whatever portions, and however often."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from actors.model.facts import Fact
from tests.kit.stores import Driver, disk_store


def spilled(task_id: str, *numbers: int, before: int = 0) -> Fact:
    """Entries with these numbers leave a task's row for its log."""
    name = f"task_{task_id}"
    data = {"id": name, "entries": numbers[-1], "before": before, "first": numbers[0], "rev": numbers[-1]}
    return Fact(op="log.spilled", id=name, rev=numbers[-1], data={**data, "lines": [{"n": n} for n in numbers]})


def archived(task_id: str, rev: int) -> Fact:
    return Fact(op="task.archived", id=task_id, rev=rev, data={})


def entries_of(root: Path, where: str, task_id: str = "t") -> list[int]:
    """The entries that a log holds, in order; none when it is not there."""
    path = root / where / f"task_{task_id}.log"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line)["data"]["n"] for line in lines]


@pytest.mark.parametrize("portions", [1, 2, 3])
def test_a_task_takes_the_entries_of_its_log_to_the_archive_however_late_they_are_written(
    tmp_path: Path, portions: int
) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("t")
    lines = [spilled("t", 1, 2), spilled("t", 3), archived("t", 2)]
    for number, fact in enumerate(lines, 1):
        driver.commit(fact)
        if number > len(lines) - portions:
            driver.write_files()
    driver.settle_files()
    assert entries_of(tmp_path, "logs") == []
    assert entries_of(tmp_path, "archive/tasks/t/1") == [1, 2, 3]
    driver.store.close()


def test_who_has_the_id_of_an_archived_task_begins_a_log_of_his_own(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("t")
    driver.commit(spilled("t", 1, 2))
    driver.commit(archived("t", 2))
    driver.create("t")
    driver.commit(spilled("t", 3, before=2))
    for _ in range(2):  # as it happens, and as the next start finds it in the journal
        driver.settle_files()
        assert entries_of(tmp_path, "logs") == [3]
        assert entries_of(tmp_path, "archive/tasks/t/1") == [1, 2]
        driver.store.close()
        driver = Driver(disk_store(tmp_path))
    driver.store.close()


def test_what_was_written_before_a_crash_is_not_written_beside_the_archive_after_it(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("t")
    driver.commit(spilled("t", 1, 2))
    driver.commit(archived("t", 2))
    driver.settle_files()
    driver.store.close()
    for _ in range(2):
        driver = Driver(disk_store(tmp_path))
        driver.settle_files()
        assert entries_of(tmp_path, "logs") == []
        assert [path.name for path in (tmp_path / "archive" / "tasks" / "t").iterdir()] == ["1"]
        driver.store.close()


def test_entries_of_a_portion_that_failed_leave_with_a_task_that_was_archived_since(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("t")
    driver.commit(spilled("t", 1, 2))
    failed = driver.behind.take(10)
    driver.commit(archived("t", 2))
    driver.behind.put_back(failed)
    driver.settle_files()
    assert entries_of(tmp_path, "logs") == []
    assert entries_of(tmp_path, "archive/tasks/t/1") == [1, 2]
    driver.store.close()


@pytest.mark.parametrize("removed", ["tasks", "sessions", "logs", "reports", "archive"])
def test_a_directory_that_somebody_removed_keeps_nothing_back(tmp_path: Path, removed: str) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("before")
    driver.settle_files()
    shutil.rmtree(tmp_path / removed)
    driver.create("t")
    driver.commit(spilled("t", 1, 2))
    driver.commit(archived("before", 2))
    driver.settle_files()
    assert (tmp_path / "tasks" / "t.json").exists()
    assert entries_of(tmp_path, "logs") == [1, 2]
    assert (tmp_path / "archive" / "tasks" / "before").exists()
    driver.store.close()
