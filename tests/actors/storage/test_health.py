"""What is counted of a state directory."""

from __future__ import annotations

from pathlib import Path

from actors.storage.files import Disk
from actors.storage.health import files_by_kind
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
