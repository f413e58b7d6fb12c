"""Migrations (SPEC section 9; case H): version 1 becomes version 2, crashes and all, and goes back byte for byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.model.errors import NotFound
from actors.model.ids import foreign_session_id
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.migrations import plan
from actors.storage.rollback import roll_back
from actors.storage.version_1 import is_version_1
from tests.kit.disks import Crash, read_tree
from tests.kit.histories import opened, recovered, task_of
from tests.kit.mortal_disk import MortalDisk
from tests.kit.powerloss import scratch
from tests.kit.stores import Driver, state_of

SAMPLES = Path(__file__).parents[2] / "samples" / "state-v1"
STAMP = "20260101T000000.000000Z"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied(tmp_path / "state")


def copied(root: Path) -> Path:
    shutil.copytree(SAMPLES, root)
    return root


def old_files(root: Path) -> dict[str, bytes]:
    """Return what is in the directory but for what version 2 keeps for itself."""
    files, _ = read_tree(root)
    return {name: data for name, data in files.items() if not name.startswith("archive/")}


def change_state(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    state = json.loads((root / "state.json").read_text())
    change(state)
    (root / "state.json").write_text(json.dumps(state))


# What becomes of what


def test_every_task_is_there_with_its_members(root: Path) -> None:
    state, report = recovered(root)
    assert (report["case"], state["seq"]) == ("HB", 0)
    assert sorted(state["rows"]["tasks"]) == [f"task_170406720000{n}" for n in range(6)]
    task = task_of(state, "task_1704067200000")
    assert (task["description"], task["status"], task["tool"]) == (
        "Implement authentication",
        "completed",
        "CLAUDECODE",
    )
    assert task["result"] == {"files_created": ["auth.js", "auth.test.js"], "tests_passed": True}
    assert task["created_at"] == "2024-01-01T10:00:00.000Z"
    assert task["logs"][0]["message"] == "Task started"
    assert task["rev"] == 1


def test_a_status_that_version_2_does_not_know_becomes_pending_and_is_remembered(root: Path) -> None:
    task = task_of(recovered(root)[0], "task_1704067200003")
    assert (task["status"], task["metadata"]) == ("pending", {"original_status": "in_progress"})


def test_sessions_get_uuids_and_keep_their_old_ids(root: Path) -> None:
    rows = recovered(root)[0]["rows"]["sessions"]
    session = json.loads(rows[foreign_session_id("session_1704067200001")])
    assert session["external_ids"] == ["session_1704067200001"]
    assert session["status"] == "open"
    assert session["task_ids"] == ["task_1704067200000"]
    closed = json.loads(rows[foreign_session_id("session_1704067200002")])
    assert closed["status"] == "closed"


def test_logs_and_reports_can_be_read_under_their_new_ids(root: Path) -> None:
    driver = Driver(opened(root))
    session_id = foreign_session_id("session_1704067200001")
    text, end = driver.store.read_log(f"session_{session_id}", 0, 1000)
    assert text == (SAMPLES / "logs" / "session_1704067200001.log").read_bytes()
    log = driver.tables.row("logs", f"session_{session_id}")
    assert log is not None
    assert json.loads(log.encoded)["bytes"] == end
    assert json.loads(driver.store.read_report("weekly"))["data"] == {"completed": 2, "failed": 1}
    assert driver.tables.row("reports", "weekly") is not None
    driver.store.close()


def test_unknown_members_are_kept_in_the_metadata(root: Path) -> None:
    change_state(root, lambda state: state["tasks"][4].update(estimate="3 days", priority=2, lease="not a number"))
    task = task_of(recovered(root)[0], "task_1704067200004")
    assert task["priority"] == 2
    assert task["metadata"] == {"estimate": "3 days", "lease": "not a number"}


def test_a_task_file_newer_than_the_state_wins_and_one_without_an_entry_is_taken(root: Path) -> None:
    path = root / "tasks" / "task_1704067200005.json"
    members = json.loads(path.read_text())
    path.write_text(json.dumps({**members, "status": "completed", "updated_at": "2024-01-01T11:45:00Z"}))
    late = {**members, "id": "task_late", "description": "made after the last save"}
    (root / "tasks" / "task_late.json").write_text(json.dumps(late))
    state, report = recovered(root)
    assert task_of(state, "task_1704067200005")["status"] == "completed"
    assert task_of(state, "task_late")["description"] == "made after the last save"
    assert "task task_late is not in state.json: taken from its file" in report["migration"]["notes"]


def test_ids_that_cannot_be_file_names_are_cleaned_and_remembered(root: Path) -> None:
    change_state(root, lambda state: state["tasks"].append({"id": "a/b:c", "description": "x", "status": "pending"}))
    change_state(root, lambda state: state["tasks"].append({"id": "..", "description": "y", "status": "pending"}))
    state, _ = recovered(root)
    assert task_of(state, "abc")["metadata"] == {"original_id": "a/b:c"}
    assert [row for row in state["rows"]["tasks"].values() if json.loads(row)["metadata"] == {"original_id": ".."}]


def test_whatever_stands_where_a_value_belongs_nothing_is_refused(root: Path) -> None:
    strange = {"id": 7, "description": None, "status": 5, "logs": ["text", {"x": 1}, None], "created_at": "yesterday"}
    change_state(root, lambda state: state["tasks"].extend([strange, "no object"]))
    change_state(root, lambda state: state["sessions"].append({"id": "odd", "status": "lost", "tool": 3}))
    (root / "reports" / "report_bare.json").write_text("[1, 2]")
    (root / "reports" / "report_bad.json").write_text("{")
    state, report = recovered(root)
    task = task_of(state, "7")
    assert task["metadata"]["original_created_at"] == "yesterday"
    assert [entry["message"] for entry in task["logs"]] == ["text", '{"x":1}', "null"]
    assert any("report_bad.json" in problem for problem in report["migration"]["problems"])
    assert any("entries of the tasks" in problem for problem in report["migration"]["problems"])
    assert "bare" in state["rows"]["reports"]


# Where it is read from


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 3000, b"[]"])
def test_a_damaged_state_is_replaced_by_the_newest_backup_that_can_be_read(root: Path, damage: bytes) -> None:
    (root / "state.json").write_bytes(damage)
    state, report = recovered(root)
    assert report["migration"]["source"] == "state.backup.2024-01-01T11-22-00-000Z.json"
    assert sorted(state["rows"]["tasks"]) == [f"task_170406720000{n}" for n in range(6)]
    assert (root / "state.pre-migration.backup.json").read_bytes() == damage


def test_without_any_state_the_task_files_are_taken(root: Path) -> None:
    for path in root.glob("state*.json"):
        path.unlink()
    state, report = recovered(root)
    assert report["migration"]["source"] == "task files"
    assert sorted(state["rows"]["tasks"]) == [f"task_170406720000{n}" for n in range(6)]


def test_a_state_without_a_version_is_version_1(root: Path) -> None:
    change_state(root, lambda state: state.pop("version"))
    assert recovered(root)[1]["case"] == "HB"


def test_the_locks_of_a_root_do_not_hide_a_damaged_version_1(root: Path) -> None:
    (root / "perdure.lock").touch()
    (root / "state.json").write_bytes(b"")
    assert is_version_1(Disk(), Layout(root))
    assert recovered(root)[1]["case"] == "HB"


def test_an_old_state_copied_into_a_directory_of_version_2_is_damage_and_no_migration(root: Path) -> None:
    driver = Driver(opened(root))
    driver.create("new")
    expected = state_of(driver.tables)
    driver.stop()
    shutil.copy(SAMPLES / "state.json", root / "state.json")
    state, report = recovered(root)
    assert report["case"] == "C"
    assert state == expected


# The papers


def test_the_state_before_the_copy_and_the_log_are_kept(root: Path) -> None:
    recovered(root)
    assert (root / "state.pre-migration.backup.json").read_bytes() == (SAMPLES / "state.json").read_bytes()
    assert read_tree(root / "archive" / "pre-migration")[0] == read_tree(SAMPLES)[0]
    log = (root / "state.migration-v1-to-v2.log").read_text()
    assert "from version 1.0.0 to 2.0.0" in log
    assert "task_1704067200003: the status 'in_progress' became pending" in log


def test_nothing_of_version_1_is_left_beside_the_new_files(root: Path) -> None:
    driver = Driver(opened(root))
    driver.stop()
    assert not list(root.glob("state.backup.2024*"))
    assert not (root / "logs" / "session_1704067200001.log").exists()
    assert not (root / "archive" / "migrating").exists()
    assert json.loads((root / "tasks" / "task_1704067200003.json").read_text())["rev"] == 1
    assert not list((root / "quarantine").iterdir())


def test_a_migrated_directory_is_not_migrated_again(root: Path) -> None:
    state, _ = recovered(root)
    again, report = recovered(root)
    assert (again, report["case"]) == (state, "B")


def test_a_plan_changes_nothing(root: Path) -> None:
    before = read_tree(root)
    planned = plan(Disk(), Layout(root), stamp="2026-01-01T00:00:00.000Z").as_mapping()
    assert read_tree(root) == before
    assert (planned["tasks"], planned["sessions"], planned["reports"], planned["logs"]) == (6, 2, 1, 1)


# Crashes, and going back


def test_a_crash_at_any_step_and_another_start_give_the_same() -> None:
    with scratch() as parent:
        whole = MortalDisk()
        expected, _ = recovered(copied(parent / "once"), whole)
        for changes_max in range(whole.changes):
            root = copied(parent / "crashed")
            disk = MortalDisk(changes_max)
            with pytest.raises(Crash):
                recovered(root, disk)
            disk.bury()
            state, _ = recovered(root)
            assert state == expected, f"after {changes_max} of {whole.changes} changes"
            assert read_tree(root / "archive" / "pre-migration")[0] == read_tree(SAMPLES)[0]
            roll_back(Disk(), Layout(root), STAMP)
            assert old_files(root) == read_tree(SAMPLES)[0]
            shutil.rmtree(root)


def test_rolling_back_gives_the_old_directory_byte_for_byte_and_keeps_the_new_state(root: Path) -> None:
    (root / "notes.txt").write_text("a file of somebody's own")
    before = read_tree(root)
    driver = Driver(opened(root))
    driver.create("made by version 2")
    driver.stop()
    (root / "logs" / "perdure.log").write_text("{}\n")
    rolled = roll_back(Disk(), Layout(root), STAMP)
    (root / "logs" / "perdure.log").unlink()
    assert old_files(root) == before[0]
    assert {name for name in read_tree(root)[1] if not name.startswith("archive")} == set(before[1])
    assert b"made by version 2" in (Path(rolled["kept_in"]) / "state.json").read_bytes()


def test_after_rolling_back_it_can_be_migrated_again(root: Path) -> None:
    first, _ = recovered(root)
    roll_back(Disk(), Layout(root), STAMP)
    change_state(root, lambda state: state["tasks"].pop())
    (root / "tasks" / "task_1704067200005.json").unlink()
    state, report = recovered(root)
    assert report["case"] == "HB"
    assert sorted(state["rows"]["tasks"]) == sorted(first["rows"]["tasks"])[:-1]
    roll_back(Disk(), Layout(root), STAMP)
    assert len(json.loads((root / "state.json").read_text())["tasks"]) == 5


def test_what_was_never_migrated_cannot_be_rolled_back(tmp_path: Path) -> None:
    recovered(tmp_path)
    with pytest.raises(NotFound, match="nothing to go back to"):
        roll_back(Disk(), Layout(tmp_path), STAMP)


def test_a_crash_at_any_step_of_rolling_back_and_another_one_give_the_old_directory() -> None:
    with scratch() as parent:
        recovered(copied(parent / "migrated"))
        shutil.copytree(parent / "migrated", parent / "once")
        whole = MortalDisk()
        roll_back(whole, Layout(parent / "once"), STAMP)
        for changes_max in range(whole.changes):
            root = parent / "crashed"
            shutil.copytree(parent / "migrated", root)
            disk = MortalDisk(changes_max)
            with pytest.raises(Crash):
                roll_back(disk, Layout(root), STAMP)
            disk.bury()
            if (root / "archive" / "pre-migration").exists():
                roll_back(Disk(), Layout(root), STAMP)
            assert old_files(root) == read_tree(SAMPLES)[0], f"after {changes_max} of {whole.changes} changes"
            shutil.rmtree(root)
