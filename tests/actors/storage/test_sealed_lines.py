"""Lines taken apart by their form, in bounded memory, whatever stands in the file and however it is cut into chunks."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.storage import sealed_lines
from actors.storage.codec import Bad, seal
from actors.storage.sealed_lines import Line, read_lines

GOOD = [Line.message(1, b'{"a":"}\\n"}'), Line.meta(7, b"null"), Line.entry(12, b'["x"]')]


def test_a_line_is_json_with_its_crc_last() -> None:
    assert [list(json.loads(line.sealed())) for line in GOOD] == [
        ["kind", "index", "data", "crc"],
        ["kind", "rev", "data", "crc"],
        ["kind", "index", "data", "crc"],
    ]


def test_what_was_sealed_is_read_back_with_its_place() -> None:
    header = seal(b'{"v":1,"id":"x"}') + b"\n"
    reads = list(read_lines([header, *(line.sealed() for line in GOOD)]))
    assert [(read.kind, read.number, read.data) for read in reads[1:]] == [(g.kind, g.number, g.data) for g in GOOD]
    assert (reads[0].kind, reads[0].data) == ("header", b'{"v":1,"id":"x"}')
    assert [read.offset for read in reads] == [0, len(header), reads[1].offset + reads[1].length_bytes, reads[3].offset]
    assert all(read.ended and read.bad is None for read in reads)


@pytest.mark.parametrize(("line", "reason"), [
    (b"", Bad.EMPTY),
    (b"\0" * 9, Bad.ZEROS),
    (b"\0" * 900, Bad.ZEROS),
    (b"{}", Bad.SHORT),
    (GOOD[0].sealed()[:-2], Bad.UNSEALED),
    (GOOD[0].sealed()[:-1].replace(b'"a"', b'"b"'), Bad.CRC),
    (seal(b'{"kind":"message","index":0,"data":1}'), Bad.FORM),
    (seal(b'{"kind":"message","rev":1,"data":1}'), Bad.FORM),
    (seal(b'{"kind":"message","index":%b,"data":1}' % (b"9" * 30)), Bad.FORM),
    (seal(b'{"kind":"novel","index":1,"data":1}'), Bad.FORM),
])  # fmt: skip
def test_a_line_that_is_not_believed_says_why(line: bytes, reason: Bad) -> None:
    (read,) = read_lines([line + b"\n"])
    assert (read.bad, read.data, read.length_bytes) == (reason, line, len(line) + 1)


def test_only_the_line_feed_ends_a_line() -> None:
    line = Line.message(1, '"\u2028\x85\x1c\r"'.encode()).sealed()
    assert [read.bad for read in read_lines([line])] == [None]


def test_a_last_line_without_its_line_feed_is_read_and_says_so() -> None:
    reads = list(read_lines([GOOD[0].sealed() + GOOD[1].sealed()[:-1]]))
    assert [(read.bad, read.ended) for read in reads] == [(None, True), (None, False)]


def test_of_a_line_longer_than_any_only_the_length_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_lines, "LINE_BYTES_MAX", 100)
    reads = list(read_lines([b"x" * 90, b"y" * 90, b"z" * 90 + b"\n" + GOOD[0].sealed(), b"t" * 200]))
    assert [(read.offset, read.length_bytes, read.bad, read.data) for read in reads] == [
        (0, 271, Bad.TOO_LONG, b""),
        (271, len(GOOD[0].sealed()), None, GOOD[0].data),
        (271 + len(GOOD[0].sealed()), 200, Bad.TOO_LONG, b""),
    ]


@given(
    content=st.lists(st.binary(max_size=30) | st.sampled_from([line.sealed() for line in GOOD]), max_size=12).map(
        b"".join
    ),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_how_a_file_is_cut_into_chunks_makes_no_difference_and_no_byte_is_left_out(
    content: bytes, cuts: list[int]
) -> None:
    places = [0, *sorted(cut for cut in cuts if cut <= len(content)), len(content)]
    chunks = [content[begin:end] for begin, end in pairwise(places)]
    reads = list(read_lines(chunks))
    assert reads == list(read_lines([content]))
    assert sum(read.length_bytes for read in reads) == len(content)
    assert [read.ended for read in reads[:-1]] == [True] * (len(reads) - 1) if reads else content == b""
