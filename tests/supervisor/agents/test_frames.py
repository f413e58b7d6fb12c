"""Frames: what one end says the other hears, in whatever pieces, and any other bytes end in one typed error."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages.agents import (
    AgentRow,
    Attached,
    Bury,
    End,
    Ended,
    NotStarted,
    Offsets,
    Output,
    Spawn,
    Started,
)
from supervisor.agents import control, protocol
from supervisor.agents.frames import FRAME_BYTES_MAX, Frames, ProtocolBroken, Unsendable, encode

TO_HOST: list[Any] = [
    protocol.Attach(version=1, runs={"r": Offsets(stdout=3, stderr=0)}),
    Spawn(run_id="r", argv=("sh", "-c", "é"), env={"A": "b"}, cwd="/", memory_bytes_max=1 << 30, files_max=64),
    protocol.Acknowledge(run_id="r", stream="stderr", offset=1 << 40),
    End(run_id="r", grace_s=0.5),
    Bury(run_id="r"),
]
TO_RUNTIME: list[Any] = [
    Attached(version=1, host_pid=2, host_started=3, runs=(AgentRow(run_id="r", pid=4, pid_started=5, ended=True),)),
    protocol.Refused(version=2),
    Started(run_id="r", pid=1, pid_started=2),
    NotStarted(run_id="r", reason="none", code="ENOENT"),
    Output(run_id="r", stream="stdout", offset=9, data=bytes(range(256))),
    Ended(run_id="r", exit_code=None, signal=9, stdout_bytes=1, stderr_bytes=2, drained=False, left=(7,)),
]
DIRECTIONS: list[tuple[Any, list[Any]]] = [
    (protocol.TO_HOST, TO_HOST),
    (protocol.TO_RUNTIME, TO_RUNTIME),
    (control.TO_HOST, [control.Serve(place="8-1f", heartbeat_s=1.0), control.Door(number=1)]),
    (control.TO_ROOT, [control.Here(pid=1), control.Alive(agents=2), control.DoorClosed(number=1)]),
]


@pytest.mark.parametrize(("decoder", "messages"), DIRECTIONS, ids=["to host", "to runtime", "root to host", "to root"])
@pytest.mark.parametrize("piece_bytes", [1, 3, 1000])
def test_what_is_said_is_heard_in_whatever_pieces_it_arrives(
    decoder: Any, messages: list[Any], piece_bytes: int
) -> None:
    said = b"".join(map(encode, messages))
    frames = Frames()
    heard: list[Any] = []
    for start in range(0, len(said), piece_bytes):
        frames.feed(said[start : start + piece_bytes])
        heard += frames.messages(decoder)
    assert heard == messages


def test_a_frame_cut_anywhere_is_not_heard_and_harms_nothing() -> None:
    whole = encode(TO_RUNTIME[4])
    for length in range(len(whole)):
        frames = Frames()
        frames.feed(whole[:length])
        assert list(frames.messages(protocol.TO_RUNTIME)) == []


@given(data=st.binary(max_size=300), direction=st.sampled_from([decoder for decoder, _ in DIRECTIONS]))
def test_any_bytes_are_messages_or_one_typed_error(data: bytes, direction: Any) -> None:
    frames = Frames()
    frames.feed(data)
    with contextlib.suppress(ProtocolBroken):
        assert all(isinstance(message, msgspec.Struct) for message in frames.messages(direction))


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    ),
    tag=st.sampled_from(["attach", "spawn", "acknowledge", "end", "bury", "attached", "output", "ended", "nothing"]),
    direction=st.sampled_from([decoder for decoder, _ in DIRECTIONS]),
)
def test_any_msgpack_is_a_message_or_one_typed_error(body: Any, tag: str, direction: Any) -> None:
    packed = msgspec.msgpack.encode({**body, "type": tag} if isinstance(body, dict) else body)
    frames = Frames()
    frames.feed(len(packed).to_bytes(4, "big") + packed)
    with contextlib.suppress(ProtocolBroken):
        assert all(isinstance(message, msgspec.Struct) for message in frames.messages(direction))


@given(at=st.integers(0, 200), value=st.integers(0, 255), which=st.integers(0, len(TO_HOST) - 1))
def test_one_wrong_byte_is_a_message_or_one_typed_error(at: int, value: int, which: int) -> None:
    said = bytearray(encode(TO_HOST[which]))
    said[at % len(said)] = value
    frames = Frames()
    frames.feed(bytes(said))
    with contextlib.suppress(ProtocolBroken):
        assert len(list(frames.messages(protocol.TO_HOST))) <= 1


def test_a_length_beyond_the_limit_is_refused_before_its_bytes_come() -> None:
    frames = Frames()
    frames.feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolBroken, match="a frame of 1048577 bytes"):
        list(frames.messages(protocol.TO_HOST))


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "spawn", "run_id": "r", "argv": [], "env": {}, "cwd": "/"},
        {"type": "spawn", "run_id": "", "argv": ["a"], "env": {}, "cwd": "/"},
        {"type": "end", "run_id": "r", "grace_s": float("nan")},
        {"type": "end", "run_id": "r", "grace_s": -1},
        {"type": "acknowledge", "run_id": "r", "stream": "stdin", "offset": 0},
        {"type": "acknowledge", "run_id": "r", "stream": "stdout", "offset": -1},
        {"type": "acknowledge", "run_id": "r" * 201, "stream": "stdout", "offset": 1},
    ],
)
def test_an_order_out_of_bounds_is_refused(wrong: Any) -> None:
    packed = msgspec.msgpack.encode(wrong)
    frames = Frames()
    frames.feed(len(packed).to_bytes(4, "big") + packed)
    with pytest.raises(ProtocolBroken):
        list(frames.messages(protocol.TO_HOST))


@pytest.mark.parametrize("argv", [("x" * (FRAME_BYTES_MAX + 1),), ("\ud800",)], ids=["too long", "no text"])
def test_what_no_frame_can_hold_is_not_sent(argv: tuple[str, ...]) -> None:
    with pytest.raises(Unsendable, match="Spawn"):
        encode(Spawn(run_id="r", argv=argv, env={}, cwd="/"))
