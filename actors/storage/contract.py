"""What the writer asks of a storage, whatever it is made of, and the frozen values that pass between them.

Two implementations keep it, judged by one suite: `disk_store` (the real one) and `memory_store`. All methods are
synchronous and block. The commit thread calls `recover`, `commit`, `sync`, `room`, `reopen`, `rotate` and `close`; the
background thread calls `write_behind`, `sync_behind`, `save` and the reading ones. An OSError means that the disk
refused: after one from `commit`, `sync` or `rotate` the journal is closed for good, and only `reopen` brings it back.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from actors.model.keys import KeyRecord
from actors.model.room import Room
from actors.model.searched import Searched, Unfinished
from actors.model.state import Line, Tables, Tombstone
from actors.model.tables import Row
from actors.storage.behind import Behind


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is true as of `seq`: what a snapshot is made of. Rows are shared, never copied."""

    seq: int
    epoch: int
    saved_at: str
    lease_max: int
    metrics: Mapping[str, float | int]
    identity: Mapping[str, Any]
    rows: Mapping[str, Sequence[Row]]
    """Rows by table; the table `daemon` has one."""
    keys: Sequence[KeyRecord]
    tombstones: Sequence[Tombstone]


def cut_of(tables: Tables, epoch: int, identity: Mapping[str, Any], saved_at: str) -> Cut:
    """Return the tables as they are now; takes a millisecond or two at a hundred thousand rows."""
    return Cut(
        seq=tables.seq,
        epoch=epoch,
        saved_at=saved_at,
        lease_max=tables.lease_max,
        metrics=tables.metrics(),
        identity=identity,
        rows={name: list(table.rows.values()) for name, table in tables.by_name.items()},
        keys=list(tables.keys.records.values()),
        tombstones=list(tables.tombstones.values()),
    )


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What recovery found: the state, and the report of how it was found (SPEC section 5)."""

    tables: Tables
    epoch: int
    """The highest epoch seen on disk."""
    identity: Mapping[str, Any]
    lines: Sequence[Line]
    """The newest lines, for subscribers that come back."""
    refs: frozenset[str]
    """The commands whose lines were replayed: whoever waits for one of them can be told that it took effect."""
    behind: Behind
    """What still has to be written into files."""
    report: Mapping[str, Any]


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that are in the journal, as durable as the configuration wants it."""

    first_seq: int
    last_seq: int
    bytes: int
    sync_s: float
    """How long the fdatasync took; 0 when there was none."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot in place."""

    path: str
    seq: int
    bytes: int
    duration_s: float
    forgotten: Sequence[Tombstone] = ()
    """Tombstones that nothing needs any more: left out of the snapshot, and the tables may let go of them."""
    backup_problem: OSError | None = None
    """Why the backups could not be put in order behind it: too many stay, or a day's one is not in the archive."""


class NoRoom(OSError):
    """Only the reserve is left of the disk: nothing was written, and the journal is as good as before."""

    def __init__(self, room: Room) -> None:
        super().__init__(errno.ENOSPC, room.shortage())
        self.room = room


class JournalSize(msgspec.Struct, frozen=True, kw_only=True):
    """How much journal there is."""

    bytes: int
    segments: int


