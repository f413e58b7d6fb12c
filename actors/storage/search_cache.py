"""sessions/search.sqlite: the words of all messages, in SQLite's full-text index (FTS5). A cache.

SQLite opens this file itself: no `Disk` sees its writes, and none has to. There is no journal (it is kept in memory)
and nothing is synced, so whatever ends otherwise than by `close` leaves a file without its mark of wholeness, and such
a file is made anew. `close` syncs everything before it sets the mark. Only making and removing the file go through
`Disk`, with its rules for links and modes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from actors.storage.files import Disk

FORM: Final = "1"
"""Of the tables, and of what is taken from a message; another one is made anew."""

LOCKED_S: Final = 0.5
"""How long somebody else who looks into the file is waited for; then there is no search, and it is made anew."""

_TABLES: Final = """
CREATE TABLE mark (form TEXT NOT NULL, daemon_id TEXT NOT NULL, whole INTEGER NOT NULL);
CREATE TABLE files (session_id TEXT PRIMARY KEY, stamp TEXT NOT NULL, last_index INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE messages (number INTEGER PRIMARY KEY, session_id TEXT NOT NULL);
CREATE INDEX messages_by_session ON messages (session_id);
CREATE VIRTUAL TABLE said USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2');
"""


@frozen
class Held:
    """How far a session's file is in the cache; `stamp` is empty until all of it is."""

    stamp: str
    last_index: int


def has_full_text() -> bool:
    """Whether this SQLite has FTS5."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5 (text)")
        except sqlite3.Error:
            return False
    return True


class SearchCache:
    """The open cache. Raises sqlite3.Error for damage and for a disk that refuses; then `discard` it.

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
            cache._connection.executescript(_TABLES)
            cache._connection.execute("INSERT INTO mark VALUES (?, ?, 0)", (FORM, daemon_id))
        except sqlite3.Error:
            cache.discard()
            raise
        return cache

    def take_mark(self, daemon_id: str) -> str | None:
        """Return what is wrong with the file as it was left, None when it is good; from now on it is not whole."""
        mark = self._connection.execute("SELECT form, daemon_id, whole FROM mark").fetchone()
        if mark is None or mark[0] != FORM:
            return "it has another form"
        if mark[1] != daemon_id:
            return "it belongs to another directory"
        if not mark[2]:
            return "it was not closed"
        self._connection.execute("UPDATE mark SET whole = 0")
        return None

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Make several changes at once."""
        self._connection.execute("BEGIN")
        yield
        self._connection.execute("COMMIT")

    def held(self, session_id: str) -> Held | None:
        """Return how far the session is in it."""
        row = self._connection.execute("SELECT stamp, last_index FROM files WHERE session_id = ?", (session_id,))
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
            self._connection.execute("INSERT INTO said (rowid, text) VALUES (?, ?)", (number, text))
        self._connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (session_id, held.stamp, held.last_index)
        )

    def search(self, words: Sequence[str]) -> list[str]:
        """Return the sessions with a message in which every word stands, or begins one; best match (bm25) first."""
        if not words:
            return []
        asked = " ".join('"{}"*'.format(word.replace('"', '""')) for word in words)
        matches = self._connection.execute(
            "SELECT session_id FROM said JOIN messages ON number = said.rowid WHERE said MATCH ? ORDER BY rank",
            (asked,),
        )
        return list(dict.fromkeys(row[0] for row in matches))

    def close(self) -> None:
        """Sync all of it, then mark it as whole, and let go of it."""
        try:
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("UPDATE mark SET form = form")  # its commit syncs everything before it
            self._connection.execute("UPDATE mark SET whole = 1")
        finally:
            self._connection.close()

    def discard(self) -> None:
        """Let go of it and remove the file. Raises OSError."""
        self._connection.close()
        remove(self._disk, self._path)

    def _connect(self) -> sqlite3.Connection:
        self._disk.close(self._disk.open(self._path, os.O_RDWR))  # refuses links, as everywhere
        connection = sqlite3.connect(self._path, timeout=LOCKED_S, isolation_level=None, check_same_thread=False)
        try:
            for setting in (
                "locking_mode = EXCLUSIVE",
                "journal_mode = MEMORY",
                "synchronous = OFF",
                "temp_store = MEMORY",
            ):
                connection.execute(f"PRAGMA {setting}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def remove(disk: Disk, path: Path) -> None:
    """Remove the cache's file; none is fine. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        disk.unlink(path)
