"""What a directory is, before it is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.standing import Standing, classify, read_version
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
