"""The control channel's codec, and the root's end of it on a real socketpair."""

import json
import socket

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given

from supervisor.root.control import (
    LINE_BYTES_MAX,
    UNSENT_MAX,
    Beat,
    ControlBroken,
    ControlChannel,
    GaveUp,
    Hello,
    Lines,
    News,
    Order,
    Ready,
    Refused,
    Reload,
    ReloadRefused,
    ReloadWanted,
    Root,
    Shutdown,
    Status,
    Stop,
    Stopped,
    decode_news,
    decode_order,
    encode,
)

ORDERS: dict[str, Order] = {
    "hello": Hello(
        config={"log": {"level": "info"}}, state_path="/s", listen_fd=3, incarnation=1, root_pid=9, started_at="now",
        log_level="info",
    ),
    "reload": Reload(config={}, applied=("log.level",), needs_restart=("gateway.in_flight_max",)),
    "reload_refused": ReloadRefused(message="no"),
    "stop": Stop(reason="SIGTERM", grace_s=10),
    "root": Root(pids={"root": 1, "standby": None}, restarts=2, last_error=None, phase="running"),
}  # fmt: skip
NEWS: dict[str, News] = {
    "ready": Ready(seq=5, recovery={"base": "empty"}),
    "beat": Beat(),
    "shutdown": Shutdown(),
    "reload": ReloadWanted(),
    "status": Status(text="recovering"),
    "gave_up": GaveUp(message="more than 10 restarts"),
    "refused": Refused(message="newer", hint="upgrade"),
    "stopped": Stopped(),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_every_order_travels_under_its_name(kind: str) -> None:
    line = encode(ORDERS[kind])
    assert json.loads(line)["type"] == kind
    assert decode_order(line.rstrip()) == ORDERS[kind]


@pytest.mark.parametrize("kind", NEWS)
def test_every_piece_of_news_travels_under_its_name(kind: str) -> None:
    line = encode(NEWS[kind])
    assert json.loads(line)["type"] == kind
    assert decode_news(line.rstrip()) == NEWS[kind]


@given(st.binary(max_size=200))
def test_anything_else_is_a_broken_channel_and_nothing_worse(line: bytes) -> None:
    for decode in (decode_news, decode_order):
        try:
            decode(line)
        except ControlBroken:
            continue


@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b""))), st.integers(1, 7))
def test_lines_come_out_whole_however_they_arrive(lines: list[bytes], size: int) -> None:
    splitter = Lines()
    data = b"".join(line + b"\n" for line in lines) + b"half"
    out: list[bytes] = []
    for start in range(0, len(data), size):
        splitter.feed(data[start : start + size])
        out += splitter
    assert out == lines


def test_a_line_without_an_end_is_refused() -> None:
    splitter = Lines()
    splitter.feed(b"x" * (LINE_BYTES_MAX + 1))
    with pytest.raises(ControlBroken):
        list(splitter)


def test_what_the_other_end_would_refuse_is_not_sent() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(Status(text="x" * LINE_BYTES_MAX))


async def test_orders_go_down_in_order_and_news_come_up() -> None:
    mine, theirs = socket.socketpair()
    with theirs:
        channel = ControlChannel(mine)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.run_sender)
            for order in ORDERS.values():
                assert channel.post(order)
            theirs.sendall(encode(Ready(seq=1)) + encode(Beat()))
            assert [await channel.next_news(), await channel.next_news()] == [Ready(seq=1), Beat()]
            received = b""
            while received.count(b"\n") < len(ORDERS):
                await trio.lowlevel.wait_readable(theirs)
                received += theirs.recv(65536)
            assert [decode_order(line) for line in received.splitlines()] == list(ORDERS.values())
            nursery.cancel_scope.cancel()
        channel.close()


async def test_a_runtime_that_reads_nothing_does_not_hold_up_the_root() -> None:
    mine, theirs = socket.socketpair()
    channel = ControlChannel(mine)
    posted = [channel.post(Stop(reason="x", grace_s=1)) for _ in range(UNSENT_MAX + 1)]
    assert posted == [True] * UNSENT_MAX + [False]
    channel.close()
    theirs.close()


async def test_the_last_words_of_a_dead_runtime_are_heard() -> None:
    mine, theirs = socket.socketpair()
    channel = ControlChannel(mine)
    theirs.sendall(encode(Beat()) + encode(GaveUp(message="too many")) + b'{"type":"be')
    theirs.close()
    assert list(channel.last_news()) == [Beat(), GaveUp(message="too many")]
    channel.close()


async def test_the_end_of_the_channel_is_no_news() -> None:
    mine, theirs = socket.socketpair()
    channel = ControlChannel(mine)
    theirs.close()
    assert await channel.next_news() is None
    channel.close()


def test_messages_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Ready(seq=1).seq = 2  # type: ignore[misc]
