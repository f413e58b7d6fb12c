"""What the command line does while nothing runs: under the locks, and only then."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.model.errors import Conflict, IncompatibleVersion, InvalidParams, NotFound
from actors.storage import offline
from actors.storage.directory_lock import locked
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.restore import Moment
from actors.storage.rollback import roll_back
from supervisor.root.lock import read_lock
from tests.kit.disks import Crash, read_tree
from tests.kit.histories import edit_task, flip_in, make_history, recovered, task_of
from tests.kit.mortal_disk import MortalDisk
from tests.kit.stores import Driver, disk_store

SAMPLES = Path(__file__).parents[2] / "samples" / "state-v1"


@contextmanager
def held(path: Path, record: dict[str, object]) -> Iterator[None]:
    """Hold a lock file as another process would."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.pwrite(descriptor, json.dumps(record).encode(), 0)
        yield
    finally:
        os.close(descriptor)


COMMANDS: dict[str, Callable[[Path], object]] = {
    "verify": offline.verify,
    "repair": offline.repair,
    "rebuild": offline.rebuild,
    "clean": lambda path: offline.clean(path, dry_run=True),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_held_directory_is_left_alone_and_its_holder_named(tmp_path: Path, command: Callable[[Path], object]) -> None:
    make_history(tmp_path)
    with held(tmp_path / "perdure.lock", {"pid": 4711, "phase": "running"}):
        before = read_tree(tmp_path)
        with pytest.raises(Conflict, match="4711"):
            command(tmp_path)
        assert read_tree(tmp_path) == before


def test_a_runtime_that_outlived_its_root_holds_the_directory_too(tmp_path: Path) -> None:
    make_history(tmp_path)
    with held(tmp_path / "writer.lock", {}), pytest.raises(Conflict):
        offline.repair(tmp_path)
    (tmp_path / "stray").touch()
    assert offline.repair(tmp_path)["recovery"]["case"] == "B"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path, command: Callable[[Path], object]) -> None:
    (tmp_path / "holiday.jpg").touch()
    before = read_tree(tmp_path)
    if command is offline.verify:
        assert offline.verify(tmp_path)["ok"] is False
    else:
        with pytest.raises(InvalidParams, match="no mark"):
            command(tmp_path)
    assert read_tree(tmp_path) == before


