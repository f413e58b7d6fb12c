"""One line judged, lines found in damaged bytes, and segments read in bounded memory."""

from __future__ import annotations

import errno
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.storage import journal_lines
from actors.storage.codec import Bad, crc_hex
from actors.storage.files import Disk
from actors.storage.journal_lines import FIRST_PREV, Frame, Line, SegmentReader, format_lines, parse_line, salvage
from tests.kit.disks import Fault, FaultyDisk
from tests.kit.toy_store import body_of


def make_line(seq: int, durable: int = 0, body: bytes | None = None) -> bytes:
    pieces, _ = format_lines([body or body_of(seq)], seq, durable, FIRST_PREV)
    return b"".join(pieces)[:-1]


def with_crc(covered: bytes) -> bytes:
    return covered + b',"crc":"' + crc_hex(covered) + b'"}'


@given(st.integers(1, 10**19), st.integers(0, 10**19), st.binary(min_size=1).filter(lambda body: b"\n" not in body))
def test_what_was_made_is_read_back(seq: int, durable: int, body: bytes) -> None:
    pieces, crc = format_lines([body], seq, durable, b"0123abcd")
    raw = b"".join(pieces)[:-1]
    line = parse_line(raw)
    # A body without a comma could look like part of the number before it; the writer's bodies are members of JSON.
    if isinstance(line, Line):
        assert line == Line(seq, durable, body, b"0123abcd", crc, raw)


NOT_OURS = {
    "empty": (b"", Bad.EMPTY),
    "zeros": (b"\0" * 50, Bad.ZEROS),
    "short": (b'{"v":1}', Bad.SHORT),
    "no crc": (b'{"v":1,"seq":1,"durable":0,"ts":"t","prev":"00000000"}', Bad.UNSEALED),
    "wrong crc": (make_line(5)[:-10] + b'00000000"}', Bad.CRC),
    "newer": (with_crc(b'{"v":2,"number":1'), Bad.NEWER),
    "no prev": (with_crc(b'{"v":1,"seq":1,"durable":0,"ts":"t"'), Bad.FORM),
    "no durable": (with_crc(b'{"v":1,"seq":1,"ts":"t","prev":"00000000"'), Bad.FORM),
    "a seq that is no number": (with_crc(b'{"v":1,"seq":+1,"durable":0,"ts":"t","prev":"00000000"'), Bad.FORM),
    "a seq of 5000 digits": (with_crc(b'{"v":1,"seq":' + b"9" * 5000 + b',"durable":0,"prev":"00000000"'), Bad.FORM),
    "another object": (with_crc(b'{"id":"task_1"'), Bad.FORM),
}


@pytest.mark.parametrize(("frame", "reason"), NOT_OURS.values(), ids=NOT_OURS.keys())
def test_why_bytes_are_no_line_is_told(frame: bytes, reason: Bad) -> None:
    assert parse_line(frame) is reason


@given(st.binary(max_size=300))
def test_no_bytes_make_parsing_or_salvaging_raise(data: bytes) -> None:
    assert isinstance(parse_line(data), Bad)
    assert salvage(data + with_crc(data)) == []


def test_every_flipped_bit_of_a_line_is_found() -> None:
    raw = make_line(12, 11)
    for at in range(len(raw)):
        for bit in range(8):
            damaged = bytearray(raw)
            damaged[at] ^= 1 << bit
            assert isinstance(parse_line(bytes(damaged)), Bad)


def test_two_lines_that_fused_and_a_line_after_garbage_are_found() -> None:
    first, second = make_line(5), make_line(6)
    assert [line.seq for line in salvage(first + b"\x0b" + second)] == [5, 6]
    assert [line.seq for line in salvage(b"\0\0garbage" + second)] == [6]
    assert [line.seq for line in salvage(first + b"garbage")] == [5]
    assert salvage(b"garbage" + first + b"garbage") == []


def test_a_line_that_somebody_stored_as_a_value_is_never_taken_for_one() -> None:
    stored = make_line(999, 998)
    outer = make_line(5, body=b'"ts":"t","facts":[{"result":%b}]' % stored)
    assert [line.seq for line in salvage(b"X" + outer)] == [5]
    assert salvage(outer[:-3]) == []
    damaged = bytearray(outer)
    damaged[20] ^= 1
    assert salvage(bytes(damaged)) == []


def frames_of(path: Path, content: bytes) -> list[Frame]:
    path.write_bytes(content)
    return list(SegmentReader(Disk(), path))


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    content = b"a\rb\x1c\xc2\x85\xe2\x80\xa8c\nd\n"
    frames = frames_of(tmp_path / "segment", content)
    assert [frame.data for frame in frames] == [b"a\rb\x1c\xc2\x85\xe2\x80\xa8c", b"d"]
    assert [frame.offset for frame in frames] == [0, 11]


@pytest.mark.parametrize("zeros", [1, 5000, (1 << 20) + 17, 3 << 20])
def test_zeros_to_the_end_are_the_normal_end_and_zeros_before_a_line_are_not(zeros: int, tmp_path: Path) -> None:
    path = tmp_path / "segment"
    frames = frames_of(path, b"a\n" + bytes(zeros))
    assert [(frame.data, frame.problem) for frame in frames] == [(b"a", None)]
    frames = frames_of(path, b"a\n" + bytes(zeros) + b"b\nc\n")
    assert [frame.offset for frame in frames] == [0, 2, 2 + zeros + 2]
    assert frames[1].data[0] == 0
    assert frames[1].data[-1:] == b"b"
    assert frames[1].length_bytes == zeros + 2
    reader = SegmentReader(Disk(), path)
    list(reader)
    assert reader.content_end == reader.size_bytes == 2 + zeros + 4


def test_a_line_cut_short_is_told_with_the_zeros_after_it_left_out(tmp_path: Path) -> None:
    frames = frames_of(tmp_path / "segment", b"a\nhalf" + bytes(100))
    assert frames[1] == Frame(2, b"half", 4, Bad.UNFINISHED)


def test_a_line_without_end_is_given_up_and_the_next_one_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_lines, "LINE_BYTES_MAX", 3 << 20)
    frames = frames_of(tmp_path / "segment", b"a\n" + b"x" * (9 << 20) + b"\nb\n")
    assert [frame.problem for frame in frames].count(Bad.TOO_LONG) >= 2
    assert frames[0].data == b"a"
    assert frames[-1].data == b"b"
    assert sum(frame.length_bytes for frame in frames) == (9 << 20) + 5


def test_a_place_that_the_disk_cannot_read_ends_the_frames_with_that_reason(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"a\n")
    frames = list(SegmentReader(FaultyDisk([Fault("pread", at=2)]), path))
    assert [frame.problem for frame in frames] == [None, Bad.UNREADABLE]
    with pytest.raises(PermissionError):
        list(SegmentReader(FaultyDisk([Fault("pread", at=1, error=errno.EACCES)]), path))


def test_reading_a_long_segment_holds_little_of_it(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes((make_line(1) + b"\n") * 100_000 + bytes(20 << 20))
    tracemalloc.start()
    try:
        count = sum(1 for _ in SegmentReader(Disk(), path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 100_000
    assert peak < 8 << 20
