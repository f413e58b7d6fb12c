"""
What a run printed, as it was printed: bytes to this process's own streams, and a line of progress while there are none.

The line is for a person at a terminal, stands on standard error, and is gone before anything else is written.
"""

import errno
import os
import select
import sys
from typing import TextIO

from supervisor.cli.interrupts import Interrupts
from supervisor.client.output import Printed


class Printer:
    """Writes the streams of one run. `offsets` says how far each is written: to the byte, whatever interrupts it."""

    def __init__(self, interrupts: Interrupts, outlets: dict[str, TextIO], offsets: dict[str, int]) -> None:
        self.offsets = offsets
        self._interrupts = interrupts
        self._descriptors = {stream: outlet.fileno() for stream, outlet in outlets.items()}
        for outlet in outlets.values():
            outlet.flush()

    def write(self, piece: Printed) -> None:
        """
        Write what is new in a piece. Raises Interrupted, and BrokenPipeError when whoever reads is gone.

        In small steps: a step never waits, so Ctrl-C is heard also while the reader is slow.
        """
        data = memoryview(piece.data)[max(0, self.offsets[piece.stream] - piece.offset) :]
        descriptor = self._descriptors[piece.stream]
        while data:
            self._interrupts.until_writable(descriptor)
            try:
                written = os.write(descriptor, data[: select.PIPE_BUF])
            except BlockingIOError:  # somebody else, who shares it, was quicker
                continue
            except OSError as error:
                if error.errno == errno.EIO:  # the terminal is gone
                    raise BrokenPipeError from error
                raise
            self.offsets[piece.stream] += written
            data = data[written:]


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
