"""Checking a directory: every kind of damage is found, nothing is changed, and a sound one has no findings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.verify import verify_directory
from tests.kit.disks import read_tree
from tests.kit.histories import SESSION, backups, edit_task, flip, flip_in, make_history, segments
from tests.kit.stores import Driver, disk_store


def verified(root: Path) -> dict[str, Any]:
    before = read_tree(root)
    found = verify_directory(Disk(), Layout(root))
    assert read_tree(root) == before
    return found


def test_a_sound_directory_has_no_findings_and_says_what_was_looked_at(tmp_path: Path) -> None:
    make_history(tmp_path)
    found = verified(tmp_path)
    assert (found["ok"], found["findings"]) == (True, [])
    counts = found["counts"]
    assert (counts["tasks"], counts["task_files"], counts["sessions"], counts["session_files"]) == (4, 4, 2, 2)
    assert (counts["journal_lines"], counts["backups"]) == (11, 2)


def widen(root: Path) -> None:
    (root / "tasks").chmod(0o755)


def plant(root: Path) -> None:
    (root / "tasks" / "link.json").symlink_to("t1.json")


def shorten_session(root: Path) -> None:
    path = root / "sessions" / f"{SESSION}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


def newer_file(root: Path) -> None:
    edit_task(root, "t1", rev=99)


def stranger(root: Path) -> None:
    task = json.loads((root / "tasks" / "t1.json").read_text())
    (root / "tasks" / "strange.json").write_text(json.dumps({**task, "id": "strange"}))


def tear(root: Path) -> None:
    path = segments(root)[-1]
    path.write_bytes(path.read_bytes() + b"{")


def edit(root: Path) -> None:
    edit_task(root, "t1", description="edited by hand")


def break_task(root: Path) -> None:
    (root / "tasks" / "t1.json").write_text("{")


def break_index(root: Path) -> None:
    (root / "sessions" / "sessions.json").write_text("{}")


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "state.json": (lambda root: flip_in(root / "state.json", b"do t2"), "state.json", "checksum", "error"),
    "state.json gone": (lambda root: (root / "state.json").unlink(), "state.json", "missing", "error"),
    "a backup": (lambda root: flip(backups(root)[0], 99), "state.backup", "checksum", "warning"),
    "the identity": (lambda root: (root / "identity.json").write_text("{"), "identity.json", "truncated", "warning"),
    "a journal line": (lambda root: flip_in(segments(root)[-1], b"changed"), "journal/", "checksum", "error"),
    "a missing segment": (lambda root: segments(root)[1].unlink(), "journal", "lines 5 to 7 are missing", "error"),
    "a torn journal": (tear, "journal/", "middle of line", "info"),
    "an edited task": (
        edit,
        "tasks/t1",
        "somebody changed it",
        "warning",
    ),
    "a task file ahead": (newer_file, "tasks/t1", "above the row's", "warning"),
    "a task file that is none": (
        break_task,
        "tasks/t1",
        "JSON",
        "error",
    ),
    "a task file of nobody": (stranger, "tasks/strange", "no such task", "warning"),
    "a task file gone": (lambda root: (root / "tasks" / "t1.json").unlink(), "tasks/t1", "missing", "warning"),
    "a session line": (
        lambda root: flip_in(root / "sessions" / f"{SESSION}.jsonl", b'"two"'),
        "sessions/",
        "messages 2 to 2 are missing",
        "error",
    ),
    "a session too short": (shorten_session, "sessions/", "messages 3 to 3 are missing", "warning"),
    "the index": (
        break_index,
        "sessions/sessions",
        "list",
        "info",
    ),
    "permissions": (widen, "tasks", "others may use it: mode 0755", "warning"),
    "a link": (plant, "tasks/link.json", "symbolic link", "warning"),
    "a temporary": (lambda root: (root / "state.json.tmp-1-1").touch(), "state.json.tmp", "temporary", "info"),
    "a directory gone": (lambda root: (root / "spool").rmdir(), "spool", "missing", "warning"),
}


@pytest.mark.parametrize(("damage", "file", "problem", "severity"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_found_and_told_with_what_to_do(
    tmp_path: Path, damage: Callable[[Path], object], file: str, problem: str, severity: str
) -> None:
    make_history(tmp_path)
    damage(tmp_path)
    found = verified(tmp_path)
    told = [one for one in found["findings"] if one["file"].startswith(file) and problem in one["problem"]]
    assert told, found["findings"]
    assert told[0]["severity"] == severity
    assert told[0]["hint"]
    assert found["ok"] == (severity == "info")


def test_an_open_store_has_no_findings_while_files_lag_behind(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path, preallocate_bytes=4096))
    driver.create("a", "b")
    driver.settle_files()
    driver.describe("a", "not in its file yet")
    driver.create("c")
    found = driver.store.verify()
    assert (found["ok"], found["findings"]) == (True, [])
    driver.store.close()


def test_what_an_open_store_is_just_writing_is_no_leftover_and_what_another_process_left_is(tmp_path: Path) -> None:
    driver = Driver(disk_store(tmp_path))
    driver.create("a")
    driver.settle_files()
    in_the_making = tmp_path / "journal" / f"00000000000000000009.jsonl.tmp-{os.getpid()}-9"
    in_the_making.touch(mode=0o600)
    (tmp_path / "journal" / "00000000000000000009.jsonl.tmp-1-9").touch(mode=0o600)
    assert [one["file"] for one in driver.store.verify()["findings"]] == ["journal/00000000000000000009.jsonl.tmp-1-9"]
    driver.store.close()
    assert f"journal/{in_the_making.name}" in [one["file"] for one in verified(tmp_path)["findings"]]


def test_what_is_no_state_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert verified(tmp_path)["ok"] is False
    assert verified(tmp_path / "nothing")["findings"][0]["severity"] == "info"