def test_who_looks_sees_which_command_holds_the_lock_and_that_it_ended(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with locked(Disk(), layout, "rebuild", "2026-01-01T00:00:00.000Z"):
        seen = read_lock(tmp_path)
        assert (seen.held, seen.pid, seen.phase) == (True, os.getpid(), "rebuild")
    assert read_lock(tmp_path).held is False


def test_verify_tells_what_it_found(tmp_path: Path) -> None:
    make_history(tmp_path)
    assert offline.verify(tmp_path)["ok"]
    flip_in(tmp_path / "state.json", b"do t2")
    assert not offline.verify(tmp_path)["ok"]


def test_repair_does_what_the_next_start_would_do(tmp_path: Path) -> None:
    expected = make_history(tmp_path)
    flip_in(tmp_path / "state.json", b"do t2")
    (tmp_path / "tasks" / "t5.json").unlink()
    report = offline.repair(tmp_path)
    assert report["recovery"]["case"] == "C"
    assert offline.verify(tmp_path)["findings"] == []
    state, _ = recovered(tmp_path)
    assert state["rows"] | {"events": {}} == expected["rows"]


def test_rebuild_takes_edited_task_files_over_and_keeps_the_state_set_aside(tmp_path: Path) -> None:
    make_history(tmp_path)
    before = (tmp_path / "state.json").read_bytes()
    edit_task(tmp_path, "t1", description="edited by hand")
    report = offline.rebuild(tmp_path)
    assert [one["id"] for one in report["adopted"]] == ["t1"]
    assert task_of(recovered(tmp_path)[0], "t1")["description"] == "edited by hand"
    assert before in [path.read_bytes() for path in (tmp_path / "quarantine").rglob("state.json")]
    assert offline.verify(tmp_path)["findings"] == []


def test_there_is_nothing_to_rebuild_in_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        offline.rebuild(tmp_path / "missing")


def test_migrate_says_what_it_would_do_does_it_and_can_be_undone(tmp_path: Path) -> None:
    root = tmp_path / "state"
    shutil.copytree(SAMPLES, root)
    planned = offline.migrate(root, dry_run=True)
    assert (planned["migrated"], planned["tasks"]) == (False, 6)
    assert read_tree(root) == read_tree(SAMPLES)
    done = offline.migrate(root)
    assert (done["migrated"], done["tasks"]) == (True, 6)
    assert offline.migrate(root)["migrated"] is False
    assert offline.verify(root)["findings"] == []
    offline.rollback(root)
    files = {name: data for name, data in read_tree(root)[0].items() if not name.startswith("archive/")}
    assert {name: data for name, data in files.items() if not name.endswith(".lock")} == read_tree(SAMPLES)[0]
    with pytest.raises(NotFound):
        offline.rollback(root)


def test_where_a_rollback_was_cut_short_nothing_but_a_rollback_is_done(tmp_path: Path) -> None:
    root = tmp_path / "state"
    shutil.copytree(SAMPLES, root)
    offline.migrate(root)
    disk = MortalDisk(changes_max=9)
    with pytest.raises(Crash):
        roll_back(disk, Layout(root), "20260101T000000.000000Z")
    disk.bury()
    half = read_tree(root)
    for refused in (recovered, offline.verify, offline.repair, offline.rebuild, offline.migrate, _cleaned):
        with pytest.raises(IncompatibleVersion, match="cut short") as error:
            refused(root)
        assert "perdure rollback" in error.value.hint
    assert read_tree(root) == half
    offline.rollback(root)
    assert offline.migrate(root)["tasks"] == 6


def _cleaned(root: Path) -> dict[str, Any]:
    return offline.clean(root, dry_run=False)


def test_clean_lists_first_and_removes_only_what_is_old_enough(tmp_path: Path) -> None:
    make_history(tmp_path)
    (tmp_path / "state.json.tmp-1-1").write_bytes(b"12345")
    old, new = tmp_path / "quarantine" / "old", tmp_path / "quarantine" / "new"
    for path in (old, new):
        path.mkdir()
        (path / "piece").write_bytes(b"x")
    long_ago = time.time() - 40 * 86_400
    for path in (old / "piece", old):
        os.utime(path, (long_ago, long_ago))
    listed = offline.clean(tmp_path, dry_run=True)
    assert [(one["file"], one["kind"], one["bytes"]) for one in listed["leftovers"]] == [
        ("state.json.tmp-1-1", "temporary", 5),
        ("quarantine/old", "quarantine", 1),
    ]
    assert (listed["removed"], old.exists()) == (False, True)
    assert offline.clean(tmp_path, dry_run=False)["removed"] is True
    assert (old.exists(), new.exists(), (tmp_path / "state.json.tmp-1-1").exists()) == (False, True, False)


def test_clean_moves_finished_tasks_to_the_archive_as_the_running_perdure_does(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    done = {"status": "completed", "completed_at": "2025-01-01T00:00:00.000Z"}
    driver.create("old", "needed", **done)
    driver.create("waits", depends_on=("needed",))
    driver.stop()
    assert offline.clean(tmp_path, dry_run=True, tasks_days=90)["tasks"] == ["old"]
    assert "old" in recovered(tmp_path)[0]["rows"]["tasks"]
    assert offline.clean(tmp_path, dry_run=False, tasks_days=90)["tasks"] == ["old"]
    state, _ = recovered(tmp_path)
    assert sorted(state["rows"]["tasks"]) == ["needed", "waits"]
    archived = tmp_path / "archive" / "tasks" / "old" / "1"
    assert json.loads((archived / "row.archived").read_bytes())["id"] == "old"
    assert (archived / "old.json").exists()


def test_a_task_that_was_cleaned_away_comes_back_by_a_restore(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("old", status="completed", completed_at="2025-01-01T00:00:00.000Z")
    driver.stop()
    seq = driver.tables.seq
    before = recovered(tmp_path)[0]["rows"]["tasks"]["old"]
    offline.clean(tmp_path, dry_run=False, tasks_days=90)
    assert recovered(tmp_path)[0]["rows"]["tasks"] == {}
    offline.restore(tmp_path, Moment(seq=seq), dry_run=False)
    after = recovered(tmp_path)[0]["rows"]["tasks"]["old"]
    assert json.loads(after) | {"rev": 1} == json.loads(before) | {"rev": 1}
    assert offline.verify(tmp_path)["findings"] == []


def test_the_record_of_a_loss_is_not_cleaned_away(tmp_path: Path) -> None:
    make_history(tmp_path)
    record = tmp_path / "quarantine" / "20260101T000000.000000Z"
    record.mkdir(mode=0o700)
    lost = [{"source": "logs/run_r1.stdout.log", "problem": "gone"}]
    (record / "report.json").write_text(json.dumps({"v": 1, "stamp": record.name, "items": [], "lost": lost}))
    assert offline.clean(tmp_path, dry_run=False, quarantine_days=-1)["leftovers"] == []
    assert record.exists()


def test_a_directory_of_version_1_is_not_cleaned_and_not_migrated_by_it(tmp_path: Path) -> None:
    root = tmp_path / "state"
    shutil.copytree(SAMPLES, root)
    assert offline.clean(root, dry_run=False, tasks_days=0)["removed"] is False
    assert read_tree(root) == read_tree(SAMPLES)


def test_long_work_tells_how_far_it_is(tmp_path: Path) -> None:
    make_history(tmp_path)
    told: list[tuple[str, int, int | None]] = []
    offline.verify(tmp_path, lambda what, done, total: told.append((what, done, total)))
    assert {"names", "task files", "session files", "journal lines"} <= {what for what, _, _ in told}


def test_the_copy_from_before_a_migration_is_never_cleaned(tmp_path: Path) -> None:
    root = tmp_path / "state"
    shutil.copytree(SAMPLES, root)
    offline.migrate(root)
    cleaned = offline.clean(root, dry_run=False, quarantine_days=0, archive_days=-1)
    assert (root / "archive" / "pre-migration" / "state.json").exists()
    assert not any("pre-migration" in one["file"] for one in cleaned["leftovers"])


def test_backups_are_listed_newest_first(tmp_path: Path) -> None:
    make_history(tmp_path)
    assert [backup["seq"] for backup in offline.backups(tmp_path)] == [4, 0]
