"""The newest journal lines, in memory: for subscribers that are nearly up to date, and for those who come back.

Bounded by number and by bytes: one line may hold a thousand messages, and a thousand such lines would be the whole
import that they came from. Older lines are read from the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from actors.model.state import Line

BYTES_KEPT: Final = 4 << 20
"""Ten thousand ordinary lines: with the thousand that are kept it decides nothing. In memory they take a few times
that."""


class RecentLines:
    """The newest lines without a gap; the newest of all is always there."""

    def __init__(self, kept: int, bytes_kept: int = BYTES_KEPT) -> None:
        self._lines: deque[Line] = deque()
        self._kept = kept
        self._bytes_kept = bytes_kept
        self._bytes = 0

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    @property
    def first_seq(self) -> int | None:
        """The oldest line's seq, None when there is none."""
        return self._lines[0].seq if self._lines else None

    def add(self, line: Line) -> None:
        """Add the line that follows; a hole (lost lines) begins the memory anew."""
        if self._lines and self._lines[-1].seq + 1 != line.seq:
            self.clear()
        self._lines.append(line)
        self._bytes += line.size_bytes
        while len(self._lines) > 1 and (len(self._lines) > self._kept or self._bytes > self._bytes_kept):
            self._bytes -= self._lines.popleft().size_bytes

    def clear(self) -> None:
        """Forget all."""
        self._lines.clear()
        self._bytes = 0

    def since(self, seq: int) -> list[Line] | None:
        """Return all lines from `seq` on; None when the oldest of them is not here any more."""
        first = self.first_seq
        if first is None or seq < first:
            return None
        skipped = seq - first
        return [line for number, line in enumerate(self._lines) if number >= skipped]
