"""What a task's file looks like, that it is never lost or empty, and what becomes of a file that somebody changed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.storage.files import Disk
from actors.storage.task_files import TaskFiles
from actors.storage.task_text import laid_out
from tests.kit.behind import behind, names
from tests.kit.disks import Effect, Fault, FaultyDisk, RecordingDisk
from tests.kit.powerloss import judge


def task(task_id: str = "a", rev: int = 1, **members: Any) -> bytes:
    row = {"rev": rev, "metadata": {}, "status": "pending", "id": task_id, "logs": [], "description": "d", **members}
    return json.dumps(row, separators=(",", ":")).encode()


def on_disk(root: Path, task_id: str = "a") -> Any:
    return json.loads((root / "tasks" / f"{task_id}.json").read_bytes())


def test_a_file_is_indented_and_has_the_members_in_the_seeds_order_then_ours_then_rev(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.tasks.write_batch({"a": task(novel=1, tool="CODEX", error=None)})
    text = (tmp_path / "tasks" / "a.json").read_text()
    assert text.startswith('{\n  "id": "a",\n  "description": "d",\n')
    assert list(json.loads(text)) == [
        "id",
        "description",
        "status",
        "tool",
        "logs",
        "error",
        "metadata",
        "novel",
        "rev",
    ]
    assert (tmp_path / "tasks" / "a.json").stat().st_mode & 0o777 == 0o600


def test_a_batch_of_hundreds_costs_one_sync_for_each_file_and_one_for_the_directory(tmp_path: Path) -> None:
    disk = FaultyDisk()
    with behind(tmp_path, disk) as b:
        disk.calls.clear()
        done = b.tasks.write_batch({f"t{n}": task(f"t{n}") for n in range(200)})
        assert (done.written, done.removed, done.edited) == (200, 0, ())
        assert (disk.calls["fsync"], disk.calls["sync_dir"]) == (200, 1)
        assert len(b.tasks.read_all().rows) == 200
    assert not [name for name in names(tmp_path / "tasks") if ".tmp-" in name]


def test_an_empty_batch_does_not_touch_the_disk(tmp_path: Path) -> None:
    disk = FaultyDisk()
    with behind(tmp_path, disk) as b:
        disk.calls.clear()
        b.tasks.write_batch({})
        assert disk.calls == {}


def test_removing_is_counted_once_and_a_file_that_is_not_there_is_fine(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.tasks.write_batch({"a": task()})
        assert b.tasks.write_batch({"a": None, "b": None}).removed == 1
        assert b.tasks.write_batch({"a": None}).removed == 0
    assert names(tmp_path / "tasks") == []


@pytest.mark.parametrize("remove", [False, True])
def test_a_file_that_somebody_changed_goes_to_quarantine_first(tmp_path: Path, remove: bool) -> None:
    with behind(tmp_path) as b:
        b.tasks.write_batch({"a": task(), "b": task("b")})
        path = tmp_path / "tasks" / "a.json"
        path.write_text(path.read_text().replace("pending", "PENDING"))
        done = b.tasks.write_batch({"a": None if remove else task(rev=2), "b": task("b", 2)})
        assert [edit.task_id for edit in done.edited] == ["a"]
        assert b"PENDING" in done.edited[0].quarantined.read_bytes()
        assert b"PENDING" in b.quarantined()
        assert path.exists() is not remove
        assert b.tasks.write_batch({"a": task(rev=3)}).edited == ()


def test_a_file_touched_without_a_change_is_no_edit(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.tasks.write_batch({"a": task()})
        os.utime(tmp_path / "tasks" / "a.json", ns=(1, 1))
        assert b.tasks.write_batch({"a": task()}).edited == ()


NEW = task(rev=5)
UNREMEMBERED = [
    ("ours, of an earlier rev", lambda ours: ours, True),
    ("of a higher rev", lambda ours: ours.replace(b'"rev": 4', b'"rev": 9'), False),
    ("laid out otherwise", lambda ours: ours.replace(b"  ", b"\t"), False),
    ("of another id", lambda ours: ours.replace(b'"a"', b'"z"'), False),
    ("no JSON", lambda ours: ours[:-3], False),
    ("no object", lambda ours: b"[]\n", False),
    ("empty", lambda ours: b"", True),
]


@pytest.mark.parametrize(("change", "is_ours"), [row[1:] for row in UNREMEMBERED], ids=[row[0] for row in UNREMEMBERED])
def test_of_a_file_from_before_the_start_only_what_we_would_have_written_is_overwritten(
    tmp_path: Path, change: Any, is_ours: bool
) -> None:
    with behind(tmp_path) as b:
        b.tasks.write_batch({"a": task(rev=4)})
    path = tmp_path / "tasks" / "a.json"
    there = change(path.read_bytes())
    path.write_bytes(there)
    with behind(tmp_path) as b:
        assert (b.tasks.write_batch({"a": NEW}).edited == ()) is is_ours
        assert is_ours or b.quarantined() == there
    assert on_disk(tmp_path)["rev"] == 5


def test_what_recovery_has_accepted_is_overwritten_and_later_edits_of_it_are_not(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir(parents=True)
    path = tmp_path / "tasks" / "a.json"
    path.write_bytes(task(rev=7))
    with behind(tmp_path) as b:
        b.tasks.remember("a")
        b.tasks.remember("not there")
        assert b.tasks.write_batch({"a": task(rev=8)}).edited == ()
        path.write_bytes(task(rev=8) + b"\n")
        assert len(b.tasks.write_batch({"a": task(rev=9)}).edited) == 1


@pytest.mark.parametrize("plant", ["symlink", "hardlink", "directory"])
def test_what_was_planted_at_a_tasks_name_is_set_aside_and_what_it_leads_to_is_untouched(
    tmp_path: Path, plant: str
) -> None:
    secret = tmp_path / "secret"
    mine = laid_out({"id": "a", "rev": 1})
    secret.write_bytes(mine)
    with behind(tmp_path / "state") as b:
        path = tmp_path / "state" / "tasks" / "a.json"
        if plant == "directory":
            path.mkdir()
        elif plant == "symlink":
            path.symlink_to(secret)
        else:
            path.hardlink_to(secret)
        assert len(b.tasks.write_batch({"a": task()}).edited) == 1
    assert secret.read_bytes() == mine
    assert on_disk(tmp_path / "state")["rev"] == 1
    assert path.stat().st_nlink == 1


def test_a_second_name_that_a_backup_gave_a_file_of_ours_is_no_edit_and_keeps_its_content(tmp_path: Path) -> None:
    with behind(tmp_path / "state") as b:
        b.tasks.write_batch({"a": task()})
        (tmp_path / "backup").hardlink_to(tmp_path / "state" / "tasks" / "a.json")
        assert b.tasks.write_batch({"a": task(rev=2)}).edited == ()
    assert json.loads((tmp_path / "backup").read_bytes())["rev"] == 1


@pytest.mark.parametrize("task_id", ["../x", "/etc/x", "", ".", "..", ".hidden", "a/b", "a\0b"])
def test_an_id_that_could_leave_the_directory_is_refused(tmp_path: Path, task_id: str) -> None:
    with behind(tmp_path / "state") as b, pytest.raises(ValueError, match="not a file name"):
        b.tasks.write_batch({task_id: task(task_id)})
    assert names(tmp_path) == ["state"]


def test_an_id_that_looks_like_a_temporary_name_is_read_back(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.tasks.write_batch({"a.json.tmp-1-1": task("a.json.tmp-1-1")})
        (tmp_path / "tasks" / "b.json.tmp-1-1").write_bytes(b"left by a crash")
        assert list(b.tasks.read_all().rows) == ["a.json.tmp-1-1"]


CALLS = ["open", "write", "fsync", "rename", "sync_dir", "unlink"]


@pytest.mark.parametrize(
    ("call", "effect"),
    [(call, Effect.FAIL) for call in CALLS] + [(call, Effect.HALF_THEN_FAIL) for call in ("write", "rename", "unlink")],
)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_after_a_failure_the_same_batch_succeeds_and_nothing_counts_as_edited(
    tmp_path: Path, call: str, at: int, effect: Effect
) -> None:
    disk = FaultyDisk()
    before: dict[str, bytes | None] = {name: task(name) for name in "abcd"}
    batch: dict[str, bytes | None] = {**{name: task(name, 2) for name in "abc"}, "d": None}
    with behind(tmp_path, disk) as b:
        b.tasks.write_batch(before)
        disk.calls.clear()
        disk.faults = [Fault(call, at, effect)]
        try:
            b.tasks.write_batch(batch)
        except OSError:
            for name in "abc":
                assert on_disk(tmp_path, name)["rev"] in (1, 2)
        disk.faults = []
        assert b.tasks.write_batch(batch).edited == ()
        assert {name: json.loads(row)["rev"] for name, row in b.tasks.read_all().rows.items()} == dict.fromkeys(
            "abc", 2
        )
    assert b.quarantine.kept == []
    assert names(tmp_path / "tasks") == ["a.json", "b.json", "c.json"]


def test_after_a_power_cut_each_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    with behind(tmp_path, disk) as b:
        for rev in (1, 2, 3):
            b.tasks.write_batch({name: task(name, rev, description="d" * 40 * rev) for name in "ab"})
            disk.mark(durable=rev)
        b.tasks.write_batch({"a": None, "b": task("b", 4)})
        disk.mark(durable=4)

    def check(root: Path, marks: Mapping[str, int]) -> None:
        durable = marks.get("durable", 0)
        with behind(root) as again:
            found = again.tasks.read_all()
            assert found.rejected == ()
            revs = {name: json.loads(row)["rev"] for name, row in found.rows.items()}
            assert durable == 0 or durable <= revs["b"] <= durable + 1
            if durable == 4:
                assert "a" not in revs
            again.tasks.write_batch({"a": None, "b": task("b", 9)})
            assert [json.loads(row)["rev"] for row in again.tasks.read_all().rows.values()] == [9]

    verdict = judge(disk.trace, check)
    assert verdict.violation is None, verdict.violation
    assert verdict.states > 50


def test_without_the_sync_of_a_file_the_power_loss_model_finds_an_empty_one(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path, forgets="task_files._prepare:fsync")
    with behind(tmp_path, disk) as b:
        b.tasks.write_batch({"a": task()})

    def check(root: Path, marks: Mapping[str, int]) -> None:
        with behind(root) as again:
            assert again.tasks.read_all().rejected == ()

    assert judge(disk.trace, check).violation is not None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
        lambda value: json.dumps({"id": "a", "x": value}).encode()
    )
)
def test_whatever_stands_in_a_file_it_is_read_or_rejected_with_a_reason(tmp_path: Path, content: bytes) -> None:
    with behind(tmp_path) as b:
        (tmp_path / "tasks" / "a.json").write_bytes(content)
        found = b.tasks.read_all()
        assert ("a" in found.rows) != bool(found.rejected)
        assert all(rejected.reason for rejected in found.rejected)


@pytest.mark.parametrize("content", [b"[" * 2000, b'{"id":"a","x":' + b"[" * 500 + b"]" * 500 + b"}", b'{"id":NaN}'])
def test_what_cannot_be_written_again_is_not_taken_for_a_task(tmp_path: Path, content: bytes) -> None:
    with behind(tmp_path) as b:
        (tmp_path / "tasks" / "a.json").write_bytes(content)
        assert len(b.tasks.read_all().rejected) == 1
        assert len(b.tasks.write_batch({"a": task()}).edited) == 1


def test_there_is_nothing_to_read_where_there_is_no_directory(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        tasks = TaskFiles(Disk(), b.layout, b.quarantine)
        (tmp_path / "tasks").rmdir()
        assert tasks.read_all().rows == {}
