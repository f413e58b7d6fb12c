"""Reports: one readable file each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.storage.reports import UnreadableReport
from tests.kit.behind import behind
from tests.kit.disks import Fault, FaultyDisk

REPORT = b'{"id":"weekly","created_at":"2026-01-01T00:00:00.000Z","data":{"completed":2}}'


def test_a_report_is_an_indented_file_and_is_read_back_compact(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        b.reports.write("weekly", REPORT)
        assert b.reports.read("weekly") == REPORT
        assert b.reports.ids() == ["weekly"]
    path = tmp_path / "reports" / "report_weekly.json"
    assert path.read_text().startswith('{\n  "id": "weekly",\n')
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_report_that_is_not_there_is_none(tmp_path: Path) -> None:
    with behind(tmp_path) as b:
        assert b.reports.read("weekly") is None
        (tmp_path / "reports").rmdir()
        assert b.reports.ids() == []


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"id":"other","data":1}', b'{"id":"weekly"}', b'{"id":"weekly","data":NaN}', b"[" * 2000],
)
def test_a_damaged_report_is_told_with_a_reason_and_left_where_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "reports" / "report_weekly.json"
    with behind(tmp_path) as b:
        path.write_bytes(content)
        found = b.reports.read("weekly")
        assert isinstance(found, UnreadableReport)
        assert found.reason
    assert path.read_bytes() == content


def test_a_failed_write_leaves_the_old_report(tmp_path: Path) -> None:
    disk = FaultyDisk()
    with behind(tmp_path, disk) as b:
        b.reports.write("weekly", REPORT)
        for call in ("write", "fsync", "rename"):
            disk.calls.clear()
            disk.faults = [Fault(call)]
            with pytest.raises(OSError, match="Input/output error"):
                b.reports.write("weekly", REPORT.replace(b"2}", b"3}"))
            assert b.reports.read("weekly") == REPORT
        disk.faults = []
        b.reports.write("weekly", REPORT.replace(b"2}", b"3}"))
        assert json.loads((tmp_path / "reports" / "report_weekly.json").read_bytes())["data"] == {"completed": 3}


def test_a_link_planted_at_a_reports_name_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(REPORT)
    with behind(tmp_path / "state") as b:
        (tmp_path / "state" / "reports" / "report_weekly.json").symlink_to(secret)
        assert isinstance(b.reports.read("weekly"), UnreadableReport)
        b.reports.write("weekly", REPORT.replace(b"2}", b"3}"))
    assert secret.read_bytes() == REPORT
