"""Who descends from whom: sessions as a forest."""

from __future__ import annotations

from typing import Final

from actors.decisions.decision import At, needed_row
from actors.messages import sessions as ask
from actors.model.errors import TooLarge
from actors.model.ids import given_session_id
from actors.model.state import Tables
from actors.model.tables import SessionRow
from actors.queries.query import Query

BYTES_MAX: Final = 12 << 20
"""Below a frame; some ten thousand sessions."""


def tree(tables: Tables, asked: ask.SessionTree, _at: At) -> bytes:
    """Read the forest, or the tree below one session; who has no parent that is there is a root, the newest first."""
    sessions = tables.sessions
    if asked.id is not None:
        roots = [needed_row(tables, "sessions", given_session_id(asked.id)[0])]
    else:
        newest_first = (sessions.rows[row_id] for _made, row_id in reversed(sessions.by_creation))
        roots = [row for row in newest_first if row.parent_id is None or row.parent_id not in sessions.rows]
    if sum(len(row.encoded) for row in sessions.rows.values()) > BYTES_MAX and asked.id is None:
        raise TooLarge("all sessions together are longer than an answer", hint="ask for the tree below one")
    seen: set[str] = set()
    return b'{"roots":[%b]}' % b",".join(_node(tables, row, seen) for row in roots if isinstance(row, SessionRow))


def _node(tables: Tables, row: SessionRow, seen: set[str]) -> bytes:
    """Encode a session and those below it, the oldest first. No circle can be made, and none would be followed."""
    seen.add(row.id)
    rows = [tables.sessions.rows[child] for child in tables.sessions.known_by("parent_id", row.id) if child not in seen]
    children = (_node(tables, child, seen) for child in sorted(rows, key=lambda child: (child.created_at, child.id)))
    return b'{"session":%b,"children":[%b]}' % (row.encoded, b",".join(children))


QUERIES: dict[type, Query] = {ask.SessionTree: tree}
"""Parameters → what they read."""
