"""sessions/<id>.jsonl: a session's messages and the changes of its metadata, in a file that only grows.

The first line says what never changes: `{"v":1,"id":…,"created_at":…,"version":…,"crc":…}`. Then follow messages and
metadata as `sealed_lines` writes them; `line_files` says what appending, replaying and repairing mean.

A session that is saved with other messages gets a new file; a copy of the old one goes to the archive first. The new
file begins with the metadata of that rev, directly after the header. So a replay of the journal can tell what a rewrite
has already decided about: rewrites up to that rev, and messages of revs before it, change nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec.json import encode

from actors.storage.archive import Archive
from actors.storage.files import Disk
from actors.storage.layout import FORMAT_VERSION, Layout
from actors.storage.line_files import LineFiles
from actors.storage.sealed_lines import META, Line
from actors.storage.survey import BadLine, Torn

SessionLine = Line
"""`SessionLine.message(index, data, rev)` or `SessionLine.meta(rev, data)`."""


class MessagesPage(msgspec.Struct, frozen=True):
    """Messages in order, each a JSON value; `next` is the `after` of the next page, None at the end."""

    messages: list[bytes]
    next: int | None


class SessionScan(msgspec.Struct, frozen=True):
    """All there is to know of a session's file without its messages."""

    session_id: str
    header: bytes | None
    last_index: int
    last_meta: tuple[int, bytes] | None
    """The newest metadata: (rev, row)."""
    missing: tuple[tuple[int, int], ...]
    """Indexes that no good line has, as (first, last)."""
    rejected: tuple[BadLine, ...]
    rejected_count: int
    """May be more than `rejected` describes."""
    torn: Torn | None


class UnreadableSession(msgspec.Struct, frozen=True):
    """A session file that cannot be opened: a link stands there, or the disk fails."""

    session_id: str
    reason: str


def session_header(session_id: str, created_at: str) -> bytes:
    """Return the header of a session's file."""
    return encode({"v": 1, "id": session_id, "created_at": created_at, "version": FORMAT_VERSION})


class SessionFiles:
    """The session files. For one thread. Every OSError goes out; the same call may be repeated."""

    def __init__(self, disk: Disk, layout: Layout, lines: LineFiles, archive: Archive) -> None:
        self._disk = disk
        self._layout = layout
        self._lines = lines
        self._archive = archive

    def append(self, session_id: str, header: bytes | None, lines: Sequence[SessionLine]) -> int:
        """Append what the file does not hold yet, making it if need be; return how many lines that were.

        Durable after `sync`. Messages are in ascending order (ValueError otherwise). Without a `header` a new file
        begins without one; it gets it from the first append that brings it.
        """
        return self._lines.append(self._layout.session_file(session_id), header, lines)

    def sync(self, session_ids: Iterable[str]) -> None:
        """Make what was appended to these sessions durable. One failure does not keep the others from being synced."""
        self._lines.sync([self._layout.session_file(session_id) for session_id in session_ids])

    def read(self, session_id: str, after: int, limit: int, bytes_max: int) -> MessagesPage:
        """Return the messages with an index above `after`: at most `limit`, at most `bytes_max` but at least one."""
        page = self._lines.read(self._layout.session_file(session_id), after, limit, bytes_max)
        return MessagesPage(page.lines, page.next)

    def rewrite(self, session_id: str, header: bytes, lines: Sequence[SessionLine]) -> bool:
        """Begin the file anew with these lines, durably, a copy of the old one in the archive; False if that is done.

        The first line is the metadata as of the rev of this change: ValueError otherwise.
        """
        if not lines or lines[0].kind != META:
            raise ValueError("a session's file begins with the metadata of the rev it was written at")
        path = self._layout.session_file(session_id)
        survey = self._lines.survey(path)
        if survey is not None:
            if survey.base_rev >= lines[0].number:
                return False
            self._archive.keep_version(path, session_id, lines[0].number)
        self._lines.rewrite(path, header, lines)
        return True

    def rewind(self, session_id: str, header: bytes, meta: SessionLine, source: Path, keep: int) -> bool:
        """Begin the file anew with the first `keep` messages of `source`, as `rewrite` does; False if that is done."""
        path = self._layout.session_file(session_id)
        survey = self._lines.survey(path)
        if survey is not None:
            if survey.base_rev >= meta.number:
                return False
            self._archive.keep_version(path, session_id, meta.number)
        self._lines.rewind(path, header, meta, source, keep)
        return True

    def scan(self, session_id: str) -> SessionScan | UnreadableSession | None:
        """Read the whole file and tell what is in it; None when there is none."""
        try:
            survey = self._lines.survey_anew(self._layout.session_file(session_id))
        except OSError as error:
            return UnreadableSession(session_id, error.strerror or str(error))
        if survey is None:
            return None
        return SessionScan(
            session_id=session_id,
            header=survey.header,
            last_index=survey.last_index,
            last_meta=None if survey.last_meta is None else (survey.last_rev, survey.last_meta),
            missing=tuple(survey.missing),
            rejected=tuple(survey.rejected),
            rejected_count=survey.rejected_count,
            torn=survey.torn,
        )

    def held(self, session_id: str) -> tuple[int, bytes] | None:
        """Return (rev, row) of the newest metadata that the file holds, None when it holds none."""
        survey = self._lines.survey(self._layout.session_file(session_id))
        return None if survey is None or survey.last_meta is None else (survey.last_rev, survey.last_meta)

    def last_index(self, session_id: str) -> int:
        """Return the index of the file's last message, 0 when it has none."""
        survey = self._lines.survey(self._layout.session_file(session_id))
        return 0 if survey is None else survey.last_index

    def missing(self, session_id: str, after: int, until: int) -> tuple[tuple[int, int], ...]:
        """Return the indexes above `after`, up to `until`, that the file does not hold, as (first, last)."""
        survey = self._lines.survey(self._layout.session_file(session_id))
        last_index = 0 if survey is None else survey.last_index
        gaps = [*([] if survey is None else survey.missing), (last_index + 1, until)]
        clipped = ((max(first, after + 1), min(last, until)) for first, last in gaps)
        return tuple((first, last) for first, last in clipped if first <= last)

    def origin(self, session_id: str) -> str:
        """Return what changes when the file is begun anew, or when damage in it is found or mended; not as it grows."""
        survey = self._lines.survey(self._layout.session_file(session_id))
        return "" if survey is None else f"{survey.base_rev} {len(survey.missing)} {survey.rejected_count}"

    def session_ids(self) -> list[str]:
        """List the sessions that have a file; empty when there is no such directory."""
        try:
            names = self._disk.listdir(self._layout.sessions)
        except FileNotFoundError:
            return []
        return [name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl") and not name.startswith(".")]

    def scan_all(self) -> Iterator[SessionScan | UnreadableSession]:
        """Scan every session file, one after the other."""
        for session_id in self.session_ids():
            scan = self.scan(session_id)
            if scan is not None:
                yield scan
