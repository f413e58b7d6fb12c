"""
What a run printed, as it was printed: bytes to this process's own streams, and a line of progress while there are none.

At a terminal, what a tool prints as JSON lines is made readable on the way; whoever reads by a pipe gets the bytes.
The line is for a person at a terminal, stands on standard error, and is gone before anything else is written.
"""

import errno
import os
import select
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from supervisor.cli.agent_view import Readable
from supervisor.cli.interrupts import Interrupts
from supervisor.client.output import Printed


def is_to_be_readable(run: Mapping[str, Any], outlet: TextIO, *, raw: bool) -> bool:
    """Whether a person looks at what a tool prints; a command that somebody typed prints what it prints."""
    return not raw and run.get("tool") not in (None, "SHELL") and outlet.isatty()


class Printer:
    """
    Writes the streams of one run. `offsets` says how far each is written: to the byte, whatever interrupts it.

    With `readable` standard output is made readable: what is taken, and not written yet, then comes first.
    """

    def __init__(
        self, interrupts: Interrupts, outlets: dict[str, TextIO], offsets: dict[str, int], *, readable: bool = False
    ) -> None:
        self.offsets = offsets
        self._interrupts = interrupts
        self._descriptors = {stream: outlet.fileno() for stream, outlet in outlets.items()}
        self._readable = Readable() if readable else None
        self._unwritten = b""
        for outlet in outlets.values():
            outlet.flush()

    def write(self, piece: Printed) -> None:
        """
        Write what is new in a piece. Raises Interrupted, and BrokenPipeError when whoever reads is gone.

        In small steps: a step never waits, so Ctrl-C is heard also while the reader is slow.
        """
        data = memoryview(piece.data)[max(0, self.offsets[piece.stream] - piece.offset) :]
        if self._readable is not None and piece.stream == "stdout":
            self.offsets["stdout"] += len(data)
            self._unwritten += self._readable.feed(bytes(data))
            self._write_unwritten()
            return
        while data:
            written = self._step(piece.stream, data)
            self.offsets[piece.stream] += written
            data = data[written:]

    def finish(self) -> None:
        """Nothing more comes: write what was held back. Raises as `write` does."""
        if self._readable is not None:
            self._unwritten += self._readable.finish()
            self._write_unwritten()

    def _write_unwritten(self) -> None:
        while self._unwritten:
            self._unwritten = self._unwritten[self._step("stdout", memoryview(self._unwritten)) :]

    def _step(self, stream: str, data: memoryview) -> int:
        """Write a little; return how many bytes that were."""
        descriptor = self._descriptors[stream]
        while True:
            self._interrupts.until_writable(descriptor)
            try:
                return os.write(descriptor, data[: select.PIPE_BUF])
            except BlockingIOError:  # somebody else, who shares it, was quicker
                continue
            except OSError as error:
                if error.errno == errno.EIO:  # the terminal is gone
                    raise BrokenPipeError from error
                raise


class Progress:
    """One line on a terminal, written over again and again; where there is no terminal it is nothing."""

    def __init__(self, err: TextIO | None = None) -> None:
        self._err = sys.stderr if err is None else err
        self.is_shown = self._err.isatty()
        self._text = ""

    def show(self, text: str) -> None:
        """Show `text` in the place of what is shown; cut to the terminal's width, so that it stays one line."""
        if not self.is_shown or text == self._text:
            return
        width = os.get_terminal_size(self._err.fileno()).columns or 80
        self._err.write(f"\r\x1b[K{text[: width - 1]}")
        self._err.flush()
        self._text = text

    def clear(self) -> None:
        """Take the line away."""
        if self._text:
            self._err.write("\r\x1b[K")
            self._err.flush()
            self._text = ""
