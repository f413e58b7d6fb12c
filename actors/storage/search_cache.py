"""sessions/search.sqlite: the words of all messages, in SQLite's full-text index (FTS5). A cache.

SQLite opens this file itself: no `Disk` sees its writes, and none has to. What it changes goes into search.sqlite-wal
first, each transaction with a checksum, and is synced before it goes on into the file; so a kill at any moment, and a
power cut, leave the cache as of some transaction: the rows, and how far each session's file was read, together. The
newest transactions are not synced, for they can be made again. Only making and removing files go through `Disk`, with
its rules for links and modes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from attrs import define, field

from actors.model.search_words import said_apart
from actors.storage.files import Disk

FORM: Final = "2"
"""Of the tables, and of what is taken from a message; another one is made anew."""

LOCKED_S: Final = 0.5
"""How long somebody else who looks into the file is waited for; then there is no search."""

CHECKPOINT_PAGES: Final = 256
"""So much is synced at once, a megabyte: more would keep a commit of the journal waiting on the same disk."""

PART_MESSAGES: Final = 25_000
PART_MESSAGES_MAX: Final = 100_000
"""So many messages are searched in one go, more each time: a few tenths of a second, and what each part costs anew (the
places of all words that begin as one asked for) must not come too often."""

_BEST: Final = (
    "SELECT session_id, min(rank) FROM said JOIN messages ON number = said.rowid "
    "WHERE said MATCH ? AND said.rowid > ? AND said.rowid <= ? GROUP BY session_id"
)

_NO_DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""What SQLite says of circumstances that pass: what is in the file is as good as before."""

# `prefix`: an index of beginnings. Without it SQLite first joins the places of all words that begin so, in one go.
_TABLES: Final = """
CREATE TABLE mark (form TEXT NOT NULL, daemon_id TEXT NOT NULL);
CREATE TABLE files (
    session_id TEXT PRIMARY KEY, stamp TEXT NOT NULL, origin TEXT NOT NULL, last_index INTEGER NOT NULL,
    last_crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE messages (number INTEGER PRIMARY KEY, session_id TEXT NOT NULL);
CREATE INDEX messages_by_session ON messages (session_id);
CREATE VIRTUAL TABLE said USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 4');
"""


class Held(msgspec.Struct, frozen=True):
    """How far a session's file is in the cache, and how to tell whether the file still begins with that."""

    stamp: str
    """What the file looked like when all of it was in the cache; empty until it is."""
    origin: str
    """Which file it was."""
    last_index: int
    last_crc: int
    """Of the message `last_index`."""


@define
class Matches:
    """A search under way: it is carried on part by part, each a range of messages.

    SQLite itself finds the best match of each session, without Python's lock: taking matches one by one would make
    every other thread, also the one that commits, wait for that lock again and again.
    """

    _connection: sqlite3.Connection
    _asked: str
    _last_number: int
    _part: int
    _number: int = 0
    _best: dict[str, float] = field(factory=dict)

    def take(self) -> bool:
        """Search the next part; return whether there is more."""
        if self._number < self._last_number:
            end = self._number + self._part
            found = self._connection.execute(_BEST, (self._asked, self._number, end)).fetchall()
            for session_id, rank in found:
                self._best[session_id] = min(rank, self._best.get(session_id, 0.0))
            self._number, self._part = end, min(2 * self._part, PART_MESSAGES_MAX)
        return self._number < self._last_number

    def session_ids(self) -> list[str]:
        """Return the sessions found, that with the best match (bm25: the lowest) first."""
        return sorted(self._best, key=self._best.__getitem__)


