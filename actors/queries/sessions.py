"""Reading sessions: one, page by page in one of three orders, or the messages of one from its file."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from sortedcontainers import SortedList

from actors.decisions.decision import At, encode, missing, needed_row
from actors.messages import sessions as ask
from actors.model.errors import NotFound
from actors.model.ids import given_session_id
from actors.model.state import Tables
from actors.model.tables import Order, SessionRow
from actors.queries import sessions_find, sessions_tree
from actors.queries.paging import Listing, page, place_of
from actors.queries.query import FromDisk, Query


class _Walk(msgspec.Struct, frozen=True):
    order: Callable[[Tables], SortedList[Order]]
    place: Callable[[SessionRow], Order]
    newest_first: bool


WALKS: Final[dict[str, _Walk]] = {
    "last_accessed": _Walk(lambda tables: tables.sessions.by_access, lambda row: row.order, newest_first=True),
    "created": _Walk(
        lambda tables: tables.sessions.by_creation, lambda row: (row.created_at, row.id), newest_first=True
    ),
    "title": _Walk(
        lambda tables: tables.sessions.by_title, lambda row: (row.title.casefold(), row.id), newest_first=False
    ),
}
"""Order → how a list walks: times from the newest back, titles from A on."""


def get(tables: Tables, asked: ask.SessionGet, _at: At) -> bytes | FromDisk:
    """Read one session; nothing is touched. One that is not there may be in the archive: that is said, then."""
    session_id = given_session_id(asked.id)[0]
    row = tables.row("sessions", session_id)
    if row is not None:
        return row.encoded

    def job(store: Any) -> bytes:
        if store.read_archived(session_id) is None:
            raise missing("sessions", session_id)
        raise NotFound(
            f"session {session_id} is in the archive",
            hint="session.restore brings it back",
            id=session_id,
            archived=True,
        )

    return FromDisk(session_id, job)


def list_page(tables: Tables, asked: ask.SessionList, _at: At) -> bytes:
    """Read sessions; a working directory is found however it was written."""
    walk = WALKS[asked.order]
    directory = None if asked.working_directory is None else posixpath.normpath(asked.working_directory)

    def fits(row: SessionRow) -> bool:
        return (
            (directory is None or row.working_directory == directory)
            and (asked.status is None or row.status == asked.status)
            and (asked.activity is None or row.activity == asked.activity)
        )

    place = place_of(asked.order, asked.cursor, 2)
    listing = Listing(
        noun="sessions",
        walk=asked.order,
        rows=_rows(tables, walk, None if place is None else (place[0], place[1])),
        fits=fits,
        place=walk.place,
        show=lambda row: row.encoded,
    )
    return page(listing, asked.limit)


def messages(tables: Tables, asked: ask.SessionMessages, _at: At) -> FromDisk:
    """Read messages above an index, from the session's file; where it has lost some, the reply says which."""
    row = needed_row(tables, "sessions", given_session_id(asked.id)[0])
    session_id, count = row.id, tables.sessions.rows[row.id].message_count

    def job(store: Any) -> bytes:
        found = store.read_messages(session_id, asked.after, asked.limit, count)
        shown = b",".join(found.messages), encode(found.next)
        if found.missing:
            return b'{"messages":[%b],"next":%b,"missing":%b}' % (*shown, encode(found.missing))
        return b'{"messages":[%b],"next":%b}' % shown

    return FromDisk(session_id, job)


def _rows(tables: Tables, walk: _Walk, after: Order | None) -> Iterable[SessionRow]:
    orders = walk.order(tables)
    if walk.newest_first:
        found = orders.irange(maximum=after, inclusive=(True, False), reverse=True)
    else:
        found = orders.irange(minimum=after, inclusive=(False, True))
    return (tables.sessions.rows[order[1]] for order in found)


QUERIES: dict[type, Query] = {
    ask.SessionGet: get,
    ask.SessionList: list_page,
    ask.SessionMessages: messages,
    **sessions_find.QUERIES,
    **sessions_tree.QUERIES,
}
"""Parameters → what they read."""
