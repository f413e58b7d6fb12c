"""The runs actor: records runs that somebody else carries out."""

from __future__ import annotations

from actors.decisions.records import RUNS
from actors.domain import Domain, Place
from actors.kernel.actor import Context
from actors.queries.runs import QUERIES


class Runs(Domain):
    """Owns the rows of runs."""

    def __init__(self, place: Place, context: Context) -> None:
        super().__init__(place, context, RUNS, QUERIES)
