"""Reading text logs and reports."""

from __future__ import annotations

import codecs
from typing import Any

from actors.decisions.decision import At, encode, needed_row
from actors.decisions.records import log_bytes, log_name
from actors.messages import records as ask
from actors.model.errors import NotFound
from actors.model.ids import clean_id, given_session_id
from actors.model.state import Tables
from actors.queries.query import FromDisk, Query


def read_log(tables: Tables, asked: ask.LogRead, _at: At) -> FromDisk:
    """Read a session's log from a byte offset on, up to what is durable, in whole characters."""
    session_id = given_session_id(asked.session_id, "session_id")[0]
    name = log_name(session_id)
    if tables.row("logs", name) is None:
        raise NotFound(f"session {session_id} has no log", hint="log.append makes one", id=session_id)
    limit = max(0, min(asked.limit, log_bytes(tables, name) - asked.offset))

    def job(store: Any) -> bytes:
        data, next_offset = store.read_log(name, asked.offset, limit) if limit else (b"", asked.offset)
        text, left_over = whole_text(data)
        return encode({"text": text, "next_offset": next_offset - left_over})

    return FromDisk(name, job)


def whole_text(data: bytes) -> tuple[str, int]:
    """Return the text, and how many bytes at the end begin a character that is not all there."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    return text, len(decoder.getstate()[0])


def get_report(tables: Tables, asked: ask.ReportGet, _at: At) -> FromDisk:
    """Read a report: {id, created_at, data}."""
    report_id = needed_row(tables, "reports", clean_id(asked.id)).id

    def job(store: Any) -> bytes:
        found: bytes = store.read_report(report_id)
        return found

    return FromDisk(report_id, job)


def list_reports(tables: Tables, _asked: ask.ReportList, _at: At) -> bytes:
    """Read what reports there are: {reports}, in the order in which they came."""
    return b'{"reports":[%b]}' % b",".join(row.encoded for row in tables.reports.rows.values())


QUERIES: dict[type, Query] = {ask.LogRead: read_log, ask.ReportGet: get_report, ask.ReportList: list_reports}
"""Parameters → what they read."""
