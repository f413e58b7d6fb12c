"""The journal in use, as the store's contract speaks of it: what it took, and what is remembered of one that broke.

One takes the place of another when it broke, or when the journal goes on beside the state directory or comes back. What
the next one needs of the last outlives it here: the crc of its newest durable line, and where its doubtful end begins.
A disk that refuses is told as the OSError it was. For the commit thread; the counts may be read by the other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NoReturn

from actors.storage.contract import Appended
from actors.storage.journal import FailedTail, Journal, JournalBroken
from actors.storage.settings import Durability

__all__ = ["LiveJournal", "raise_cause"]


class LiveJournal:
    """Empty until it is given a journal by `begin`."""

    def __init__(self) -> None:
        self._journal: Journal | None = None
        self.failed: FailedTail | None = None
        """The doubtful end of a journal that broke, until it has been set aside."""
        self.last_crc: bytes | None = None
        """That of the newest durable line, for a journal that goes on beside."""
        self.last_seq = 0
        """The newest line that was acknowledged."""
        self.appended_bytes = 0
        """What it took since the last snapshot that was found, in all journals."""

    def begin(self, journal: Journal) -> None:
        """Go on with this one. What was in use before is not closed by that."""
        self._journal = journal

    @property
    def current(self) -> Journal:
        """The one in use. Raises OSError when there is none."""
        if self._journal is None:
            raise OSError("the journal is closed")
        return self._journal

    def append(self, bodies: Sequence[bytes], durability: Durability) -> Appended:
        """Write one line per body, and acknowledge them: synced before that where they are durable at each commit."""
        journal = self.current
        sync_s = 0.0
        try:
            appended = journal.append_unsynced(bodies)
            if durability == "commit":
                begun_s = time.perf_counter()
                journal.sync()
                sync_s = time.perf_counter() - begun_s
        except JournalBroken as error:
            raise_cause(error)
        self.last_seq = appended.last_seq
        self.appended_bytes += appended.bytes
        return Appended(first_seq=appended.first_seq, last_seq=appended.last_seq, bytes=appended.bytes, sync_s=sync_s)

    def sync(self) -> None:
        """Make durable what was appended."""
        try:
            self.current.sync()
        except JournalBroken as error:
            raise_cause(error)

    def rotate(self) -> None:
        """Begin a new segment."""
        try:
            self.current.rotate()
        except JournalBroken as error:
            raise_cause(error)

    def give_up(self, *, is_tail_doubtful: bool) -> None:
        """Close the one in use, if there is one, as broken: `reopen` follows. Raises JournalBroken."""
        if self._journal is None:
            return
        if is_tail_doubtful:
            self.failed = self.failed or self._journal.failed_tail()
        self.last_crc = self._journal.last_durable_crc
        self._journal.close()
        self._journal = None

    def finish(self) -> None:
        """Close the one in use with all its lines durable, for another to go on; after an OSError it is given up."""
        journal = self.current
        try:
            journal.close()
        except JournalBroken as error:
            self.failed = journal.failed_tail()
            raise_cause(error)
        finally:
            self.last_crc = journal.last_durable_crc
            self._journal = None

    def close(self) -> None:
        """Close the one in use, if there is one."""
        journal, self._journal = self._journal, None
        if journal is not None:
            try:
                journal.close()
            except JournalBroken as error:
                raise_cause(error)


def raise_cause(error: JournalBroken) -> NoReturn:
    """The contract speaks of a disk that refused as an OSError."""
    cause = error.__cause__
    raise cause if isinstance(cause, OSError) else OSError(error.message) from error
