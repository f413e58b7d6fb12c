"""What is known of a file of sealed lines without holding it: a fold over its lines, kept up as it grows.

Every line falls into one of these cases, and nothing that stands in a file makes this raise:

=====================================  ============================================================================
good, in order                         taken in
good, but not after those before it    reported and passed over
good, the header names another owner   the header is reported, it and all lines after it are passed over
not believed, a good line follows      damage in the middle: reported and passed over
not believed, to the end of the file   a torn tail, what an append that was cut short leaves: cut before the next
                                       append, and kept in quarantine
whole but for its line feed, at end    good; the next append begins with the line feed
=====================================  ============================================================================

What is passed over stays where it is while the file is only read. The next append moves it to quarantine.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

import msgspec
from attrs import Factory, define

from actors.storage.codec import excerpt
from actors.storage.sealed_lines import HEADER, META, Read, read_lines

REJECTED_MAX: Final = 1000
"""So many bad lines are described one by one; of a file with more, the rest is counted."""

MARK_EVERY: Final = 256
"""The place of every 256th message is remembered: 16 bytes each, and a read skips at most 255 lines."""

OUT_OF_ORDER: Final = "repeats or precedes a line before it"

FOREIGN: Final = "the file's name is not the id in its header: all of its lines are another's"


class BadLine(msgspec.Struct, frozen=True):
    """A line that is passed over: where it is and what it begins with."""

    line: int
    """Counted from 1, as editors do."""
    offset: int
    length_bytes: int
    reason: str
    excerpt: str


class Torn(msgspec.Struct, frozen=True):
    """What stands behind the last good line."""

    offset: int
    length_bytes: int
    reason: str


@define
class Survey:
    """What a file holds, where it ends, and what is wrong with it."""

    size_bytes: int = 0
    end: int = 0
    """Where the last line ends that stays; beyond it lies a torn tail."""
    ended: bool = True
    """False when the last line that stays lacks its line feed."""
    header: bytes | None = None
    last_index: int = 0
    last_rev: int = 0
    last_meta: bytes | None = None
    base_rev: int = 0
    """The rev of the metadata that directly follows the header: the file was begun, or begun anew, at it."""
    missing: list[tuple[int, int]] = Factory(list)
    """The indexes up to `last_index` that no good line has, as (first, last)."""
    rejected: list[BadLine] = Factory(list)
    rejected_count: int = 0
    torn: Torn | None = None
    owner: str | None = None
    """The id that a header must name, None when it may name any."""
    _is_foreign: bool = False
    _lines: int = 0
    _pending: list[BadLine] = Factory(list)
    _undescribed: int = 0
    _mark_indexes: array[int] = Factory(lambda: array("Q"))
    _mark_offsets: array[int] = Factory(lambda: array("Q"))

    @classmethod
    def of(cls, chunks: Iterable[bytes], owner: str | None = None) -> Survey:
        """Return the survey of the file whose bytes `chunks` give."""
        survey = cls(owner=owner)
        for read in read_lines(chunks):
            survey.take(read)
        survey.finish()
        return survey

    def take(self, read: Read) -> bool:
        """Take in the next line of the file; return whether it is good and in order."""
        self._lines += 1
        self.size_bytes = read.offset + read.length_bytes
        if read.bad is not None:
            self._hold(read, read.bad)
            return False
        for bad in self._pending:
            self._reject(bad)
        self.rejected_count += self._undescribed
        self._pending.clear()
        self._undescribed = 0
        self.end, self.ended = self.size_bytes, read.ended
        if self._is_anothers(read):
            return False
        if not self._is_in_order(read):
            self._reject(self._describe(read, OUT_OF_ORDER))
            return False
        self._note(read)
        return True

    def finish(self) -> None:
        """The file ends here: what is pending is its torn tail."""
        if self._pending:
            self.torn = Torn(self.end, self.size_bytes - self.end, self._pending[0].reason)
            self._pending.clear()

    def is_missing(self, index: int) -> bool:
        """Tell whether message `index` lies in a gap."""
        at = bisect_right(self.missing, (index, self.last_index)) - 1
        return at >= 0 and self.missing[at][0] <= index <= self.missing[at][1]

    def offset_before(self, index: int) -> int:
        """Return the beginning of some line at or before message `index`, at most MARK_EVERY messages before it."""
        at = bisect_right(self._mark_indexes, index) - 1
        return self._mark_offsets[at] if at >= 0 else 0

    def _is_anothers(self, read: Read) -> bool:
        """Pass over every line from a header on that names another owner; the header alone is described."""
        if self._is_foreign:
            self.rejected_count += 1
        elif read.kind == HEADER and self.owner is not None and b'"id":"%b"' % self.owner.encode() not in read.data:
            self._is_foreign = True
            self._reject(self._describe(read, FOREIGN))
        return self._is_foreign

    def _is_in_order(self, read: Read) -> bool:
        if read.kind == HEADER:
            return self._lines == 1
        return read.number > (self.last_rev if read.kind == META else self.last_index)

    def _note(self, read: Read) -> None:
        if read.kind == HEADER:
            self.header = read.data
        elif read.kind == META:
            self.last_rev, self.last_meta = read.number, read.data
            if self._lines == 2 and self.header is not None:  # noqa: PLR2004 - the line after the header
                self.base_rev = read.number
        else:
            if read.number > self.last_index + 1:
                self.missing.append((self.last_index + 1, read.number - 1))
            if not self._mark_indexes or read.number >= self._mark_indexes[-1] + MARK_EVERY:
                self._mark_indexes.append(read.number)
                self._mark_offsets.append(read.offset)
            self.last_index = read.number

    def _hold(self, read: Read, reason: str) -> None:
        """Keep a line that is not believed until it is known whether a good one follows; too many are only counted."""
        if len(self._pending) + len(self.rejected) < REJECTED_MAX or not self._pending:
            self._pending.append(self._describe(read, reason))
        else:
            self._undescribed += 1

    def _reject(self, bad: BadLine) -> None:
        self.rejected_count += 1
        if len(self.rejected) < REJECTED_MAX:
            self.rejected.append(bad)

    def _describe(self, read: Read, reason: str) -> BadLine:
        return BadLine(self._lines, read.offset, read.length_bytes, reason, excerpt(read.data))
