"""Reading services: all that are configured, by name."""

from __future__ import annotations

from actors.decisions.decision import At
from actors.messages.services import ServiceList
from actors.model.state import Tables
from actors.queries.query import Query


def list_all(tables: Tables, _asked: ServiceList, _at: At) -> bytes:
    """Read them: {services}."""
    rows = sorted(tables.services.rows.values(), key=lambda row: row.id)
    return b'{"services":[%b]}' % b",".join(row.encoded for row in rows)


QUERIES: dict[type, Query] = {ServiceList: list_all}
"""Parameters → what they read."""