def has_full_text() -> bool:
    """Whether this SQLite has FTS5."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5 (text)")
        except sqlite3.Error:
            return False
    return True


def is_damage(error: Exception) -> bool:
    """Whether an error tells that the cache is not good, and not that the disk or somebody else is in the way."""
    if isinstance(error, sqlite3.Error):
        code: int | None = getattr(error, "sqlite_errorcode", None)
        return code is None or code & 0xFF not in _NO_DAMAGE
    return False


class SearchCache:
    """The open cache. Raises sqlite3.Error, and OSError where a link stands in its place.

    Called by one thread at a time, not always the same.
    """

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._connection = self._connect()

    @classmethod
    def make(cls, disk: Disk, path: Path, daemon_id: str) -> SearchCache:
        """Make an empty cache in the place of whatever is there."""
        remove(disk, path)
        disk.close(disk.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        cache = cls(disk, path)
        try:
            cache._connection.executescript(f"BEGIN; {_TABLES} COMMIT;")
            cache._connection.execute("INSERT INTO mark VALUES (?, ?)", (FORM, daemon_id))
        except sqlite3.Error:
            cache.close()
            raise
        return cache

    def problem(self, daemon_id: str) -> str | None:
        """Return why the cache is not to be used, None when it is good."""
        mark = self._connection.execute("SELECT form, daemon_id FROM mark").fetchone()
        if mark is None or mark[0] != FORM:
            return "it has another form"
        return None if mark[1] == daemon_id else "it belongs to another directory"

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Make several changes, all or none."""
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have done so already
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def held(self, session_id: str) -> Held | None:
        """Return how far the session is in it."""
        columns = "stamp, origin, last_index, last_crc"
        row = self._connection.execute(f"SELECT {columns} FROM files WHERE session_id = ?", (session_id,))  # noqa: S608 - no input
        found = row.fetchone()
        return None if found is None else Held(*found)

    def session_ids(self) -> list[str]:
        """Return the sessions that are in it."""
        return [row[0] for row in self._connection.execute("SELECT session_id FROM files")]

    def remove(self, session_id: str) -> None:
        """Take a session out."""
        mine = "SELECT number FROM messages WHERE session_id = ?"
        self._connection.execute(f"DELETE FROM said WHERE rowid IN ({mine})", (session_id,))  # noqa: S608 - no input
        self._connection.execute("DELETE FROM messages WHERE session_id = ?", (session_id,))
        self._connection.execute("DELETE FROM files WHERE session_id = ?", (session_id,))

    def add(self, session_id: str, texts: Sequence[str], held: Held) -> None:
        """Add messages of a session, and note how far it is in it now."""
        for text in texts:
            number = self._connection.execute("INSERT INTO messages (session_id) VALUES (?)", (session_id,)).lastrowid
            self._connection.execute("INSERT INTO said (rowid, text) VALUES (?, ?)", (number, said_apart(text)))
        self._connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
            (session_id, held.stamp, held.origin, held.last_index, held.last_crc),
        )

    def matches(self, words: Sequence[str], part_messages: int = PART_MESSAGES) -> Matches:
        """Look for messages in which every word stands, or begins one; nothing is added until all are taken."""
        asked = " ".join('"{}"*'.format(said_apart(word).replace('"', '""')) for word in words)
        last = self._connection.execute("SELECT max(number) FROM messages").fetchone()[0]
        return Matches(self._connection, asked, (last or 0) if words else 0, part_messages)

    def close(self) -> None:
        """Let go of it; what its log holds goes into the file first."""
        self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        for path in companions(self._path):  # refuses links, as everywhere
            with contextlib.suppress(FileNotFoundError):
                self._disk.close(self._disk.open(path, os.O_RDWR))
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=LOCKED_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for setting in (
                "locking_mode = EXCLUSIVE",  # before the log is opened: so nobody shares it, and it needs no index file
                "journal_mode = WAL",
                f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
                f"journal_size_limit = {CHECKPOINT_PAGES * 4096}",
                "synchronous = NORMAL",
                "temp_store = MEMORY",
            ):
                connection.execute(f"PRAGMA {setting}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def companions(path: Path) -> tuple[Path, ...]:
    """Return the names that SQLite gives to files of this database; the last two are not ours, but would be read."""
    return (path, *(path.with_name(path.name + end) for end in ("-wal", "-journal", "-shm")))


def remove(disk: Disk, path: Path) -> None:
    """Remove the cache; none is fine. Raises OSError."""
    for one in companions(path):
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(one)
