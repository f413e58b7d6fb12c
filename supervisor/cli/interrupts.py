"""
Ctrl-C, noticed only where nothing is half done.

Python raises KeyboardInterrupt between any two steps, also between a write and the note of how much was written; who
goes on after it would print something twice, or never. Here Ctrl-C is noted by a byte in a pipe that every wait also
looks at, and raised by the wait. A second Ctrl-C, while the first was not looked at yet, is a KeyboardInterrupt as
ever: whoever waits for an answer that does not come gets out.
"""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupted(Exception):
    """Ctrl-C was pressed; raised by a wait, with nothing half done."""


class Interrupts:
    """
    Looks after Ctrl-C for the time of its block.

    Where Ctrl-C was switched off by whoever started us (a background job of a shell script), it stays so.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._reading, self._writing = -1, -1
        self._before: Any = None

    def __enter__(self) -> Self:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:
            self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()
        os.close(self._reading)
        os.close(self._writing)

    def until_readable(self, descriptor: int, timeout_s: float | None = None) -> bool:
        """Wait until there is something to read, False when the time is over before. Raises Interrupted."""
        ready, _, _ = select.select([descriptor, self._reading], [], [], timeout_s)
        self._raise_if_pressed(ready)
        return bool(ready)

    def until_writable(self, descriptor: int) -> None:
        """Wait until `select.PIPE_BUF` bytes can be written without waiting. Raises Interrupted."""
        ready, _, _ = select.select([self._reading], [descriptor], [])
        self._raise_if_pressed(ready)

    @contextmanager
    def switched_off(self) -> Iterator[None]:
        """Let Ctrl-C be what it was before, for the time of the block: while somebody is asked."""
        self._end()
        try:
            yield
        finally:
            if self._before is not signal.SIG_IGN:
                self._begin()

    def _begin(self) -> None:
        signal.signal(signal.SIGINT, self._note)
        # The byte is written by the signal's own handler: one that comes just before a wait is not missed by it.
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def _end(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, self._before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True

    def _raise_if_pressed(self, ready: list[int]) -> None:
        if self._reading in ready:
            os.read(self._reading, select.PIPE_BUF)
        if self._pressed:
            self._pressed = False
            raise Interrupted