class WrittenBehind(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a portion of files."""

    edited: Sequence[str]
    """Files that somebody had changed meanwhile; their copies are in quarantine."""


class MessagesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of a session, encoded."""

    messages: Sequence[bytes]
    next: int | None
    """Where the next page begins (`after`), None at the end."""
    missing: Sequence[tuple[int, int]] = ()
    """The indexes up to the page's end that the file does not hold any more, as (first, last)."""


class DamagedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose file has lost messages; found when it was read or written."""

    session_id: str
    missing: Sequence[tuple[int, int]]
    """Their indexes, as (first, last)."""


class Store(Protocol):
    """See the module's text."""

    def recover(self) -> Recovered:
        """Find the newest state, make it durable, and be ready to commit. Raises typed errors (SPEC section 5)."""
        ...

    def commit(self, bodies: Sequence[bytes]) -> Appended:
        """Append one line per body; durable when it returns, unless the configuration asks for less.

        Raises NoRoom before anything is written when the disk has nothing left but the reserve.
        """
        ...

    def sync(self) -> None:
        """Make durable what `commit` appended without doing so (durability `interval`)."""
        ...

    def room(self) -> Room:
        """Look at how much room the disk has; costs microseconds. Called by the commit thread."""
        ...

    def reopen(self, cut: Cut) -> None:
        """Begin anew after a failed write: a fresh synced snapshot, a new segment, the old tail in quarantine.

        Where that cannot be done and there is a fallback directory, the journal goes on there (`beside`).
        """
        ...

    @property
    def beside(self) -> str | None:
        """Why the journal goes on in the fallback directory; None while it is in the state directory."""
        ...

    @property
    def has_fallback(self) -> bool:
        """Whether there is a fallback directory."""
        ...

    def go_beside(self, cut: Cut, why: OSError) -> None:
        """Leave a state directory in which nothing failed yet (NoRoom) for the fallback directory."""
        ...

    def come_back(self, cut: Cut) -> None:
        """Merge the journal back into the state directory behind a fresh snapshot, and go on there.

        Raises OSError while that cannot be written; then the journal goes on beside as it did.
        """
        ...

    def rotate(self, saved_seq: int) -> JournalSize:
        """Begin a new segment and let go of those that nothing needs any more."""
        ...

    def write_behind(self, behind: Behind) -> WrittenBehind:
        """Write files; may be repeated with the same contents, and changes nothing then."""
        ...

    def sync_behind(self) -> int:
        """Make written files durable; return the seq up to which all files are."""
        ...

    def save(self, cut: Cut) -> Saved:
        """Write a snapshot and put it in place."""
        ...

    def read_messages(self, session_id: str, after: int, limit: int, count: int = 0) -> MessagesPage:
        """Read a session's messages above an index; `count` is how many there should be in all."""
        ...

    def take_damaged(self) -> Sequence[DamagedSession]:
        """Return what was found damaged since the last call, each damage once. For any thread."""
        ...

    def search_messages(self, text: str) -> Searched | Unfinished:
        """Find the sessions with a message in which every word of the text stands, or begins one.

        Unfinished: call it again, after whatever else waits.
        """
        ...

    def read_log(self, name: str, offset: int, limit: int) -> tuple[bytes, int]:
        """Read a text log from an offset; return the bytes and the offset after them."""
        ...

    def write_output(self, run_id: str, stream: str, offset: int, data: bytes, *, follows: bool = False) -> None:
        """Write what a run printed at its offset; the same bytes twice change nothing.

        With `follows` it must leave no hole: StorageFailed when the file ends before `offset`. How long the file is
        says how far it was written, so a later piece must not be there without an earlier one that failed.
        """
        ...

    def sync_output(self, run_id: str) -> None:
        """Make what a run printed durable."""
        ...

    def output_sizes(self, run_id: str) -> tuple[int, int]:
        """Return how many bytes of a run's stdout and stderr were written."""
        ...

    def read_output(self, run_id: str, stream: str, offset: int, limit: int) -> bytes:
        """Read what a run printed from an offset; empty at the end."""
        ...

    def read_spool(self, files_max: int) -> list[tuple[str, bytes]]:
        """Read what the session hook left: (name, content), the oldest first."""
        ...

    def remove_spooled(self, name: str) -> None:
        """Remove such a file; one that is not there is fine."""
        ...

    def set_aside_spooled(self, name: str, reason: str) -> None:
        """Move such a file into quarantine; one that is not there is fine."""
        ...

    def read_report(self, report_id: str) -> bytes:
        """Read a report's file."""
        ...

    def read_lines(self, from_seq: int, lines_max: int) -> list[Line]:
        """Read journal lines from a seq on, as far as the journal is kept."""
        ...

    def read_archived(self, session_id: str) -> tuple[bytes, str] | None:
        """Return the row of a session in the archive and the name it has there."""
        ...

    def backups(self) -> list[dict[str, Any]]:
        """List the backups, newest first."""
        ...

    def verify(self) -> dict[str, Any]:
        """Check everything on disk without changing it; return findings."""
        ...

    def health(self) -> dict[str, Any]:
        """Return what `health` shows of the directory: free space, counts, whether it can be written."""
        ...

    def close(self) -> None:
        """Let go of every descriptor; the last segment is cut to its lines."""
        ...
