"""Searching the messages of a directory in which nothing runs, in the smallest steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import frozen

from actors.model.searched import Searched, Unfinished
from actors.storage.archive import Archive
from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.session_files import SessionFiles
from actors.storage.session_search import SessionSearch

PAGE_MESSAGES = 4
DAEMON_ID = "d"


@frozen
class Found:
    """What came of a search."""

    searched: Searched
    told: list[str]
    """What belongs in the log."""
    slices: int


@contextmanager
def searching(root: Path, slice_s: float = 0.0) -> Iterator[SessionSearch]:
    """Give the search of a directory; a slice takes one page."""
    disk, layout = Disk(), Layout(root)
    files = OpenFiles(disk)
    lines = LineFiles(files, Quarantine(disk, layout, "20260101T000000.000000Z"))
    sessions = SessionFiles(disk, layout, lines, Archive(disk, layout, files))
    search = SessionSearch(disk, layout, sessions, page_messages=PAGE_MESSAGES, part_messages=200, slice_s=slice_s)
    try:
        yield search
    finally:
        search.close()
        files.close()


def carried_on(search: SessionSearch, text: str) -> Found:
    """Search to the end."""
    told: list[str] = []
    slices = 1
    while isinstance(answer := search.search(text, DAEMON_ID), Unfinished):
        told += [answer.told] if answer.told else []
        slices += 1
    return Found(answer, told, slices)


def search_all(root: Path, text: str = "everywhere") -> Found:
    """Search a directory, and let go of the cache."""
    with searching(root) as search:
        return carried_on(search, text)


def cached(root: Path) -> int:
    """How many messages are in the cache, as whoever opens it next finds it."""
    with closing(sqlite3.connect(root / "sessions" / "search.sqlite")) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM messages").fetchone()[0])
        except sqlite3.OperationalError:  # it was killed before there was a table
            return 0
