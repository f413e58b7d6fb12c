"""The ledger: what the writer shows to the others. The durable tables, the newest lines, and whether it can write.

It belongs to the runtime, not to the writer actor, so references to it stay good over restarts. The writer alone
changes it, always between two checkpoints, so whoever reads sees whole lines.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import attrs
import msgspec

from actors.model.recent_lines import RecentLines
from actors.model.room import Room
from actors.model.state import Limits, Tables


class Mode(Enum):
    """What the writer can do at present (`health.status` follows from it)."""

    RECOVERING = "recovering"
    OK = "ok"
    READ_ONLY = "read_only"


class Problem(msgspec.Struct, frozen=True):
    """Why something on the disk did not succeed."""

    message: str
    errno: int | None = None
    """What the system said, where it was the system."""

    def __str__(self) -> str:
        return self.message

    @classmethod
    def of(cls, error: Exception) -> Problem:
        """Return the problem that an exception tells of."""
        return cls(str(error) or repr(error), error.errno if isinstance(error, OSError) else None)


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
    beside: str | None = None
    """Why the journal goes on in the fallback directory; None while it is in the state directory."""
    journal_problem: Problem | None = None
    """Why the journal cannot be written at present."""
    save_problem: Problem | None = None
    """Why the newest snapshot that was tried is not there."""
    backup_problem: Problem | None = None
    """Why the backups are not as they should be after the newest snapshot."""
    files_problem: Problem | None = None
    """Why the newest files that were tried behind the journal are not there."""
    room: Room | None = None
    """How much room the disk had when it was last looked at."""
    journal: dict[str, int] = attrs.field(factory=dict)
    """bytes and segments of the journal."""

    def show_writable(self) -> None:
        """Show that the writer writes."""
        self.mode = Mode.OK
        self.reasons = []
        self.journal_problem = None

    def show_broken(self, reason: str, problem: Problem) -> None:
        """Show that the journal cannot be written."""
        self.mode = Mode.READ_ONLY
        self.reasons = [reason]
        self.journal_problem = problem

    def show_short(self, room: Room) -> None:
        """Show that the journal could be written, and is not, because only the reserve is left."""
        self.mode = Mode.READ_ONLY
        self.reasons = [room.shortage()]
