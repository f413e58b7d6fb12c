"""FAULTS rows 8 and 10-12 for the journal: torn is told from damaged, nothing good is lost, no bytes make it raise."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.model.errors import IncompatibleVersion
from actors.storage.codec import Bad, crc_hex
from actors.storage.files import Disk
from actors.storage.journal_report import DAMAGES_MAX
from actors.storage.journal_scan import Scan
from actors.storage.layout import Layout
from tests.kit.disks import Fault, FaultyDisk
from tests.kit.journals import lines_of, scan_all, settle, state_directory, write_batches
from tests.kit.powerloss import scratch
from tests.kit.toy_store import body_of


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return state_directory(tmp_path)


def change(path: Path, at: int, how: Callable[[list[bytes], int], list[bytes]]) -> None:
    """Change the lines of a segment at line number `at` (from 1)."""
    path.write_bytes(b"".join(how(lines_of(path), at - 1)))


def flip(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], bytes([lines[at][0] ^ 1]) + lines[at][1:], *lines[at + 1 :]]


def delete(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], *lines[at + 1 :]]


def duplicate(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at], *lines[at:]]


def swap_with_next(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def zero(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], bytes(len(lines[at])), *lines[at + 1 :]]


def fuse_with_next(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at][:-1] + b"\x0b" + lines[at + 1], *lines[at + 2 :]]


def test_an_empty_journal_begins_at_one_or_after_the_base(layout: Layout) -> None:
    seqs, report = scan_all(layout)
    assert (seqs, report.next_seq, report.tail, report.missing) == ([], 1, None, ())
    assert scan_all(layout, after_seq=7)[1].next_seq == 8


def test_a_clean_journal_gives_every_line_in_order_over_its_segments(layout: Layout) -> None:
    write_batches(layout, 3, 2)
    write_batches(layout, 4, first_seq=6)
    seqs, report = scan_all(layout)
    assert seqs == list(range(1, 10))
    assert (report.next_seq, report.durable, report.lines, report.segments) == (10, 5, 9, 2)
    assert (report.torn, report.damages, report.missing, report.superseded) == (None, (), (), ())


def test_what_the_base_covers_is_not_given_out_and_segments_below_it_are_not_read(layout: Layout) -> None:
    write_batches(layout, 5).write_bytes(b"damaged, but covered")
    write_batches(layout, 5, first_seq=6)
    assert scan_all(layout, after_seq=8)[0] == [9, 10]
    seqs, report = scan_all(layout, after_seq=5)
    assert seqs == [6, 7, 8, 9, 10]
    assert report.damages == ()


CASES = {
    # Batches of 3, 3 and 2: lines 7 and 8 say that 6 is durable, and nothing says so of themselves.
    "a flipped byte": (flip, 4, [1, 2, 3, 5, 6, 7, 8], ((4, 4),), Bad.CRC),
    "a line deleted": (delete, 4, [1, 2, 3, 5, 6, 7, 8], ((4, 4),), Bad.MISSING),
    "the first line deleted": (delete, 1, [2, 3, 4, 5, 6, 7, 8], ((1, 1),), Bad.MISSING),
    "a line twice": (duplicate, 4, [1, 2, 3, 4, 5, 6, 7, 8], (), Bad.REPEATED),
    "two lines swapped": (swap_with_next, 4, [1, 2, 3, 5, 4, 6, 7, 8], (), Bad.MISSING),
    "a line of zeros": (zero, 4, [1, 2, 3, 5, 6, 7, 8], ((4, 4),), Bad.ZEROS),
    "a line feed lost": (fuse_with_next, 4, [1, 2, 3, 4, 5, 6, 7, 8], (), Bad.CRC),
    "the last durable line": (flip, 6, [1, 2, 3, 4, 5, 7, 8], ((6, 6),), Bad.CRC),
}


@pytest.mark.parametrize(("how", "at", "seqs", "missing", "reason"), CASES.values(), ids=CASES.keys())
def test_damage_at_or_below_durable_is_told_exactly_and_every_good_line_is_kept(
    how: Callable[[list[bytes], int], list[bytes]],
    at: int,
    seqs: list[int],
    missing: tuple[tuple[int, int], ...],
    reason: Bad,
    layout: Layout,
) -> None:
    path = write_batches(layout, 3, 3, 2)
    change(path, at, how)
    found, report = scan_all(layout)
    assert found == seqs
    assert report.missing == missing
    assert report.torn is None
    assert report.damages[0].reason is reason
    assert (report.damages[0].path, report.damages[0].line) == (path, at + (how is duplicate))
    assert len(report.damages) <= 2
    assert report.next_seq == 9


@pytest.mark.parametrize("how", [flip, delete, zero], ids=lambda how: how.__name__)
def test_above_durable_the_journal_ends_at_the_first_bad_line_whatever_follows(
    how: Callable[[list[bytes], int], list[bytes]], layout: Layout
) -> None:
    path = write_batches(layout, 3, 4)
    offset = sum(map(len, lines_of(path)[:4]))
    change(path, 5, how)
    seqs, report = scan_all(layout)
    assert seqs == [1, 2, 3, 4]
    assert report.torn is not None
    assert (report.torn.path, report.torn.line, report.torn.offset) == (path, 5, offset)
    assert (report.damages, report.missing, report.next_seq) == ((), (), 5)


def test_a_line_of_a_former_life_after_the_end_is_cut(layout: Layout) -> None:
    path = write_batches(layout, 3, 2)
    stale = lines_of(path)[3]
    change(path, 4, lambda lines, _: [*lines, stale])
    seqs, report = scan_all(layout)
    assert seqs == [1, 2, 3, 4, 5]
    assert report.torn is not None
    assert report.torn.reason is Bad.REPEATED


def test_a_line_that_follows_another_history_is_told_by_prev(layout: Layout) -> None:
    other = state_directory(layout.root / "other")
    foreign = write_batches(other, 3, 3, last_crc=b"deadbeef")
    path = write_batches(layout, 3, 3, 1)
    change(path, 4, lambda lines, at: [*lines[:at], lines_of(foreign)[at], *lines[at + 1 :]])
    seqs, report = scan_all(layout)
    assert seqs == list(range(1, 8))
    assert {damage.reason for damage in report.damages} == {Bad.PREV}
    assert report.missing == ()


def test_above_durable_a_line_that_follows_another_history_is_cut(layout: Layout) -> None:
    foreign = write_batches(state_directory(layout.root / "other"), 3, 3, last_crc=b"deadbeef")
    path = write_batches(layout, 3, 1)
    path.write_bytes(path.read_bytes() + lines_of(foreign)[4])
    seqs, report = scan_all(layout)
    assert seqs == [1, 2, 3, 4]
    assert report.torn is not None
    assert report.torn.reason is Bad.PREV


def test_a_segment_that_is_missing_is_damage_with_its_exact_range(layout: Layout) -> None:
    write_batches(layout, 3)
    write_batches(layout, 3, first_seq=4).unlink()
    write_batches(layout, 3, first_seq=7)
    seqs, report = scan_all(layout)
    assert seqs == [1, 2, 3, 7, 8, 9]
    assert report.missing == ((4, 6),)
    write_batches(layout, 1, first_seq=10)
    layout.segment(1).unlink()
    assert scan_all(layout)[1].missing == ((1, 6),)


def test_lines_lost_before_a_later_segment_began_are_damage_though_no_line_says_so(layout: Layout) -> None:
    path = write_batches(layout, 3)
    write_batches(layout, first_seq=4)
    path.write_bytes(path.read_bytes()[:-20])
    seqs, report = scan_all(layout)
    assert seqs == [1, 2]
    assert report.torn is None
    assert report.missing == ((3, 3),)
    assert report.next_seq == 4


def test_what_an_older_segment_holds_beyond_the_next_ones_beginning_is_superseded(layout: Layout) -> None:
    old = write_batches(layout, 3, 2)
    offset = sum(map(len, lines_of(old)[:3]))
    write_batches(layout, 4, first_seq=4)
    seqs, report = scan_all(layout)
    assert seqs == [1, 2, 3, 4, 5, 6, 7]
    assert [(end.path, end.offset) for end in report.superseded] == [(old, offset)]
    assert report.damages == ()


@pytest.mark.parametrize("zeros", [1, 600, 3 << 20])
def test_zeros_after_the_last_line_are_a_normal_end_and_are_cut(zeros: int, layout: Layout) -> None:
    path = write_batches(layout, 3, 2)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + bytes(zeros))
    seqs, report = scan_all(layout)
    assert seqs == [1, 2, 3, 4, 5]
    assert (report.torn, report.damages) == (None, ())
    assert report.tail is not None
    assert report.tail.content_end == report.tail.good_end == size
    assert settle(layout, report).zeros_bytes == zeros


def test_a_torn_tail_cut_at_every_byte_of_the_last_two_lines_loses_only_what_is_incomplete() -> None:
    with scratch() as parent:
        layout = state_directory(parent)
        whole = write_batches(layout, 3, 2).read_bytes()
        ends = [0]
        for line in whole.splitlines(keepends=True):
            ends.append(ends[-1] + len(line))
        for length in range(ends[3], len(whole) + 1):
            layout = state_directory(parent / str(length))
            layout.segment(1).write_bytes(whole[:length])
            complete = sum(end <= length for end in ends[1:])
            seqs, report = scan_all(layout)
            assert seqs == list(range(1, complete + 1)), length
            assert (report.torn is not None) == (length not in ends), length
            assert report.damages == ()
            settle(layout, report)
            write_batches(layout, 2, first_seq=report.next_seq, last_crc=report.last_crc)
            seqs, report = scan_all(layout)
            assert seqs == list(range(1, complete + 3)), length
            assert (report.torn, report.damages, report.superseded) == (None, (), ()), length


def test_every_flipped_byte_of_a_journal_is_found_or_harmless() -> None:
    """What comes back is always a subset of what was written, and whatever is lost is told or above durable."""
    with scratch() as parent:
        layout = state_directory(parent)
        path = write_batches(layout, 2, 2, 1)
        whole = path.read_bytes()
        for at in range(len(whole)):
            for flipped in (whole[at] ^ 0x01, whole[at] ^ 0x80, 0x00, 0x0A):
                if flipped == whole[at]:
                    continue
                path.write_bytes(whole[:at] + bytes([flipped]) + whole[at + 1 :])
                seqs, report = scan_all(layout)
                told = {seq for first, last in report.missing for seq in range(first, last + 1)}
                assert report.damages or report.torn, (at, flipped)
                assert set(range(1, 5)) <= {*seqs, *told}, (at, flipped)
                assert len(seqs) == len(set(seqs)), (at, flipped)


def test_a_newer_version_is_refused(layout: Layout) -> None:
    path = write_batches(layout, 2)
    line = b'{"v":2,"seq":3,"something":"new"'
    path.write_bytes(path.read_bytes() + line + b',"crc":"' + crc_hex(line) + b'"}\n')
    with pytest.raises(IncompatibleVersion, match="line 3"):
        scan_all(layout)


def test_a_segment_that_the_disk_cannot_read_is_damage_even_at_the_end(layout: Layout) -> None:
    write_batches(layout, 3, 2)
    seqs, report = scan_all(layout, disk=FaultyDisk([Fault("pread", at=2, times=9)]))
    assert seqs == [1, 2, 3, 4, 5]
    assert report.torn is None
    assert report.damages[0].reason is Bad.UNREADABLE
    assert report.tail is not None
    assert report.tail.is_unreadable


def test_a_segment_that_cannot_be_opened_stops_the_scan(layout: Layout) -> None:
    write_batches(layout, 1)
    with pytest.raises(PermissionError):
        scan_all(layout, disk=FaultyDisk([Fault("open", error=errno.EACCES)]))


def test_a_thousand_places_of_damage_are_listed_and_the_rest_counted(layout: Layout) -> None:
    path = write_batches(layout, 2300, 1, 1)
    damaged = [flip([line], 0)[0] if number % 2 else line for number, line in enumerate(lines_of(path)[:2300])]
    path.write_bytes(b"".join([*damaged, *lines_of(path)[2300:]]))
    seqs, report = scan_all(layout)
    assert len(seqs) == 1152
    assert len(report.damages) == DAMAGES_MAX
    assert report.damages_omitted == 1150 - DAMAGES_MAX
    assert len(report.missing) == 1150


PIECES = st.sampled_from([b"", b"\n", b"\0" * 30, b"garbage", b'{"v":1,"seq":', b'"}\n', b',"crc":"00000000"}\n'])


@given(st.lists(st.one_of(st.integers(0, 6), PIECES, st.binary(max_size=40)), max_size=12), st.integers(0, 9))
def test_no_content_of_segments_makes_a_scan_raise_or_give_out_what_was_not_written(
    parts: list[int | bytes], after_seq: int
) -> None:
    with scratch() as parent:
        layout = state_directory(parent)
        lines = lines_of(write_batches(layout, 3, 2, 2))
        content = [lines[part] if isinstance(part, int) else part for part in parts]
        middle = len(content) // 2
        layout.segment(1).write_bytes(b"".join(content[:middle]))
        layout.segment(4).write_bytes(b"".join(content[middle:]))
        seqs, report = scan_all(layout, after_seq)
        assert all(seq > after_seq for seq in seqs)
        assert len(seqs) == len(set(seqs))
        assert report.next_seq > max(seqs, default=after_seq)
        settle(layout, report)
        again, second = scan_all(layout, after_seq)
        assert sorted(again) == sorted(seqs)
        assert second.torn is None


def test_a_body_is_what_stands_between_durable_and_prev(layout: Layout) -> None:
    write_batches(layout, 1)
    (line,) = Scan(Disk(), layout)
    assert line.body == body_of(1)
    assert line.raw == lines_of(layout.segment(1))[0][:-1]
