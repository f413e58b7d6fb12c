"""sessions/sessions.json: the metadata of every session in one list, a cache for whoever looks without Perdure.

The rows are in state.json and the journal, and the sessions' own files hold them too; so this file is never worth an
error. It is rebuilt from the sessions' files when it is missing, not JSON, not a list, holds no valid row though it
holds some, or does not list a session that has a file.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import orjson

from actors.storage.files import Disk
from actors.storage.layout import Layout
from actors.storage.session_files import SessionFiles, SessionScan

INDEX_BYTES_MAX: Final = 256 << 20
"""Beyond 100 000 sessions; a longer file is rebuilt."""

INDEX_ROWS_EAGER: Final = 2000
"""With more sessions the index is written when the store is closed only: it is a cache, as big as all their rows."""

_MISSING: Final = "missing"
_HIDES: Final = "it hides sessions that have a file"
LATE: Final = frozenset({_MISSING, _HIDES})
"""Problems of an index that was not written yet; any other is damage."""


class IndexRead(msgspec.Struct, frozen=True):
    """What the index says. `problem` is why it must be rebuilt, None when it is good."""

    rows: dict[str, bytes]
    """The valid rows, by session id."""
    problem: str | None
    hidden: tuple[str, ...] = ()
    """Sessions that have a file and no valid row."""


class SessionIndex:
    """The index file. For one thread. `write` lets every OSError out; the same call may be repeated."""

    def __init__(self, disk: Disk, layout: Layout, sessions: SessionFiles) -> None:
        self._disk = disk
        self._layout = layout
        self._sessions = sessions

    def write(self, rows: Iterable[bytes]) -> None:
        """Put an index with these rows in place, durably: a list, one row on each line."""
        self._disk.write_new_file(self._layout.sessions_index, b"[\n" + b",\n".join(rows) + b"\n]\n")

    def read(self) -> IndexRead:
        """Return what the index says and what is wrong with it; never raises for its content or its absence."""
        try:
            entries = orjson.loads(self._disk.read_file(self._layout.sessions_index, INDEX_BYTES_MAX))
        except FileNotFoundError:
            return IndexRead({}, _MISSING, tuple(self._sessions.session_ids()))
        except OSError as error:
            return IndexRead({}, f"cannot be read: {error.strerror}", tuple(self._sessions.session_ids()))
        except ValueError as error:
            return IndexRead({}, f"not JSON: {error}", tuple(self._sessions.session_ids()))
        if not isinstance(entries, list):
            return IndexRead({}, "not a list", tuple(self._sessions.session_ids()))
        rows = {entry["id"]: msgspec.json.encode(entry) for entry in entries if is_valid(entry)}
        hidden = tuple(session_id for session_id in self._sessions.session_ids() if session_id not in rows)
        if entries and not rows:
            return IndexRead({}, "no row in it is valid", hidden)
        return IndexRead(rows, _HIDES if hidden else None, hidden)

    def load(self) -> Mapping[str, bytes]:
        """Return the rows by session id, rebuilding the index first when it is not good. Raises OSError."""
        found = self.read()
        return found.rows if found.problem is None else self.rebuild(found.rows)

    def rebuild(self, known: Mapping[str, bytes]) -> dict[str, bytes]:
        """Write the index anew from `known` rows and the sessions' files, whichever has the higher rev; return it."""
        rows = dict(known)
        for scan in self._sessions.scan_all():
            row = row_of(scan) if isinstance(scan, SessionScan) else None
            if row is not None and _rev(row) > _rev(rows.get(scan.session_id, b"{}")):
                rows[scan.session_id] = row
        self.write(rows.values())
        return rows


def is_valid(entry: Any) -> bool:
    """Tell whether `entry` is a session's row: its id is a session id and it has a rev."""
    if not isinstance(entry, dict) or type(entry.get("rev")) is not int or not isinstance(entry.get("id"), str):
        return False
    try:
        return bool(str(uuid.UUID(entry["id"])) == entry["id"])
    except ValueError:
        return False


def row_of(scan: SessionScan) -> bytes | None:
    """Return the newest metadata that the session's file holds, None when it holds none that is a row of this id."""
    if scan.last_meta is None:
        return None
    try:
        row = orjson.loads(scan.last_meta[1])
    except ValueError:
        return None
    return scan.last_meta[1] if is_valid(row) and row["id"] == scan.session_id else None


def _rev(row: bytes) -> int:
    found = orjson.loads(row)
    return found["rev"] if isinstance(found, dict) and isinstance(found.get("rev"), int) else 0
