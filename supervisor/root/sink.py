"""
Where log lines go: `logs/perdure.log`, and the root's standard error for whoever watches.

Every process writes structured lines; this is the one place where they end up, so the file has one writer and one
order. Standard error may be a pipe that nobody reads (a program that spawned us and forgot it): a line is written there
only when that cannot wait, and is left out otherwise; the file has it.
"""

import contextlib
import os
import select
from typing import Any, BinaryIO, Final, Protocol, cast

import orjson

from supervisor.log_file import relayed
from supervisor.root.options import Echo

ECHO_BYTES_MAX: Final = 4000
"""A pipe that is ready for writing takes 4096 bytes (PIPE_BUF) at once without waiting."""

_SHOWN_FIRST: Final = frozenset({"ts", "level", "logger", "pid", "event"})


class LineWriter(Protocol):
    """What the sink needs of the log file."""

    def write(self, line: bytes) -> None:
        """Append one line, without its line feed; never raises."""


class Sink:
    """Takes finished lines; `stream` is the same thing as the logging configuration wants it."""

    def __init__(self, file: LineWriter | None, echo: Echo, descriptor: int = 2) -> None:
        self._file = file
        self._echo = echo
        self._descriptor = descriptor
        self.stream = cast("BinaryIO", _Stream(self))

    def take(self, line: bytes) -> None:
        """One line of this process's own, without its line feed."""
        if self._file is not None:
            self._file.write(line)
        if self._echo is Echo.NONE:
            return
        text = for_people(line) if self._echo is Echo.TEXT else line
        _write_unless_it_waits(self._descriptor, text)

    def relay(self, line: bytes) -> None:
        """One line that a runtime wrote to its standard error, whatever it is."""
        self.take(relayed(line, "runtime"))


class _Stream:
    """As much of a binary stream as `logs.configure_to_stream` uses."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink.take(data.removesuffix(b"\n"))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


def for_people(line: bytes) -> bytes:
    """A structured line as text: time of day, level, what happened, then the rest as name=value."""
    try:
        record: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    if not isinstance(record, dict):
        return line
    if record.keys() >= {"text", "bytes"} and record.get("event") == "stderr":
        return str(record["text"]).encode(errors="replace")
    rest = " ".join(f"{name}={_shown(value)}" for name, value in record.items() if name not in _SHOWN_FIRST)
    time_of_day = str(record.get("ts", ""))[11:19]
    text = f"{time_of_day} {record.get('level', '')!s:<7} {record.get('event', '')}  {rest}".rstrip()
    return text.encode(errors="replace")


def _shown(value: object) -> str:
    if isinstance(value, str) and value.isprintable() and " " not in value and value:
        return value
    if isinstance(value, float):
        # A pause of 0.05187505080357822 s tells people no more than one of 0.05188 s.
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"  # noqa: PLR2004  beyond it there would be exponents
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # nested more deeply than it writes
        return "…"


def _write_unless_it_waits(descriptor: int, line: bytes) -> None:
    if len(line) > ECHO_BYTES_MAX:
        line = line[:ECHO_BYTES_MAX] + b" ..."
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    with contextlib.suppress(OSError):  # whoever watched is gone; the file has the line
        if any(events & select.POLLOUT for _, events in poll.poll(0)):
            os.write(descriptor, line + b"\n")
