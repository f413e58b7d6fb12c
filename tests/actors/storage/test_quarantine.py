"""Damage is set aside, durably, with a report of what and why; the original goes only after that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.quarantine import Quarantine
from tests.kit.disks import RecordingDisk
from tests.kit.journals import state_directory
from tests.kit.powerloss import judge


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return state_directory(tmp_path)


def report_of(quarantine: Quarantine) -> list[dict[str, object]]:
    assert quarantine.directory is not None
    report = json.loads((quarantine.directory / "report.json").read_bytes())
    assert (report["v"], report["stamp"]) == (1, "stamp")
    items: list[dict[str, object]] = report["items"]
    return items


def test_nothing_is_made_while_there_is_nothing_to_keep(layout: Layout) -> None:
    assert Quarantine(Disk(), layout, "stamp").directory is None
    assert list(layout.quarantine.iterdir()) == []


def test_every_way_of_keeping_is_told_in_the_report(layout: Layout) -> None:
    quarantine = Quarantine(Disk(), layout, "stamp")
    state = layout.state
    state.write_bytes(b"0123456789")
    assert quarantine.keep_bytes(state, 3, 4, "part").read_bytes() == b"3456"
    assert quarantine.keep_copy(state, "copy").read_bytes() == b"0123456789"
    assert quarantine.keep_link(state, "link").samefile(state)
    assert quarantine.keep_file(state, "moved").read_bytes() == b"0123456789"
    assert not state.exists()
    items = report_of(quarantine)
    assert [(item["source"], item["offset"], item["bytes"], item["reason"]) for item in items] == [
        ("state.json", 3, 4, "part"),
        ("state.json", 0, 10, "copy"),
        ("state.json", 0, 10, "link"),
        ("state.json", 0, 10, "moved"),
    ]
    assert len({item["file"] for item in items}) == 4


def test_two_pieces_of_one_name_and_two_recoveries_of_one_stamp_do_not_meet(layout: Layout) -> None:
    for content in (b"one", b"two"):
        quarantine = Quarantine(Disk(), layout, "stamp")
        for _ in range(2):
            layout.state.write_bytes(content)
            quarantine.keep_file(layout.state, "again")
    pieces = [path for path in layout.quarantine.glob("*/*") if path.name != "report.json"]
    assert sorted(path.read_bytes() for path in pieces) == [b"one", b"one", b"two", b"two"]


def test_a_directory_and_a_link_in_the_place_of_a_file_are_moved_as_they_are(layout: Layout) -> None:
    (layout.root / "outside").write_bytes(b"not ours")
    layout.state.mkdir()
    (layout.state / "inside").write_bytes(b"x")
    quarantine = Quarantine(Disk(), layout, "stamp")
    moved = quarantine.keep_file(layout.state, "a directory")
    assert (moved / "inside").read_bytes() == b"x"
    layout.state.symlink_to(layout.root / "outside")
    assert quarantine.keep_file(layout.state, "a link").is_symlink()
    assert not layout.state.is_symlink()
    assert (layout.root / "outside").read_bytes() == b"not ours"


def test_no_power_cut_loses_what_is_being_set_aside(layout: Layout) -> None:
    layout.state.write_bytes(b"precious damage")
    disk = RecordingDisk(layout.root)
    Quarantine(disk, layout, "stamp").keep_file(layout.state, "moved")
    disk.mark(moved=1)

    def check(directory: Path, marks: Mapping[str, int]) -> None:
        places = [path for path in directory.rglob("state.json*") if path.read_bytes() == b"precious damage"]
        assert places
        if marks.get("moved"):
            (place,) = places
            report = json.loads((place.parent / "report.json").read_bytes())
            assert report["items"][0]["reason"] == "moved"

    verdict = judge(disk.trace, check)
    assert verdict.violation is None, str(verdict.violation)
    assert verdict.states > 20
