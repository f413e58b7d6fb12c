"""One stream of an agent: read as far as there is room, closed at its end and never before."""

import os
from collections.abc import Iterator

import pytest

from supervisor.agents.agent import Pipe


@pytest.fixture
def ends() -> Iterator[tuple[Pipe, int]]:
    """A pipe as the host has it, and the agent's end of it."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    pipe = Pipe("stdout", reader)
    yield pipe, writer
    pipe.close()
    os.close(writer)


def test_a_pipe_without_room_is_left_alone(ends: tuple[Pipe, int]) -> None:
    pipe, writer = ends
    os.write(writer, b"abcdef")
    pipe.window.bytes_max = 4
    pipe.read()
    assert not pipe.wants_reading
    pipe.read()
    assert pipe.is_open, "nothing was read because nothing was wanted"
    assert pipe.window.next_chunk(100) == (0, b"abcd")
    pipe.window.acknowledge(4)
    pipe.read()
    assert pipe.window.next_chunk(100) == (4, b"ef")


def test_a_pipe_that_is_cut_gives_what_it_held_then_and_is_closed(ends: tuple[Pipe, int]) -> None:
    pipe, writer = ends
    os.write(writer, b"before")
    pipe.cut()
    os.write(writer, b"after")
    pipe.window.bytes_max = 4
    pipe.read()
    pipe.read()
    assert pipe.descriptor >= 0, "two bytes are still to be taken"
    pipe.window.bytes_max = 100
    pipe.read()
    assert not pipe.is_open
    assert pipe.window.next_chunk(100) == (0, b"before")


def test_a_pipe_that_is_empty_when_it_is_cut_is_closed_at_once(ends: tuple[Pipe, int]) -> None:
    pipe, _writer = ends
    pipe.cut()
    assert not pipe.is_open
