"""Reading tasks: one, or page by page in the order in which they were made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from actors.decisions.decision import At, needed_row
from actors.decisions.tasks import task_reply
from actors.messages import tasks as ask
from actors.model.ids import clean_id, given_session_id
from actors.model.state import Tables
from actors.model.tables import TaskRow
from actors.model.task import STATUSES
from actors.queries.paging import Listing, page, place_of
from actors.queries.query import Query


class _Described(msgspec.Struct):
    description: str


_described = msgspec.json.Decoder(_Described).decode


def get(tables: Tables, asked: ask.TaskGet, _at: At) -> bytes:
    """Read one task, with what blocks it."""
    row = needed_row(tables, "tasks", clean_id(asked.id))
    return task_reply(tables, (row.id,))


def list_page(tables: Tables, asked: ask.TaskList, _at: At) -> bytes:
    """Read tasks, oldest first. Making tasks adds at the end, so pages neither repeat nor leave out what stays."""
    place = place_of("tasks", asked.cursor, 2)
    statuses = STATUSES if asked.status is None else (asked.status,)
    listing = Listing(
        noun="tasks",
        walk="tasks",
        rows=tables.tasks.in_order(statuses, None if place is None else (place[0], place[1])),
        fits=_filter(asked),
        place=lambda row: row.order,
        show=partial(_shown, tables),
    )
    return page(listing, asked.limit)


def _shown(tables: Tables, row: TaskRow) -> bytes:
    return row.encoded if not row.depends_on else task_reply(tables, (row.id,))


def _filter(asked: ask.TaskList) -> Callable[[TaskRow], bool]:
    session_id = None if asked.session_id is None else given_session_id(asked.session_id, "session_id")[0]
    text = None if asked.text is None else asked.text.casefold()

    def fits(row: TaskRow) -> bool:
        if asked.tool is not None and row.tool != asked.tool:
            return False
        if session_id is not None and row.session_id != session_id:
            return False
        return text is None or text in _described(row.encoded).description.casefold()

    return fits


QUERIES: dict[type, Query] = {ask.TaskGet: get, ask.TaskList: list_page}
"""Parameters → what they read."""
