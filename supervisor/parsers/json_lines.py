"""JSON lines from strangers: complete lines that hold an object, in order; everything else is passed over.

Lines that are not JSON, half lines, binary, other values than objects and lines beyond the limit are no errors: agents
print them. Lines are split at the newline only (U+2028 and carriage returns stand inside strings).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from actors.messages.agents import Stream
from actors.running.parsing import Noticed

LINE_BYTES_MAX: Final = 16 << 20
"""A longer line is not looked into: a result that long is no result. It bounds what one agent can make us hold."""


class JsonLines:
    """Bytes in, objects out."""

    def __init__(self, line_bytes_max: int = LINE_BYTES_MAX) -> None:
        self._line_bytes_max = line_bytes_max
        self._half = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take bytes; yield the objects of the lines that are complete with them."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line = self._whole(data[start:end])
            start = end + 1
            if line is not None:
                yield from _object(line)
        self._keep(data[start:])

    def finish(self) -> Iterator[dict[str, Any]]:
        """Take the end: the last line may lack its newline."""
        line = self._whole(b"")
        if line is not None:
            yield from _object(line)

    def _whole(self, rest: bytes) -> bytes | None:
        """Return the line that `rest` completes, None for one that was too long."""
        self._keep(rest)
        line, skipped = bytes(self._half), self._skipping
        self._half.clear()
        self._skipping = False
        return None if skipped else line

    def _keep(self, part: bytes) -> None:
        if not self._skipping:
            self._half += part
        if len(self._half) > self._line_bytes_max:
            self._half.clear()
            self._skipping = True


class JsonLinesParser(ABC):
    """What the parsers of JSON lines have in common; each says what it notices in one object."""

    def __init__(self) -> None:
        self._lines = JsonLines()

    def feed(self, stream: Stream, data: bytes) -> Sequence[Noticed]:
        """See `actors.running.parsing.Parser`; what is told on stderr is for people."""
        if stream != "stdout":
            return ()
        return [noticed for line in self._lines.feed(data) for noticed in self.look(line)]

    def finish(self) -> Sequence[Noticed]:
        """See `actors.running.parsing.Parser`."""
        return [noticed for line in self._lines.finish() for noticed in self.look(line)]

    @abstractmethod
    def look(self, line: dict[str, Any]) -> Iterator[Noticed]:
        """Yield what there is to notice in one object."""


def _object(line: bytes) -> Iterator[dict[str, Any]]:
    if not line.lstrip().startswith(b"{"):
        return
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    if isinstance(found, dict):
        yield found


def text_of(value: Any) -> str | None:
    """Return a text that says something, None for anything else."""
    return value if isinstance(value, str) and value else None
