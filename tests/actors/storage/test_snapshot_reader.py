"""FAULTS rows 12 and 13: whole and exact, or line by line what can be proven, and never a wrong record."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.storage.codec import salt_of, seal
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.snapshot_form import SECTIONS
from actors.storage.snapshot_reader import REJECTED_MAX, Problem, SnapshotImage, read_snapshot
from tests.kit.disks import Fault, FaultyDisk
from tests.kit.journals import state_directory
from tests.kit.powerloss import scratch
from tests.kit.snapshots import RUNS, TASKS, TOMBSTONES, write_snapshot

WRITTEN = {"tasks": TASKS, "runs": RUNS, "tombstones": TOMBSTONES}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return state_directory(tmp_path)


def read_bytes(layout: Layout, content: bytes) -> SnapshotImage:
    layout.state.write_bytes(content)
    return read_snapshot(Disk(), layout.state)


def assert_only_what_was_written(image: SnapshotImage) -> None:
    for name, rows in image.sections.items():
        assert set(rows) <= set(WRITTEN.get(name, ()))


def count_of(image: SnapshotImage) -> int:
    return sum(map(len, image.sections.values()))


def test_every_flipped_byte_is_found_and_costs_at_most_the_record_it_is_in(layout: Layout) -> None:
    write_snapshot(layout, 7)
    whole = layout.state.read_bytes()
    digits = range(whole.index(b'"2.0.0"') + 1, whole.index(b'"2.0.0"') + 6)
    for at in range(len(whole)):
        for flipped in (whole[at] ^ 0x01, whole[at] ^ 0x80, 0x0A):
            if flipped != whole[at]:
                image = read_bytes(layout, whole[:at] + bytes([flipped]) + whole[at + 1 :])
                assert not image.whole, at
                assert image.problem is not Problem.NEWER or at in digits, at
                assert_only_what_was_written(image)
                assert count_of(image) >= 9 - 2, at


def test_a_file_of_many_chunks_is_read_whole_and_a_flipped_bit_in_any_of_them_is_found(layout: Layout) -> None:
    tasks = [b'{"id":"task_%d","description":"%b","rev":1}' % (number, b"x" * 600) for number in range(5000)]
    write_snapshot(layout, 7, tasks)
    whole = layout.state.read_bytes()
    image = read_snapshot(Disk(), layout.state)
    assert image.whole
    assert image.sections["tasks"] == tasks
    for at in range(len(whole) // 8, len(whole), len(whole) // 4):
        damaged = read_bytes(layout, whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :])
        assert damaged.problem is Problem.CHECKSUM, at
        assert len(damaged.sections["tasks"]) >= 4998, at


def test_a_file_cut_anywhere_gives_the_records_before_the_cut(layout: Layout) -> None:
    write_snapshot(layout, 7)
    whole = layout.state.read_bytes()
    for length in range(len(whole)):
        image = read_bytes(layout, whole[:length])
        assert image.problem in (Problem.EMPTY, Problem.FORM, Problem.TRUNCATED)
        assert_only_what_was_written(image)
        assert count_of(image) >= whole[:length].count(b'"}\n') + whole[:length].count(b'"},\n{') - 4


def test_a_lost_page_does_not_put_records_under_another_heading(layout: Layout) -> None:
    write_snapshot(layout, 7)
    whole = layout.state.read_bytes()
    begin, end = whole.index(b'"rev":5'), whole.index(b'"pid":77')
    for filler in (b"", bytes(end - begin)):
        image = read_bytes(layout, whole[:begin] + filler + whole[end:])
        assert image.sections["tasks"] == TASKS[:4]
        assert image.sections["runs"] == RUNS[1:]
        assert image.sections["tombstones"] == TOMBSTONES


def test_what_is_rejected_is_told_with_line_reason_and_excerpt(layout: Layout) -> None:
    write_snapshot(layout, 7)
    lines = layout.state.read_bytes().split(b"\n")
    at = next(number for number, line in enumerate(lines, 1) if b"task_3" in line)
    image = read_bytes(layout, b"\n".join(lines).replace(b'"task_3"', b'"task_X"'))
    (rejected,) = image.rejected
    assert (rejected.line, rejected.excerpt[:14]) == (at, '{"id":"task_X"')
    assert "checksum" in rejected.reason
    assert image.sections["tasks"] == TASKS[:3] + TASKS[4:]
    assert image.seq == 7


def test_a_thousand_rejected_lines_are_listed_and_the_rest_counted(layout: Layout) -> None:
    write_snapshot(layout, 7, [b'{"id":"%d"}' % number for number in range(1500)])
    image = read_bytes(layout, layout.state.read_bytes().replace(b'{"id":"', b'{"id":"0'))
    assert len(image.rejected) == REJECTED_MAX
    assert image.rejected_omitted == 1503 - REJECTED_MAX


@pytest.mark.parametrize("version", ["2.1.0", "3.0.0", "12.0.0"])
def test_a_newer_version_is_believed_whatever_the_checksum_says(version: str, layout: Layout) -> None:
    write_snapshot(layout, 7)
    whole = layout.state.read_bytes()
    newer = whole.replace(b'"2.0.0"', b'"%b"' % version.encode())
    assert read_bytes(layout, newer).problem is Problem.NEWER
    assert read_bytes(layout, newer.replace(b"task_3", b"task_4")).problem is Problem.NEWER
    assert read_bytes(layout, newer[:-200]).problem is Problem.NEWER
    assert read_bytes(layout, b'{"version": "%b", "rows": []}' % version.encode()).problem is Problem.NEWER


PLANTED = {
    "missing": (lambda path: None, Problem.MISSING),
    "a directory": (lambda path: path.mkdir(), Problem.NOT_A_FILE),
    "empty": (lambda path: path.touch(), Problem.EMPTY),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), Problem.ZEROS),
    "somebody else's": (lambda path: path.write_bytes(b'{"a": 1}'), Problem.FORM),
    "of version 1": (lambda path: path.write_bytes(b'{"version": "1.0.0", "tasks": []}'), Problem.FORM),
    "a symbolic link": (lambda path: path.symlink_to("elsewhere"), Problem.LINK),
    "a link in a circle": (lambda path: path.symlink_to(path.name), Problem.LINK),
}


@pytest.mark.parametrize(("plant", "problem"), PLANTED.values(), ids=PLANTED.keys())
def test_what_stands_in_its_place_is_told_and_nothing_is_raised(
    plant: object, problem: Problem, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    assert callable(plant)
    plant(path)
    image = read_snapshot(Disk(), path)
    assert image.problem is problem
    assert image.header.get("seq") is None
    assert count_of(image) == 0


def test_a_file_with_too_many_names_and_one_the_disk_refuses_are_told(layout: Layout) -> None:
    write_snapshot(layout, 7)
    for name in ("one", "two"):
        (layout.root / name).hardlink_to(layout.state)
    assert read_snapshot(Disk(), layout.state).problem is Problem.LINK
    (layout.root / "two").unlink()
    assert read_snapshot(Disk(), layout.state).whole
    image = read_snapshot(FaultyDisk([Fault("pread", at=3)]), layout.state)
    assert image.problem is Problem.UNREADABLE
    assert "EIO" in image.detail


RECORDS = st.sampled_from([seal(row, salt_of(name)) for name, rows in WRITTEN.items() for row in rows])
LINES = st.one_of(
    RECORDS,
    RECORDS.map(lambda line: line + b","),
    st.sampled_from([b'"%b":[' % name.encode() for name in SECTIONS]),
    st.sampled_from([b"{", b"],", b'"version":"2.0.0",', b'"seq":7,', b'"seq":[],', b'"daemon":{},', b"\0" * 9, b"}"]),
    st.binary(max_size=40),
)


@given(st.lists(LINES, max_size=20), st.booleans())
def test_no_content_makes_reading_raise_or_give_out_a_record_that_was_not_sealed(
    lines: list[bytes], has_head: bool
) -> None:
    head = [b"{", b'"version":"2.0.0",', b'"seq":7,', b'"epoch":1,', b'"last_saved":"x",'] if has_head else []
    with scratch() as parent:
        image = read_bytes(state_directory(parent), b"\n".join(head + lines))
        assert not image.whole
        assert_only_what_was_written(image)
        assert isinstance(image.seq, int)
