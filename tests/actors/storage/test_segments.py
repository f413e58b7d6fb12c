"""Segments come into being complete and go from the oldest on."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.model.errors import StorageFailed
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.segments import begin_segment, remove_segments, write_segment
from tests.kit.disks import Fault, FaultyDisk, RecordingDisk
from tests.kit.journals import scan_all, state_directory, write_batches


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return state_directory(tmp_path)


def firsts(layout: Layout) -> list[int]:
    return [segment.first_seq for segment in layout.segments(Disk())]


def test_a_segment_has_its_zeros_and_its_name_before_it_is_used(layout: Layout) -> None:
    descriptor, path = begin_segment(Disk(), layout, 7, preallocate_bytes=500)
    Disk().close(descriptor)
    assert path == layout.segment(7)
    assert path.read_bytes() == bytes(500)


def test_a_blank_segment_is_replaced_and_one_with_lines_is_not(layout: Layout) -> None:
    layout.segment(7).write_bytes(bytes(9))
    descriptor, path = begin_segment(Disk(), layout, 7)
    Disk().close(descriptor)
    assert path.read_bytes() == b""
    path.write_bytes(b"\0line\n")
    with pytest.raises(StorageFailed, match="still holds lines"):
        begin_segment(Disk(), layout, 7)


@pytest.mark.parametrize("call", ["open", "pwrite", "fsync", "rename"])
def test_a_segment_that_cannot_be_begun_leaves_nothing_behind(call: str, layout: Layout) -> None:
    with pytest.raises(OSError, match="Input/output"):
        begin_segment(FaultyDisk([Fault(call)]), layout, 7, preallocate_bytes=10)
    assert list(layout.journal.iterdir()) == []


def test_a_segment_that_cannot_be_written_leaves_the_journal_as_it_was(layout: Layout) -> None:
    path = write_batches(layout, 3)
    with pytest.raises(OSError, match="Input/output"):
        write_segment(FaultyDisk([Fault("fsync")]), layout, 2, [b"line\n"])
    assert list(layout.journal.iterdir()) == [path]


@pytest.mark.parametrize(
    ("needed_after", "left"),
    [(0, [1, 4, 6, 9]), (2, [1, 4, 6, 9]), (3, [4, 6, 9]), (7, [6, 9]), (8, [9]), (99, [9])],
)
def test_only_segments_wholly_covered_are_removed_and_never_the_last(
    needed_after: int, left: list[int], layout: Layout
) -> None:
    for first, count in ((1, 3), (4, 2), (6, 3), (9, 1)):
        write_batches(layout, count, first_seq=first)
    removed = remove_segments(Disk(), layout, needed_after)
    assert firsts(layout) == left
    assert len(removed) == 4 - len(left)
    seqs, report = scan_all(layout, min(needed_after, 8))
    assert seqs == list(range(min(needed_after, 8) + 1, 10))
    assert report.damages == ()


def test_each_removal_is_durable_before_the_next(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    layout = state_directory(tmp_path, disk)
    for first in (1, 2, 3):
        write_batches(layout, 1, first_seq=first)
    disk = RecordingDisk(tmp_path)
    remove_segments(disk, layout, 2)
    kinds = [type(operation).__name__ for operation in disk.trace.operations]
    assert kinds == ["Leave", "SyncDirectory", "Leave", "SyncDirectory"]
