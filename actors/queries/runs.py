"""Reading runs: one, or page by page, and what one printed. Ids grow with time, so the newest runs come first."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Iterable
from typing import Any

from actors.decisions.decision import At, encode, needed_row
from actors.messages import records as ask
from actors.messages.runs import RunOutput
from actors.model.ids import clean_id
from actors.model.run import LIVE
from actors.model.state import Tables
from actors.model.tables import RunRow
from actors.queries.paging import Listing, page, place_of
from actors.queries.query import FromDisk, Query


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


def output(tables: Tables, asked: RunOutput, _at: At) -> FromDisk:
    """Read what a run printed: {data, next_offset, eof}."""
    row = needed_row(tables, "runs", clean_id(asked.id))
    is_over = isinstance(row, RunRow) and row.status not in LIVE

    def job(store: Any) -> bytes:
        data = store.read_output(row.id, asked.stream, asked.offset, asked.limit)
        size_bytes = store.output_sizes(row.id)[0 if asked.stream == "stdout" else 1]
        is_end = is_over and asked.offset + len(data) >= size_bytes
        text, taken_bytes = shown(data, asked.encoding, is_end=is_end)
        return encode({"data": text, "next_offset": asked.offset + taken_bytes, "eof": is_end})

    return FromDisk("", job)  # output is written when it comes, never behind the journal


def shown(data: bytes, encoding: str, *, is_end: bool) -> tuple[str, int]:
    """Return bytes as text, and how many of them it shows: a character cut off waits for its rest, until the end."""
    if encoding == "base64":
        return base64.b64encode(data).decode(), len(data)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=is_end)
    return text, len(data) - len(decoder.getstate()[0])


QUERIES: dict[type, Query] = {ask.RunGet: get, ask.RunList: list_page, RunOutput: output}
"""Parameters → what they read."""
