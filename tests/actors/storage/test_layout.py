"""Where things lie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.layout import DIRECTORIES, Layout, stamp_of


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
