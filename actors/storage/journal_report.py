"""What a scan of the journal found: the places that are not as they were written, and the seqs that are missing."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import Final

import msgspec

from actors.storage.codec import Bad

DAMAGES_MAX: Final = 1000
"""How many places of damage a report lists; beyond that they are counted."""


class Damage(msgspec.Struct, frozen=True):
    """A place in the journal that is not as it was written."""

    path: Path
    line: int
    """Number of the line in its segment, from 1; 0 for the segment as a whole."""
    offset: int
    length_bytes: int
    reason: Bad
    excerpt: str


class Tail(msgspec.Struct, frozen=True):
    """The end of the last segment, as `make_tail_durable` needs it. Offsets are in bytes."""

    path: Path
    start: int
    """Where the first line above D begins; `good_end` when there is none."""
    good_end: int
    """Where the last good line ends."""
    content_end: int
    """Where the zeros at the end begin; the size when there are none."""
    size_bytes: int
    is_unreadable: bool = False
    """The disk refuses to read on from `good_end`; then `start` is 0: what is good moves to a new file as a whole."""


class Superseded(msgspec.Struct, frozen=True):
    """The end of an older segment that the next one has replaced."""

    path: Path
    offset: int
    length_bytes: int


class ScanReport(msgspec.Struct, frozen=True):
    """What a scan found. `missing` are ranges of seqs, both ends included, above `after_seq`."""

    after_seq: int
    next_seq: int
    """The seq that the next line written must have."""
    last_crc: bytes | None
    """The crc of the line `next_seq - 1`; None when that line was not seen."""
    durable: int
    """D of the rules above."""
    lines: int
    """How many lines were given out."""
    segments: int
    torn: Damage | None
    damages: tuple[Damage, ...]
    damages_omitted: int
    missing: tuple[tuple[int, int], ...]
    superseded: tuple[Superseded, ...]
    tail: Tail | None
    """None when there is no segment."""


class Damages:
    """The places of damage, counted and listed up to a bound."""

    def __init__(self) -> None:
        self.listed: list[Damage] = []
        self.omitted = 0

    def note(self, damage: Damage) -> None:
        """List the place, or count it when the list is full."""
        if len(self.listed) < DAMAGES_MAX:
            self.listed.append(damage)
        else:
            self.omitted += 1


class Missing:
    """Ranges of seqs that are missing, in order; a line that comes late takes its seq out."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def add(self, first: int, last: int) -> None:
        """Add a range above all others; nothing when it is empty."""
        if first <= last:
            self.ranges.append((first, last))

    def __contains__(self, seq: int) -> bool:
        at = self._before(seq)
        return at >= 0 and self.ranges[at][1] >= seq

    def remove(self, seq: int) -> None:
        """Take out a seq that is missing."""
        at = self._before(seq)
        first, last = self.ranges[at]
        self.ranges[at : at + 1] = [(a, b) for a, b in ((first, seq - 1), (seq + 1, last)) if a <= b]

    def _before(self, seq: int) -> int:
        """Return the number of the last range that begins at or before `seq`, or -1."""
        return bisect_right(self.ranges, seq, key=lambda one: one[0]) - 1
