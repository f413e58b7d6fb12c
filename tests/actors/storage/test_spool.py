"""What the session hook left: read in order, removed when told, and set aside when it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from actors.storage.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    layout = Layout(tmp_path)
    return Spool(Disk(), layout, Quarantine(Disk(), layout, "20260101T000000.000000Z"))


def left(tmp_path: Path, name: str, content: bytes = b"{}") -> None:
    (tmp_path / "spool").mkdir(exist_ok=True)
    (tmp_path / "spool" / name).write_bytes(content)


def test_files_are_read_the_oldest_first_and_stay_until_they_are_removed(tmp_path: Path, spool: Spool) -> None:
    for name in ("b.json", "a.json", "c.json"):
        left(tmp_path, name, name.encode())
    assert spool.read(2) == [("a.json", b"a.json"), ("b.json", b"b.json")]
    spool.remove("a.json")
    spool.remove("a.json")
    assert [name for name, _content in spool.read(9)] == ["b.json", "c.json"]


def test_what_is_not_in_its_place_yet_is_not_looked_at(tmp_path: Path, spool: Spool) -> None:
    left(tmp_path, "a.json.tmp-1234")
    left(tmp_path, "notes.txt")
    assert spool.read(9) == []


def test_without_a_spool_there_is_nothing(spool: Spool) -> None:
    assert spool.read(9) == []
    spool.remove("a.json")
    spool.set_aside("a.json", "why")


def test_what_cannot_be_read_is_set_aside_and_the_others_are_read(tmp_path: Path, spool: Spool) -> None:
    left(tmp_path, "b.json")
    (tmp_path / "spool" / "a.json").symlink_to("/etc/passwd")
    assert [name for name, _content in spool.read(9)] == ["b.json"]
    assert [path.name for path in (tmp_path / "quarantine").rglob("a.json")] == ["a.json"]
    assert not (tmp_path / "spool" / "a.json").is_symlink()


def test_what_is_set_aside_is_kept_with_its_reason(tmp_path: Path, spool: Spool) -> None:
    left(tmp_path, "a.json", b"rubbish")
    spool.set_aside("a.json", "it says nothing")
    (kept,) = (tmp_path / "quarantine").rglob("a.json")
    assert kept.read_bytes() == b"rubbish"
    assert "it says nothing" in (kept.parent / "report.json").read_text()
