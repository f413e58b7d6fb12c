"""Lines out of a stream: whatever the pieces in which it arrives."""

import hypothesis
from hypothesis import strategies as st

from actors.model.errors import ParseError, TooLarge
from supervisor.wire.framing import LineSplitter


def test_two_lines_in_one_piece_are_two_frames() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b'{"a":1}\n{"b":2}\n', 0.0) == [b'{"a":1}', b'{"b":2}']
    assert splitter.half_since is None


def test_a_line_that_arrives_byte_by_byte_is_one_frame() -> None:
    splitter = LineSplitter()
    frames = [frame for byte in b"hello\n" for frame in splitter.feed(bytes([byte]), 0.0)]
    assert frames == [b"hello"]


def test_only_the_newline_byte_ends_a_line() -> None:
    line = '"\u2028\u2029\x85\x0b\x0c\x1c\r"'.encode()
    assert LineSplitter().feed(line + b"\n", 0.0) == [line]


def test_blank_lines_are_no_frames() -> None:
    assert LineSplitter().feed(b"\n\r\n  \na\n\n", 0.0) == [b"a"]


@hypothesis.given(
    st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line and line.strip()), max_size=8), st.data()
)
def test_how_a_stream_is_cut_into_pieces_changes_nothing(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter, frames, rest = LineSplitter(), list[bytes](), stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        frames += splitter.feed(rest[:size], 0.0)
        rest = rest[size:]
    assert frames == lines
    assert splitter.half_bytes == 0


def test_a_line_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    assert LineSplitter(5).feed(b"12345\n", 0.0) == [b"12345"]
    splitter = LineSplitter(5)
    assert splitter.feed(b"123456\n", 0.0) == []
    assert isinstance(splitter.failure, TooLarge)


def test_what_came_before_a_giant_line_is_still_given_out_and_nothing_after_it() -> None:
    splitter = LineSplitter(5)
    assert splitter.feed(b"ok\n123456\nok\n", 0.0) == [b"ok"]
    assert isinstance(splitter.failure, TooLarge)
    assert splitter.feed(b"ok\n", 0.0) == []


def test_a_giant_line_without_an_end_is_not_kept() -> None:
    splitter = LineSplitter(5)
    for _ in range(3):
        splitter.feed(b"123", 0.0)
    assert isinstance(splitter.failure, TooLarge)
    assert splitter.half_bytes == 0


def test_a_giant_line_that_ends_with_its_last_piece_is_refused() -> None:
    splitter = LineSplitter(5)
    splitter.feed(b"12345", 0.0)
    assert splitter.feed(b"6\n", 0.0) == []
    assert isinstance(splitter.failure, TooLarge)


def test_the_age_of_a_half_line_counts_from_its_first_byte() -> None:
    splitter = LineSplitter()
    splitter.feed(b"a", 10.0)
    splitter.feed(b"b", 35.0)
    splitter.expire(39.0, 30.0)
    assert splitter.failure is None
    splitter.expire(41.0, 30.0)
    assert isinstance(splitter.failure, ParseError)


def test_a_new_half_line_begins_a_new_age() -> None:
    splitter = LineSplitter()
    splitter.feed(b"a", 10.0)
    splitter.feed(b"\nb", 35.0)
    splitter.expire(60.0, 30.0)
    assert splitter.failure is None


def test_waiting_that_was_our_doing_does_not_count() -> None:
    splitter = LineSplitter()
    splitter.feed(b"a", 10.0)
    splitter.forgive(50.0)
    splitter.expire(60.0, 30.0)
    assert splitter.failure is None


def test_a_stream_that_ends_inside_a_line_is_told_so() -> None:
    splitter = LineSplitter()
    splitter.feed(b'{"jsonrpc"', 0.0)
    splitter.finish()
    assert isinstance(splitter.failure, ParseError)


def test_a_stream_that_ends_between_lines_is_fine() -> None:
    splitter = LineSplitter()
    splitter.feed(b"{}\n", 0.0)
    splitter.finish()
    assert splitter.failure is None


def test_nothing_that_arrives_is_no_line() -> None:
    assert LineSplitter().feed(b"", 0.0) == []
