"""Searching the messages of sessions, by a cache that is brought up to date before it is asked.

Nothing is done until somebody searches. Then each session file is compared with what the cache has of it (inode, size,
time of change), and what differs is read anew; afterwards only what was written since is looked at. All of that
happens in slices, between which other work goes on. A cache that is missing, damaged, not closed, or another
directory's is made anew. Where that fails, or SQLite has no FTS5, nothing is found and it is said why: correctness
never rests on the cache.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from enum import Enum
from typing import Final

from actors.model.search_words import said_in, words_of
from actors.model.searched import Searched, Unfinished
from actors.storage.behind import SessionWork
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.search_cache import Held, SearchCache, has_full_text
from actors.storage.session_files import SessionFiles

SLICE_S: Final = 0.05
"""A slice begins no further page after so long: others wait for the thread."""

PAGE_MESSAGES: Final = 256
PAGE_BYTES_MAX: Final = 1 << 20

NO_FULL_TEXT: Final = "SQLite has no full-text search (FTS5) here"


class _Due(Enum):
    """What is to be done about a session's file."""

    LOOK = "look"
    """See whether it is the one that the cache has."""
    MORE = "more"
    """It was only appended to: go on behind what the cache has."""
    ANEW = "anew"
    """Forget what the cache has."""


class SessionSearch:
    """See the module's text. For one thread at a time."""

    def __init__(self, disk: Disk, layout: Layout, sessions: SessionFiles, *, full_text: bool | None = None) -> None:
        self._disk = disk
        self._layout = layout
        self._sessions = sessions
        self._full_text = full_text
        self._cache: SearchCache | None = None
        self._due: dict[str, _Due] = {}
        self._unread: dict[str, str] = {}
        """Sessions whose files cannot be read, and why."""
        self._failures = 0
        """Since the last search that came to an end."""

    def note(self, session_id: str, works: list[SessionWork]) -> None:
        """A session's file was written."""
        if self._cache is None:
            return
        is_more = all(not (work.rewrite or work.rewind or work.archive or work.restore_from) for work in works)
        self._due[session_id] = self._due.get(session_id, _Due.MORE) if is_more else _Due.ANEW

    def search(self, text: str, daemon_id: str) -> Searched | Unfinished:
        """Return the sessions that say it, or do a slice of what must be done first. Never raises for the cache."""
        if self._full_text is None:
            self._full_text = has_full_text()
        if not self._full_text:
            return Searched((), NO_FULL_TEXT)
        try:
            if self._cache is None:
                return self._open(daemon_id)
            if self._catch_up(self._cache):
                return Unfinished()
            found = self._cache.search(words_of(text))
        except (OSError, sqlite3.Error) as error:
            return self._failed(error)
        self._failures = 0
        return Searched(tuple(found), self._unread_problem())

    def close(self) -> None:
        """Let go of the cache: whole when nothing was left to do. It is a cache: a disk that refuses is no failure."""
        cache, self._cache = self._cache, None
        if cache is not None:
            with contextlib.suppress(OSError, sqlite3.Error):
                cache.close()

    def _open(self, daemon_id: str) -> Unfinished:
        path = self._layout.search_cache
        problem = "it is missing"
        if self._disk.exists(path):
            try:
                self._cache = SearchCache(self._disk, path)
                problem = self._cache.take_mark(daemon_id) or ""
            except (OSError, sqlite3.Error) as error:
                problem = str(error)
            if problem and self._cache is not None:
                self._discard()
        if self._cache is None:
            self._cache = SearchCache.make(self._disk, path, daemon_id)
        known = [*self._sessions.session_ids(), *self._cache.session_ids()]
        self._due = dict.fromkeys(known, _Due.LOOK)
        self._unread.clear()
        return Unfinished(f"the search cache of sessions is made anew: {problem}" if problem else None)

    def _failed(self, error: Exception) -> Searched | Unfinished:
        """Once a damaged cache is made anew; what fails again is not the cache's damage."""
        self._failures += 1
        with contextlib.suppress(OSError, sqlite3.Error):
            self._discard()
        if self._failures == 1:
            return Unfinished(f"the search cache of sessions cannot be used, and is made anew: {error}")
        self._failures = 0
        return Searched((), f"the search cache cannot be kept: {error}")

    def _discard(self) -> None:
        cache, self._cache = self._cache, None
        if cache is not None:
            cache.discard()

    def _catch_up(self, cache: SearchCache) -> bool:
        """Do a slice of what is due; return whether there is more."""
        ends_s = time.monotonic() + SLICE_S
        with cache.change():
            while self._due and time.monotonic() < ends_s:
                session_id = next(iter(self._due))
                try:
                    self._take_page(cache, session_id)
                except OSError as error:
                    self._unread[session_id] = error.strerror or str(error)
                    cache.remove(session_id)
                    del self._due[session_id]
        return bool(self._due)

    def _take_page(self, cache: SearchCache, session_id: str) -> None:
        """Bring one session nearer to what its file says; it is not due any more when it is there."""
        path = self._layout.session_file(session_id)
        held = cache.held(session_id)
        try:
            seen = self._disk.lstat(path)
        except FileNotFoundError:
            cache.remove(session_id)
            del self._due[session_id]
            return
        stamp = f"{seen.st_ino} {seen.st_size} {seen.st_mtime_ns}"
        due = self._due[session_id]
        if due is _Due.LOOK and held is not None and held.stamp == stamp:
            del self._due[session_id]
            return
        if due is not _Due.MORE:
            cache.remove(session_id)
            held = None
        after = 0 if held is None else held.last_index
        page = self._sessions.read(session_id, after, PAGE_MESSAGES, PAGE_BYTES_MAX)
        last_index = self._sessions.last_index(session_id) if page.next is None else page.next
        is_all = page.next is None
        texts = [said_in(message) for message in page.messages]
        cache.add(session_id, texts, Held(stamp if is_all else "", last_index))
        self._unread.pop(session_id, None)
        if is_all:
            del self._due[session_id]
        else:
            self._due[session_id] = _Due.MORE

    def _unread_problem(self) -> str | None:
        if not self._unread:
            return None
        session_id, reason = next(iter(self._unread.items()))
        return f"{len(self._unread)} session files cannot be read, such as that of {session_id}: {reason}"
