"""Recovery case J: what becomes of the segments in a fallback directory, as a table. Pure.

Both places are compared above the base, the line on which the first of those segments builds:

    the fallback's lines ...                               outcome
    there are none                                         RETIRE
    are all in the state directory's journal               RETIRE     merged before; removing them was cut short
    build on another line than it has there                SET_ASIDE  this is another history
    differ from its lines, and their epoch is not lower    MERGE      its own are what a failed write left
    differ from its lines, and their epoch is lower        SET_ASIDE  somebody started with --ignore-fallback
    go beyond it                                           MERGE
    are older than all that it still holds                 SET_ASIDE  nothing can be compared any more

An epoch is the number of a writer's life; each is higher than those before it, on whichever disk they were. A start
with --ignore-fallback leaps so far that no fallback can be ahead of it.
"""

from __future__ import annotations

from enum import Enum

import msgspec


class Outcome(Enum):
    """What becomes of the fallback's segments."""

    RETIRE = "retired"
    """They may go: nothing is in them that is not in the state directory."""
    MERGE = "merged"
    """They continue the state directory's journal, and are copied into it."""
    SET_ASIDE = "set aside"
    """They are kept in quarantine and told: the state directory's journal has gone another way."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. Epochs and seqs are 0 where there is none."""

    lines: int
    """Good lines in the fallback."""
    same: int
    """So many of them are in the state directory's journal too, with the same crc."""
    differ: bool
    """Whether a seq has one line here and another one there."""
    fits: bool
    """Whether the line that they build on is the state directory's own, as far as both know it."""
    last_seq: int
    """The last line in the fallback."""
    epoch: int
    """The highest of its segments."""
    main_last_seq: int
    """The last line, or snapshot, of the state directory."""
    main_epoch: int
    """The highest of its snapshots."""


def decide(found: Compared) -> Outcome:
    """Return what the table says."""
    if found.lines == found.same:
        return Outcome.RETIRE
    if not found.fits:
        return Outcome.SET_ASIDE
    if found.differ:
        return Outcome.SET_ASIDE if found.epoch < found.main_epoch else Outcome.MERGE
    return Outcome.MERGE if found.last_seq > found.main_last_seq else Outcome.SET_ASIDE
