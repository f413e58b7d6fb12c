"""
What a runtime prints: its standard error (and output), line by line, to the end.

The pipe is the root's own, not subprocess's: it is read until it is empty after the process is gone, so that the
traceback or stack dump that explains a death is not lost with it.
"""

import os
from collections.abc import Callable
from typing import Final

import trio

LINE_BYTES_MAX: Final = 64 << 10
"""Longer lines come in pieces: a runtime that prints without a newline must not fill the root's memory."""
DUMP_MARK: Final = b"(most recent call first):"
"""faulthandler's heading of each stack."""
_CHUNK_BYTES: Final = 65536
_CHUNKS_MAX: Final = 16
"""At one go: more than a pipe holds, and still no time for which a flood keeps the root from its other work."""


class Output:
    """One process's output pipe. `writer_fd` is the process's end."""

    def __init__(self, take: Callable[[bytes], None], pipe: tuple[int, int] | None = None) -> None:
        """`take` gets each line without its line feed; a `pipe` (reader, writer) is taken over, None: a new one."""
        self.last_line = b""
        """The latest line that was not empty."""
        self._take = take
        self._reader_fd, self.writer_fd = pipe or os.pipe()
        os.set_blocking(self._reader_fd, False)
        self._half = b""
        self._dumping = False
        self._moved = trio.Event()

    def close_writer(self) -> None:
        """Close the process's end here, once the process has it; called again, it does nothing."""
        if self.writer_fd >= 0:
            os.close(self.writer_fd)
            self.writer_fd = -1

    async def relay(self) -> None:
        """Pass lines on as they come, to the end of file."""
        while self._read():
            await trio.lowlevel.wait_readable(self._reader_fd)

    async def dumped(self, quiet_s: float, within_s: float) -> None:
        """Wait until a stack dump has come and nothing more for `quiet_s` (it has no end mark); `within_s` at most."""
        self._dumping = False
        with trio.move_on_after(within_s):
            while True:
                self._moved = trio.Event()
                with trio.move_on_after(quiet_s) as silence:
                    await self._moved.wait()
                if silence.cancelled_caught and self._dumping:
                    return

    def close(self) -> None:
        """Pass on what is still in the pipe, then close; called again, it does nothing."""
        self.close_writer()
        if self._reader_fd >= 0:
            self._read()
            self._give(self._half)
            os.close(self._reader_fd)
            self._reader_fd = -1

    def _read(self) -> bool:
        """Take what is there, within bounds; False at the end of file."""
        for _ in range(_CHUNKS_MAX):
            try:
                data = os.read(self._reader_fd, _CHUNK_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._moved.set()
            *lines, self._half = (self._half + data).split(b"\n")
            for line in lines:
                self._give(line)
            if len(self._half) > LINE_BYTES_MAX:
                self._give(self._half)
                self._half = b""
        return True

    def _give(self, line: bytes) -> None:
        if line and not line.isspace():
            self._dumping = self._dumping or DUMP_MARK in line
            self.last_line = line
            self._take(line)
