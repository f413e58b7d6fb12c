"""supervisor/cli/interrupts.py: Ctrl-C is noticed by waits, and only by them."""

import os
import signal
from collections.abc import Iterator

import pytest

from supervisor.cli.interrupts import Interrupted, Interrupts


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_what_is_under_way_goes_on_and_the_next_wait_raises_once(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    with Interrupts() as interrupts:
        press_ctrl_c()
        os.write(writing, b"x")
        with pytest.raises(Interrupted):
            interrupts.until_readable(reading)
        assert interrupts.until_readable(reading)
        press_ctrl_c()
        with pytest.raises(Interrupted):
            interrupts.until_writable(writing)
        interrupts.until_writable(writing)


def test_a_wait_ends_without_anything_when_its_time_is_over(pipe: tuple[int, int]) -> None:
    with Interrupts() as interrupts:
        assert not interrupts.until_readable(pipe[0], 0.001)


def test_a_second_one_that_nobody_looked_at_is_an_interrupt_as_ever() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        press_ctrl_c()
        press_ctrl_c()


def test_while_somebody_is_asked_and_afterwards_it_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        assert signal.getsignal(signal.SIGINT) != before
        with interrupts.switched_off(), pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
        press_ctrl_c()
        with pytest.raises(Interrupted):
            interrupts.until_readable(0, 0)
    assert signal.getsignal(signal.SIGINT) == before


def test_where_ctrl_c_was_switched_off_it_stays_so(pipe: tuple[int, int]) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            press_ctrl_c()
            with interrupts.switched_off():
                press_ctrl_c()
            assert not interrupts.until_readable(pipe[0], 0)
    finally:
        signal.signal(signal.SIGINT, before)
