"""The ledger: what the writer shows to the others. The durable tables, the newest lines, and whether it can write.

It belongs to the runtime, not to the writer actor, so references to it stay good over restarts. The writer alone
changes it, always between two checkpoints, so whoever reads sees whole lines.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any

import attrs

from actors.model.state import Limits, Line, Tables


class Mode(Enum):
    """What the writer can do at present (`health.status` follows from it)."""

    RECOVERING = "recovering"
    OK = "ok"
    READ_ONLY = "read_only"


class RecentLines:
    """The newest lines without a gap, bounded by number; older ones are read from the journal."""

    def __init__(self, kept: int) -> None:
        self._lines: deque[Line] = deque(maxlen=kept)

    @property
    def first_seq(self) -> int | None:
        """The oldest line's seq, None when there is none."""
        return self._lines[0].seq if self._lines else None

    def add(self, line: Line) -> None:
        """Add the line that follows; a hole (lost lines) begins the memory anew."""
        if self._lines and self._lines[-1].seq + 1 != line.seq:
            self._lines.clear()
        self._lines.append(line)

    def clear(self) -> None:
        """Forget all."""
        self._lines.clear()

    def since(self, seq: int) -> list[Line] | None:
        """Return all lines from `seq` on; None when the oldest of them is not here any more."""
        first = self.first_seq
        if first is None or seq < first:
            return None
        skipped = seq - first
        return [line for number, line in enumerate(self._lines) if number >= skipped]


@attrs.define(eq=False)
class Ledger:
    """See the module's text."""

    recent: RecentLines
    tables: Tables = attrs.field(factory=lambda: Tables(Limits()))
    epoch: int = 0
    mode: Mode = Mode.RECOVERING
    reasons: list[str] = attrs.field(factory=list)
    """Why the mode is not OK."""
    identity: dict[str, Any] = attrs.field(factory=dict)
    recovery: dict[str, Any] = attrs.field(factory=dict)
    """The last recovery's report."""
    files_backlog: int = 0
    """How many files wait to be written behind the journal."""
    last_save: dict[str, Any] | None = None
    save_failures: int = 0
    save_problem: str | None = None
    """Why the newest snapshot that was tried is not there."""
    files_problem: str | None = None
    """Why the newest files that were tried behind the journal are not there."""
    journal: dict[str, int] = attrs.field(factory=dict)
    """bytes and segments of the journal."""
    quarantined: int = 0
    backups: int = 0
