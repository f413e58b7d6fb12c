"""The window over a stream: bounded, numbered, and complete from whatever offset it is asked for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.agents.buffers import (
    UNACKNOWLEDGED_BYTES_MAX,
    UNACKNOWLEDGED_BYTES_MIN,
    WINDOWS_BYTES,
    Window,
    share_of,
)
from supervisor.agents.frames import ProtocolBroken

STEP = st.one_of(
    st.tuples(st.just("take"), st.binary(max_size=40)),
    st.tuples(st.just("send"), st.integers(1, 30)),
    st.tuples(st.just("acknowledge"), st.floats(0, 1)),
    st.tuples(st.just("lose"), st.floats(0, 1)),
)


@given(steps=st.lists(STEP, max_size=60))
def test_the_receiver_has_every_byte_once_whatever_is_lost_on_the_way(steps: list[tuple[str, Any]]) -> None:
    window, written, safe = Window(), bytearray(), bytearray()

    def send(bytes_max: int) -> bool:
        chunk = window.next_chunk(bytes_max)
        if chunk is None:
            return False
        offset, data = chunk
        assert offset == len(safe)
        assert 0 < len(data) <= bytes_max
        safe.extend(data)
        return True

    for what, value in steps:
        if what == "take":
            window.take(value)
            written += value
        elif what == "send":
            send(value)
        elif what == "acknowledge":
            window.acknowledge(int(value * len(safe)))
        else:  # the receiver dies, and had written a part of what it had not acknowledged
            del safe[window.start + int(value * (len(safe) - window.start)) :]
            window.rewind(len(safe))
        assert window.end == len(written)
    while send(7):
        pass
    assert safe == written
    window.acknowledge(len(written))
    assert window.room == UNACKNOWLEDGED_BYTES_MAX


def test_a_window_has_no_more_room_than_its_bound() -> None:
    window = Window()
    window.take(b"x" * UNACKNOWLEDGED_BYTES_MAX)
    assert window.room == 0
    window.next_chunk(1000)
    window.acknowledge(10)
    assert window.room == 10


def test_a_window_that_holds_more_than_it_may_takes_nothing_until_enough_is_acknowledged() -> None:
    window = Window()
    window.take(b"x" * 100)
    window.bytes_max = 40
    assert window.room == 0
    window.next_chunk(100)
    window.acknowledge(70)
    assert window.room == 10
    assert window.end == 100


@given(streams=st.integers(0, 4000))
def test_all_windows_together_hold_a_bounded_amount(streams: int) -> None:
    share_bytes = share_of(streams)
    assert UNACKNOWLEDGED_BYTES_MIN <= share_bytes <= UNACKNOWLEDGED_BYTES_MAX
    assert share_bytes == UNACKNOWLEDGED_BYTES_MIN or share_bytes * streams <= WINDOWS_BYTES


def test_bytes_that_were_never_read_cannot_be_acknowledged() -> None:
    window = Window()
    window.take(b"abc")
    with pytest.raises(ProtocolBroken, match="byte 4 is acknowledged and 3 were read"):
        window.acknowledge(4)


def test_an_acknowledgement_that_comes_late_changes_nothing() -> None:
    window = Window()
    window.take(b"abcdef")
    window.next_chunk(6)
    window.acknowledge(4)
    window.acknowledge(2)
    assert (window.start, window.end) == (4, 6)


def test_a_receiver_that_names_no_offset_goes_on_after_what_was_acknowledged() -> None:
    window = Window()
    window.take(b"abcdef")
    window.next_chunk(6)
    window.acknowledge(2)
    window.rewind(None)
    assert window.next_chunk(100) == (2, b"cdef")


def test_a_receiver_that_claims_more_than_there_was_gets_what_comes_later() -> None:
    window = Window()
    window.take(b"abc")
    window.rewind(100)
    window.take(b"d")
    assert window.next_chunk(100) == (3, b"d")


def test_a_receiver_that_lost_what_it_had_acknowledged_sees_the_gap() -> None:
    window = Window()
    window.take(b"abcdef")
    window.next_chunk(6)
    window.acknowledge(4)
    window.rewind(1)
    assert window.next_chunk(100) == (4, b"ef")
