"""A bench for pure decisions: what was decided is committed at once, as the writer would, and counted in lines."""

from __future__ import annotations

from typing import Any

import msgspec
from attrs import define, field

from actors.decisions import batch, claims, records, runs, services, services_life, sessions, tasks
from actors.decisions.batch import Steps
from actors.decisions.decision import At, Decision, Handler, Rules
from actors.domain import OWN, Own
from actors.messages.runs import RunStop
from actors.model.draft import Draft
from actors.model.facts import Fact
from actors.model.keys import Command
from actors.model.stamps import later
from actors.model.state import Line, Tables, rows_after

START = "2026-03-01T12:00:00.000Z"

HANDLERS: dict[type, Handler] = {
    **tasks.HANDLERS,
    **claims.HANDLERS,
    **sessions.HANDLERS,
    **records.HANDLERS,
    **runs.HANDLERS,
}
HANDLERS[RunStop] = runs.STOP
HANDLERS[Steps] = batch.handler(dict(HANDLERS))
HANDLERS.update(services.HANDLERS)
HANDLERS.update(services_life.HANDLERS)
HANDLERS[Own] = OWN


@define(eq=False)
class Bench:
    """Tables, a clock that stands, and rules."""

    rules: Rules = field(factory=Rules)
    stamp: str = START
    steady: bool = True
    held_since: str = ""
    tables: Tables = field(factory=Tables)
    lines: list[Line] = field(factory=list)

    @property
    def at(self) -> At:
        return At(stamp=self.stamp, rules=self.rules, steady=self.steady, held_since=self.held_since)

    def pass_s(self, seconds: float) -> None:
        self.stamp = later(self.stamp, seconds)

    def draft(self) -> Draft:
        return Draft(self.tables)

    def decide(self, params: Any, draft: Draft | None = None) -> Decision:
        """Decide without committing."""
        return HANDLERS[type(params)].decide(draft or self.draft(), params, self.at)

    def do(self, params: Any) -> Any:
        """Decide, commit, and return the decoded reply."""
        decision = self.decide(params)
        self.commit(*decision.facts)
        return msgspec.json.decode(HANDLERS[type(params)].reply(self.tables, decision.ids))

    def commit(self, *facts: Fact) -> None:
        line = Line(seq=self.tables.seq + 1, ts=self.stamp, cmd=Command(method="test"), facts=facts)
        self.tables.absorb(line, rows_after(self.tables, facts))
        self.lines.append(line)

    def row(self, table: str, row_id: str) -> Any:
        """Return a row's members, None when it is not there."""
        row = self.tables.row(table, row_id)
        return None if row is None else msgspec.json.decode(row.encoded)
