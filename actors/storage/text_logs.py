"""logs/: the text logs of sessions, and the log entries of tasks that no longer fit in their rows.

`session_<id>.log` is plain text, written at absolute offsets, so that the journal can be replayed over it: writing the
same bytes at the same place again changes nothing. `task_<id>.log` has one sealed line per entry, numbered from 1, and
is appended to by number, as `line_files` says. Both are durable after `sync`.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from actors.storage.layout import Layout
from actors.storage.line_files import LineFiles, Page
from actors.storage.open_files import OpenFiles
from actors.storage.quarantine import Quarantine
from actors.storage.sealed_lines import Line

CHARACTER_BYTES_MAX: Final = 4
"""The longest character in UTF-8; a read of fewer bytes might make no progress."""


class Grown(msgspec.Struct, frozen=True):
    """A text log after a write: `gap_bytes` (NULs, normally 0) lie between its former end and what was written."""

    size_bytes: int
    gap_bytes: int


class TextLogs:
    """The text logs of sessions. For one thread. Every OSError goes out; the same call may be repeated."""

    def __init__(self, layout: Layout, files: OpenFiles, quarantine: Quarantine) -> None:
        self._layout = layout
        self._files = files
        self._quarantine = quarantine

    def append_at(self, session_id: str, offset: int, data: bytes) -> Grown:
        """Write `data` at `offset`, making the log when there is none."""
        gap_bytes = max(offset - self.size_bytes(session_id), 0)
        status = self._files.write(self._layout.session_log(session_id), offset, data)
        return Grown(status.size_bytes, gap_bytes)

    def read(self, session_id: str, offset: int, limit: int) -> tuple[bytes, int]:
        """Return up to `limit` bytes from `offset`, cut where a character ends, and the offset after them.

        At least CHARACTER_BYTES_MAX are read, so every read before the end makes progress. A character that is not
        all there yet is left for the next read. No log is an empty log.
        """
        try:
            data = self._files.read(self._layout.session_log(session_id), offset, max(limit, CHARACTER_BYTES_MAX))
        except FileNotFoundError:
            return b"", offset
        whole = data[: whole_characters(data)]
        return whole, offset + len(whole)

    def size_bytes(self, session_id: str) -> int:
        """Return how long the log is, 0 when there is none."""
        status = self._files.status(self._layout.session_log(session_id))
        return 0 if status is None else status.size_bytes

    def settle(self, session_id: str, size_bytes: int) -> bool:
        """Recovery knows the log's length: keep what stands beyond it in quarantine, cut it; tell whether there was."""
        surplus_bytes = self.size_bytes(session_id) - size_bytes
        if surplus_bytes <= 0:
            return False
        path = self._layout.session_log(session_id)
        self._quarantine.keep_bytes(path, size_bytes, surplus_bytes, "beyond what the journal knows of this log")
        self._files.cut(path, size_bytes)
        return True

    def sync(self, session_ids: Iterable[str]) -> None:
        """Make what was written to these logs durable; one failure does not keep the others from being synced."""
        self._files.sync([self._layout.session_log(session_id) for session_id in session_ids])


class TaskLogs:
    """The older log entries of tasks. For one thread. Every OSError goes out; the same call may be repeated."""

    def __init__(self, layout: Layout, lines: LineFiles) -> None:
        self._layout = layout
        self._lines = lines

    def append(self, task_id: str, first_number: int, entries: Sequence[bytes]) -> int:
        """Append the entries, the first of which has `first_number`; those that are there already are not doubled.

        Each is a JSON value on one line. Returns how many were appended.
        """
        lines = [Line.entry(number, entry) for number, entry in enumerate(entries, first_number)]
        return self._lines.append(self._layout.task_log(task_id), None, lines)

    def read(self, task_id: str, after: int, limit: int, bytes_max: int) -> Page:
        """Return the entries with a number above `after`: at most `limit`, at most `bytes_max` but at least one."""
        return self._lines.read(self._layout.task_log(task_id), after, limit, bytes_max)

    def last_number(self, task_id: str) -> int:
        """Return the number of the last entry there, 0 when there is none."""
        survey = self._lines.survey(self._layout.task_log(task_id))
        return 0 if survey is None else survey.last_index

    def sync(self, task_ids: Iterable[str]) -> None:
        """Make what was appended to these logs durable."""
        self._lines.sync([self._layout.task_log(task_id) for task_id in task_ids])


def whole_characters(data: bytes) -> int:
    """Return how many bytes of `data` are left when a character that is cut off at its end is left out.

    Bytes that are no UTF-8 count as they are: whoever decodes shows U+FFFD for them. So of four bytes or more at least
    one is always left.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data[-CHARACTER_BYTES_MAX:])
    return len(data) - len(decoder.getstate()[0])
