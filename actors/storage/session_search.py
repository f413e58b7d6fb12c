"""Searching the messages of sessions, by a cache that is brought up to date before it is asked.

Nothing is done until somebody searches. Then each session file is compared with what the cache has of it (inode, size,
time of change). One that has only grown, as its beginning and the last message in the cache show, is read from there
on, any other anew; afterwards only what was written since is looked at. All of that, and the search itself, happens in
slices, between which other work goes on. A page's words and how far its file was read are one transaction: whoever is
killed meanwhile leaves what was done, and the next one goes on from there.

A cache that is missing, damaged, or another directory's is made anew. Where that fails, or SQLite has no FTS5, nothing
is found and it is said why: correctness never rests on the cache.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from enum import Enum
from typing import Final
from zlib import crc32

from actors.model.search_words import said_in, words_of
from actors.model.searched import Searched, Unfinished
from actors.storage.behind import SessionWork
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.search_cache import PART_MESSAGES, Held, Matches, SearchCache, has_full_text, is_damage, remove
from actors.storage.session_files import MessagesPage, SessionFiles

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

    def __init__(
        self,
        disk: Disk,
        layout: Layout,
        sessions: SessionFiles,
        *,
        full_text: bool | None = None,
        page_messages: int = PAGE_MESSAGES,
        part_messages: int = PART_MESSAGES,
        slice_s: float = SLICE_S,
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._sessions = sessions
        self._full_text = full_text
        self._page_messages = page_messages
        self._part_messages = part_messages
        self._slice_s = slice_s
        self._cache: SearchCache | None = None
        self._due: dict[str, _Due] = {}
        self._asked: tuple[str, Matches] | None = None
        """The search under way. Others wait: the cache must not change meanwhile."""
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
            found = self._ask(self._cache, text)
        except (OSError, sqlite3.Error) as error:
            return self._failed(error)
        if found is None:
            return Unfinished()
        self._failures = 0
        return Searched(tuple(found), self._unread_problem())

    def close(self) -> None:
        """Let go of the cache. It is a cache: a disk that refuses is no failure."""
        cache, self._cache, self._asked = self._cache, None, None
        if cache is not None:
            with contextlib.suppress(OSError, sqlite3.Error):
                cache.close()

    def _ask(self, cache: SearchCache, text: str) -> list[str] | None:
        """Do a slice of what leads to the answer; return it when it is there."""
        ends_s = time.monotonic() + self._slice_s
        if self._asked is None:
            if self._catch_up(cache, ends_s):
                return None
            self._asked = (text, cache.matches(words_of(text), self._part_messages))
        asked, matches = self._asked
        if asked != text or matches.take():
            return None
        self._asked = None
        return matches.session_ids()

    def _open(self, daemon_id: str) -> Unfinished:
        path = self._layout.search_cache
        problem: str | None = "it is missing"
        if self._disk.exists(path):
            try:
                self._cache = SearchCache(self._disk, path)
                problem = self._cache.problem(daemon_id)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                problem = str(error)
            except OSError as error:  # a link, or no file
                problem = str(error)
        cache = self._cache
        if cache is None or problem:
            self.close()
            cache = self._cache = SearchCache.make(self._disk, path, daemon_id)
        known = [*self._sessions.session_ids(), *cache.session_ids()]
        self._due = dict.fromkeys(known, _Due.LOOK)
        self._unread.clear()
        return Unfinished(f"the search cache of sessions is made anew: {problem}" if problem else None)

    def _failed(self, error: Exception) -> Searched | Unfinished:
        """Once a damaged cache is made anew; what fails again is not the cache's damage."""
        self.close()
        self._failures += is_damage(error)
        if is_damage(error) and self._failures == 1:
            with contextlib.suppress(OSError):
                remove(self._disk, self._layout.search_cache)
            return Unfinished(f"the search cache of sessions cannot be used, and is made anew: {error}")
        self._failures = 0
        return Searched((), f"the search cache cannot be kept: {error}")

    def _catch_up(self, cache: SearchCache, ends_s: float) -> bool:
        """Do a slice of what is due, a page at least; return whether there is more."""
        if not self._due:
            return False
        with cache.change():
            while self._due:
                session_id = next(iter(self._due))
                try:
                    self._take_page(cache, session_id)
                except OSError as error:
                    self._unread[session_id] = error.strerror or str(error)
                    cache.remove(session_id)
                    del self._due[session_id]
                if time.monotonic() >= ends_s:
                    break
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
        due = self._due[session_id]
        if due is _Due.LOOK and held is not None and held.stamp == _stamp(seen):
            del self._due[session_id]
            return
        if due is _Due.ANEW or (due is _Due.LOOK and not self._goes_on(session_id, held, seen)):
            cache.remove(session_id)
            held = None
        after = 0 if held is None else held.last_index
        page = self._sessions.read(session_id, after, self._page_messages, PAGE_BYTES_MAX)
        cache.add(
            session_id, [said_in(message) for message in page.messages], self._now_held(session_id, seen, held, page)
        )
        self._unread.pop(session_id, None)
        if page.next is None:
            del self._due[session_id]
        else:
            self._due[session_id] = _Due.MORE

    def _goes_on(self, session_id: str, held: Held | None, seen: os.stat_result) -> bool:
        """Whether the file still begins with what the cache has of it."""
        if held is None or held.origin != self._origin(session_id, seen):
            return False
        if held.last_index == 0:
            return True
        last = self._sessions.read(session_id, held.last_index - 1, 1, PAGE_BYTES_MAX).messages
        return bool(last) and crc32(last[0]) == held.last_crc

    def _now_held(self, session_id: str, seen: os.stat_result, held: Held | None, page: MessagesPage) -> Held:
        """Return how far the cache is when it has taken a page of a file that was seen so before."""
        last_crc = 0 if held is None else held.last_crc
        return Held(
            stamp=_stamp(seen) if page.next is None else "",
            origin=self._origin(session_id, seen),
            last_index=self._sessions.last_index(session_id) if page.next is None else page.next,
            last_crc=crc32(page.messages[-1]) if page.messages else last_crc,
        )

    def _origin(self, session_id: str, seen: os.stat_result) -> str:
        """Say which file it is: one that is begun anew, or put together anew around damage, is another one."""
        return f"{seen.st_ino} {self._sessions.origin(session_id)}"

    def _unread_problem(self) -> str | None:
        if not self._unread:
            return None
        session_id, reason = next(iter(self._unread.items()))
        return f"{len(self._unread)} session files cannot be read, such as that of {session_id}: {reason}"


def _stamp(seen: os.stat_result) -> str:
    return f"{seen.st_ino} {seen.st_size} {seen.st_mtime_ns}"
