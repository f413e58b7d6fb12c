"""The newest lines in memory: without a gap, and within bounds of number and of bytes."""

from __future__ import annotations

import pytest

from actors.model.keys import Command
from actors.model.recent_lines import RecentLines
from actors.model.state import Line
from tests.kit.decided import START


def line(seq: int, size_bytes: int = 0) -> Line:
    return Line(seq=seq, ts=START, cmd=Command(method="m"), facts=(), size_bytes=size_bytes)


def remembered(lines: list[Line], kept: int = 10, bytes_kept: int = 100) -> list[int]:
    recent = RecentLines(kept, bytes_kept)
    for one in lines:
        recent.add(one)
    return [one.seq for one in recent]


@pytest.mark.parametrize(
    ("sizes_bytes", "seqs"),
    [
        ([0] * 12, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        ([40, 40, 20], [1, 2, 3]),
        ([40, 40, 21], [2, 3]),
        ([40, 40, 1000], [3]),
        ([1000, 1], [2]),
    ],
)
def test_the_oldest_leave_when_there_are_too_many_or_they_are_too_long(sizes_bytes: list[int], seqs: list[int]) -> None:
    assert remembered([line(seq, size) for seq, size in enumerate(sizes_bytes, 1)]) == seqs


def test_a_hole_begins_the_memory_anew_and_the_room_too() -> None:
    assert remembered([line(1, 90), line(3, 50), line(4, 50)]) == [3, 4]


def test_lines_since_a_seq_are_given_only_when_the_oldest_of_them_is_there() -> None:
    recent = RecentLines(2)
    assert recent.since(1) is None
    for seq in (1, 2, 3):
        recent.add(line(seq))
    assert recent.since(1) is None
    assert [one.seq for one in recent.since(3) or ()] == [3]
    assert recent.since(4) == []
