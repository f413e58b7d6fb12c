"""Which case of SPEC section 5 a directory is: a table from what was found to what is done. Pure.

    state.json   backups   else                              case  base
    any newer version                                        I     refused
    version 1.x, or none (the seeds' layout)                 H     migrated
    missing      none      nothing else there                A     empty
    good                                                     B     state.json
    damaged      a good one                                  C     newest good backup
    missing      a good one                                  E     newest good backup, then task files
    missing      none      the journal begins at 1           E     empty, then task files
    else                                                     D     what can be read of all of them, then all files

F (torn end) and G (damage) are told by the journal's scan and come on top of the others.
"""

from __future__ import annotations

from enum import Enum, StrEnum

import msgspec

from actors.model.errors import Internal


class Case(StrEnum):
    """The letters of SPEC section 5."""

    EMPTY = "A"
    STATE = "B"
    BACKUP = "C"
    SALVAGE = "D"
    REBUILD = "E"
    TORN = "F"
    DAMAGED = "G"
    VERSION_1 = "H"
    NEWER = "I"


class Base(StrEnum):
    """What the journal is replayed on."""

    EMPTY = "empty"
    STATE = "state.json"
    BACKUP = "backup"
    SALVAGE = "salvage"
    NONE = "none"


class Seen(Enum):
    """How a snapshot (or the best of the backups) looks."""

    MISSING = "missing"
    DAMAGED = "damaged"
    GOOD = "good"
    NEWER = "newer"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision depends on."""

    state: Seen
    backup: Seen
    is_version_1: bool = False
    journal_begins_at: int | None = None
    """The first segment's first seq; None when no segment holds a line."""
    has_files: bool = False
    """Whether there are task or session files."""


class Decision(msgspec.Struct, frozen=True):
    """The case, and the base that goes with it."""

    case: Case
    base: Base


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table; an empty set or None means any."""

    decision: Decision
    state: frozenset[Seen] = frozenset(Seen)
    backup: frozenset[Seen] = frozenset(Seen)
    is_version_1: bool | None = None
    journal_begins_at: int | None = None
    is_bare: bool | None = None
    """Whether there is neither a line in the journal nor a file."""

    def fits(self, found: Found) -> bool:
        is_bare = found.journal_begins_at is None and not found.has_files
        return (
            found.state in self.state
            and found.backup in self.backup
            and self.is_version_1 in (None, found.is_version_1)
            and self.journal_begins_at in (None, found.journal_begins_at)
            and self.is_bare in (None, is_bare)
        )


_MISSING = frozenset({Seen.MISSING})
_DAMAGED = frozenset({Seen.DAMAGED})
_GOOD = frozenset({Seen.GOOD})
_NEWER = frozenset({Seen.NEWER})

TABLE: tuple[_Row, ...] = (
    _Row(decision=Decision(Case.NEWER, Base.NONE), state=_NEWER),
    _Row(decision=Decision(Case.NEWER, Base.NONE), backup=_NEWER),
    _Row(decision=Decision(Case.VERSION_1, Base.NONE), is_version_1=True),
    _Row(decision=Decision(Case.EMPTY, Base.EMPTY), state=_MISSING, backup=_MISSING, is_bare=True),
    _Row(decision=Decision(Case.STATE, Base.STATE), state=_GOOD),
    _Row(decision=Decision(Case.BACKUP, Base.BACKUP), state=_DAMAGED, backup=_GOOD),
    _Row(decision=Decision(Case.REBUILD, Base.BACKUP), state=_MISSING, backup=_GOOD),
    _Row(decision=Decision(Case.REBUILD, Base.EMPTY), state=_MISSING, backup=_MISSING, journal_begins_at=1),
    _Row(decision=Decision(Case.SALVAGE, Base.SALVAGE)),
)
"""The first row that fits decides."""


def decide(found: Found) -> Decision:
    """Return the case of what was found."""
    for row in TABLE:
        if row.fits(found):
            return row.decision
    raise Internal("no case of recovery fits")  # the last row fits everything
