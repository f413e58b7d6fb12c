"""Where things lie, and what a directory is before it is touched."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.layout import DIRECTORIES, Layout, Standing, classify, read_version, stamp_of
from tests.kit.journals import tree_of

TASK = json.dumps({"id": "task_1", "description": "d", "status": "pending"})
CASES = {
    "nothing in it": ({}, Standing.EMPTY),
    "a file system of its own": ({"lost+found/": ""}, Standing.EMPTY),
    "a snapshot": ({"state.json": '{\n"version":"2.0.0",\n"seq":1,'}, Standing.OURS),
    "a snapshot somebody formatted": ({"state.json": '{"version": "2.0.0", "tasks": []}'}, Standing.OURS),
    "a snapshot of a newer version": ({"state.json": '{"version":"3.1.0"}'}, Standing.OURS),
    "a damaged snapshot": ({"state.json": "\0\0\0"}, Standing.OURS),
    "an identity": ({"identity.json": "{}"}, Standing.OURS),
    "a lock": ({"perdure.lock": ""}, Standing.OURS),
    "a backup": ({"state.backup.20260101T000000.000000Z.7.json": ""}, Standing.OURS),
    "a journal": ({f"journal/{1:020d}.jsonl": ""}, Standing.OURS),
    "a first start cut short": ({"journal/": "", "tasks/": ""}, Standing.OURS),
    "only a temporary of the first start": ({"identity.json.tmp-1-1": ""}, Standing.EMPTY),
    "a spool": ({"spool/": ""}, Standing.OURS),
    "version 1": ({"state.json": '{"version":"1.0.0","tasks":[]}'}, Standing.VERSION_1),
    "version 1 and our lock": ({"state.json": '{"version":"1.2.0"}', "perdure.lock": ""}, Standing.VERSION_1),
    "no version, but tasks": ({"state.json": '{"tasks":[]}'}, Standing.VERSION_1),
    "version 1, damaged": (
        {"state.json": "{", "state.backup.2024-01-01T11-21-00-000Z.json": ""},
        Standing.VERSION_1,
    ),
    "task files of version 1": ({"tasks/task_1.json": TASK}, Standing.VERSION_1),
    "somebody's project": ({"main.py": "", "tasks/": ""}, Standing.FOREIGN),
    "somebody's state.json": ({"state.json": '{"players": []}'}, Standing.FOREIGN),
    "somebody's journal": ({"journal/2024.md": "dear diary"}, Standing.FOREIGN),
    "somebody's tasks": ({"tasks/task.json": "[]"}, Standing.FOREIGN),
}


@pytest.mark.parametrize(("files", "standing"), CASES.values(), ids=CASES.keys())
def test_a_directory_is_told_by_its_marks_and_left_as_it_is(
    files: dict[str, str], standing: Standing, tmp_path: Path
) -> None:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(content)
    before = tree_of(tmp_path)
    assert classify(Disk(), Layout(tmp_path)) is standing
    assert tree_of(tmp_path) == before


def test_a_directory_that_is_missing_or_a_file_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert classify(Disk(), Layout(tmp_path / "none")) is Standing.MISSING
    assert classify(Disk(), Layout(tmp_path / "file")) is Standing.NOT_A_DIRECTORY


def test_segments_are_ordered_by_seq_and_other_names_are_none(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.segments(Disk()) == []
    layout.make_directories(Disk())
    for seq in (100, 9, 11):
        layout.segment(seq).touch()
    for name in ("5.jsonl", f"{0:020d}.jsonl", f"{7:020d}.jsonl.tmp-1-1", "notes"):
        (layout.journal / name).touch()
    assert [segment.first_seq for segment in layout.segments(Disk())] == [9, 11, 100]
    assert [path.name for path in layout.temporaries(Disk())] == [f"{7:020d}.jsonl.tmp-1-1"]


def test_backups_are_ordered_by_seq_whatever_the_clock_said(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for stamp, seq in (("20300101T000000.000000Z", 5), ("20200101T000000.000000Z", 50), ("20250101T000000.000000Z", 7)):
        layout.backup(stamp, seq).touch()
    (tmp_path / "state.backup.2024-01-01T11-21-00-000Z.json").touch()
    assert [backup.seq for backup in layout.backups(Disk())] == [5, 7, 50]
    assert [path.name for path in layout.backups_v1(Disk())] == ["state.backup.2024-01-01T11-21-00-000Z.json"]


def test_directories_are_made_once_and_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state")
    assert layout.make_directories(Disk()) == [".", *DIRECTORIES]
    assert layout.make_directories(Disk()) == []


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../x", "a\0b"])
def test_a_name_that_could_leave_its_directory_never_becomes_a_path(name: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for make in (layout.task_file, layout.session_file, layout.session_log, layout.task_log, layout.report_file):
        with pytest.raises(ValueError, match="not a file name"):
            make(name)


def test_stamps_are_utc_sort_by_time_and_hold_nothing_that_a_file_system_refuses() -> None:
    moment = datetime(2026, 5, 4, 3, 2, 1, 42, tzinfo=timezone(timedelta(hours=2)))
    assert stamp_of(moment) == "20260504T010201.000042Z"
    assert stamp_of(moment) < stamp_of(datetime(2026, 5, 4, 1, 2, 1, 43, tzinfo=UTC))


@pytest.mark.parametrize(
    ("content", "version"),
    [
        ('{"version":"2.0.0"', (2, 0)),
        ('{ "x": 1, "version" : "10.3"', (10, 3)),
        ('{"version":"1"}', (1, 0)),
        ('{"version":2}', None),
        ("", None),
    ],
)
def test_the_version_is_read_from_the_beginning_of_any_state(
    content: str, version: tuple[int, int] | None, tmp_path: Path
) -> None:
    (tmp_path / "state.json").write_text(content)
    assert read_version(Disk(), tmp_path / "state.json") == version
    assert read_version(Disk(), tmp_path / "none") is None
