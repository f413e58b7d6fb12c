"""Reading runs: one, or page by page. Ids made by Perdure grow with time, so the newest runs come first."""

from __future__ import annotations

from collections.abc import Iterable

from actors.decisions.decision import At, needed_row
from actors.messages import records as ask
from actors.model.ids import clean_id
from actors.model.state import Tables
from actors.model.tables import RunRow
from actors.queries.paging import Listing, page, place_of
from actors.queries.query import Query


def get(tables: Tables, asked: ask.RunGet, _at: At) -> bytes:
    """Read one run."""
    return needed_row(tables, "runs", clean_id(asked.id)).encoded


def list_page(tables: Tables, asked: ask.RunList, _at: At) -> bytes:
    """Read runs, the highest id first, of one task or of all."""
    place = place_of("runs", asked.cursor, 1)
    listing = Listing(
        noun="runs",
        walk="runs",
        rows=_rows(tables, asked, None if place is None else place[0]),
        fits=lambda row: asked.status is None or row.status == asked.status,
        place=lambda row: (row.id,),
        show=lambda row: row.encoded,
    )
    return page(listing, asked.limit)


def _rows(tables: Tables, asked: ask.RunList, after: str | None) -> Iterable[RunRow]:
    if asked.task_id is None:
        ids: Iterable[str] = tables.runs.by_id.irange(maximum=after, inclusive=(True, False), reverse=True)
    else:
        of_task = tables.runs.by_task.get(clean_id(asked.task_id, "task_id"), ())
        ids = sorted((run_id for run_id in of_task if after is None or run_id < after), reverse=True)
    return (tables.runs.rows[run_id] for run_id in ids)


QUERIES: dict[type, Query] = {ask.RunGet: get, ask.RunList: list_page}
"""Parameters → what they read."""
