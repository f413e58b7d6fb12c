"""Appending to the journal: many lines, one write, one fdatasync.

The object owns the open segment. It is told where the journal stands (by recovery) and begins a segment of its own: it
never appends to a file that another life has written. Only one thread calls it.

An OSError poisons it. What the kernel still holds of that write may or may not reach the disk, and asking again would
say yes either way; so every later call raises JournalBroken, the lines of the failed call are neither acknowledged nor
repeated here, and the writer comes back through recovery: `supersede_tail` sets the doubtful end aside, a new Journal
begins after `durable_seq`.

With `preallocate_bytes` the segment grows in steps filled with zeros, which makes fdatasync cheaper (the size changes
once per step only); zeros after the last line are a segment's normal end, and are cut when it is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from actors.model.errors import StorageFailed
from actors.storage.files import Disk
from actors.storage.journal_lines import FIRST_PREV, format_lines
from actors.storage.layout import Layout
from actors.storage.segments import begin_segment

SEGMENT_BYTES_MAX: Final = 64 << 20
"""Where a segment is closed for its size: recovery reads at most one more than the newest snapshot needs."""

PREALLOCATE_BYTES: Final = 256 << 10
"""What the segment grows by. Whichever commit comes then waits for it: 3 to 15 ms with 1 MiB, about 1 ms with this."""


Head = Callable[[int, bytes], bytes]
"""Makes the first line of a segment from the seq and the crc of the line that it follows."""


class JournalBroken(StorageFailed):
    """A write or sync of this journal failed; it takes nothing any more. `__cause__` is the OSError."""


class Appended(msgspec.Struct, frozen=True):
    """What one call of `append` made durable."""

    first_seq: int
    last_seq: int
    bytes: int


class FailedTail(msgspec.Struct, frozen=True):
    """Where the doubtful end of a broken journal begins."""

    path: Path
    offset: int
    durable_seq: int


class Journal:
    """The open end of the journal."""

    def __init__(
        self,
        disk: Disk,
        layout: Layout,
        *,
        next_seq: int,
        last_crc: bytes | None = None,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        preallocate_bytes: int = PREALLOCATE_BYTES,
        head: Head | None = None,
    ) -> None:
        """Begin a segment at `next_seq`; everything before it is durable. `last_crc` is that of the line before it.

        `head` makes the first line of each segment, for those in a fallback directory.

        Raises OSError when the disk refuses and StorageFailed when that segment holds lines already.
        """
        self._disk = disk
        self._layout = layout
        self._segment_bytes_max = segment_bytes_max
        self._preallocate_bytes = preallocate_bytes
        self._head = head
        self.next_seq = next_seq
        self.durable_seq = next_seq - 1
        """The highest seq that a sync has covered."""
        self.broken: OSError | None = None
        """The failure that poisoned this journal."""
        self.last_durable_crc = last_crc or FIRST_PREV
        """The crc of the line `durable_seq`: what the next journal, begun after a failure, must be given."""
        self._prev = self.last_durable_crc
        self._begin = self._offset = self._durable_offset = self._allocated = 0
        self._begin_segment()

    @property
    def segment_bytes(self) -> int:
        """How many bytes of lines the open segment holds."""
        return self._offset - self._begin

    def append(self, bodies: Sequence[bytes]) -> Appended:
        """Write one line per body (at least one) and make them durable: one write, one fdatasync.

        Raises ValueError for a body that cannot be a line (nothing was written; the journal goes on), JournalBroken
        when the disk failed now or before: then what was given is not acknowledged, and its outcome is unknown.
        """
        appended = self.append_unsynced(bodies)
        self.sync()
        return appended

    def append_unsynced(self, bodies: Sequence[bytes]) -> Appended:
        """Write one line per body without syncing: for durabilities that risk the newest lines. Raises as append."""
        self._check()
        if not bodies:
            raise ValueError("there is nothing to append")
        if self._offset >= self._segment_bytes_max:
            self.rotate()
        pieces, prev = format_lines(bodies, self.next_seq, self.durable_seq, self._prev)
        length = sum(map(len, pieces))
        end = self._offset + length
        if self._preallocate_bytes and end > self._allocated:
            step = self._preallocate_bytes
            self._allocated = -(-end // step) * step
            pieces.append(bytes(self._allocated - end))
        try:
            self._disk.pwrite_all(self._descriptor, b"".join(pieces), self._offset)
        except OSError as error:
            self._break(error)
        first = self.next_seq
        self.next_seq += len(bodies)
        self._offset, self._prev = end, prev
        return Appended(first, self.next_seq - 1, length)

    def sync(self) -> None:
        """Make durable what was appended. Raises JournalBroken."""
        self._check()
        if self._durable_offset == self._offset:
            return
        try:
            self._disk.fdatasync(self._descriptor)
        except OSError as error:
            self._break(error)
        self.durable_seq, self._durable_offset = self.next_seq - 1, self._offset
        self.last_durable_crc = self._prev

    def rotate(self) -> None:
        """Close the segment and begin the next, as a snapshot does; nothing when it is empty. Raises JournalBroken."""
        self._check()
        if self._offset == self._begin:
            return
        self.sync()
        try:
            self._finish_segment()
            self._begin_segment()
        except OSError as error:
            self._break(error)

    def close(self) -> None:
        """Make durable what was appended, cut the zeros, close the file. A broken journal is only closed."""
        if not self._is_open:
            return
        if self.broken is not None:
            self._close_file()
            return
        self.sync()
        try:
            self._finish_segment()
        except OSError as error:
            self._break(error)

    def failed_tail(self) -> FailedTail:
        """Tell where the doubtful end begins, for `supersede_tail`."""
        return FailedTail(self.path, self._durable_offset, self.durable_seq)

    def _begin_segment(self) -> None:
        self._descriptor: int
        self.path: Path
        head = b"" if self._head is None else self._head(self.next_seq - 1, self._prev)
        self._descriptor, self.path = begin_segment(
            self._disk, self._layout, self.next_seq, self._preallocate_bytes, head
        )
        self._is_open = True
        self._begin = self._offset = self._durable_offset = len(head)
        self._allocated = max(self._preallocate_bytes, len(head))

    def _finish_segment(self) -> None:
        """Cut the zeros. That needs no sync: they are a normal end for as long as they come back after a power cut."""
        try:
            if self._allocated > self._offset:
                self._disk.ftruncate(self._descriptor, self._offset)
        finally:
            self._close_file()

    def _close_file(self) -> None:
        if self._is_open:
            self._is_open = False
            self._disk.close(self._descriptor)

    def _check(self) -> None:
        if self.broken is not None:
            raise JournalBroken(f"the journal failed before: {self.broken}") from self.broken
        if not self._is_open:
            raise JournalBroken("the journal is closed")

    def _break(self, error: OSError) -> NoReturn:
        error.filename = error.filename or str(self.path)
        self.broken = error
        raise JournalBroken(f"writing the journal failed: {error}") from error
