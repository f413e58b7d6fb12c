"""The reports actor: text logs of sessions, and reports."""

from __future__ import annotations

from actors.decisions.records import REPORTS
from actors.domain import Domain, Place
from actors.kernel.actor import Context
from actors.queries.records import QUERIES


class Reports(Domain):
    """Owns the rows of logs and reports; there is nothing that it does by itself."""

    def __init__(self, place: Place, context: Context) -> None:
        super().__init__(place, context, REPORTS, QUERIES)
