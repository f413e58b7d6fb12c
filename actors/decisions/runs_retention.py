"""Which runs leave for the archive by themselves: those over for long, and the oldest of too many.

A run stays while its task is still to be carried out: how its attempts went decides about the next one. The fact
carries the run's whole row, so that whoever moves its logs has it, however late that is.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import msgspec

from actors.decisions.decision import At, Decision
from actors.model.draft import Draft
from actors.model.facts import Fact
from actors.model.run import LIVE
from actors.model.stamps import later
from actors.model.tables import RunRow, TaskRow

SLICE: Final = 100
"""Runs that leave in one journal line."""

SLICE_BYTES: Final = 1 << 20
"""Of their rows in it, about: results may be long."""

LOOKED_AT: Final = 2000
"""Runs looked at for one slice: looking must not keep commands waiting."""

DAY_S: Final = 86_400.0


class _Ended(msgspec.Struct):
    ended_at: str | None = None


class Slice(msgspec.Struct, frozen=True):
    """One part of a walk over the runs."""

    decision: Decision
    after: str | None
    """Where the next part begins; None when the walk is over."""


def overdue(draft: Draft, at: At, after: str | None) -> Slice:
    """Walk on over the runs, oldest first, and archive those that are over for too long or too many."""
    rules = at.rules.runs
    if not at.steady:
        return Slice(Decision((), ()), None)
    cutoff = later(at.stamp, -rules.keep_days * DAY_S) if rules.keep_days else ""
    if at.held_since > cutoff:
        cutoff = ""
    too_many = _number(draft) - rules.runs_max if rules.runs_max else 0
    if not cutoff and too_many <= 0:
        return Slice(Decision((), ()), None)
    facts: list[Fact] = []
    size_bytes = 0
    last: str | None = None
    for run_id in islice(draft.tables.runs.by_id.irange(after, None, inclusive=(False, False)), LOOKED_AT):
        last = run_id
        row = draft.row("runs", run_id)
        if not isinstance(row, RunRow) or not _may_leave(draft, row):
            continue
        if len(facts) >= too_many and not _is_overdue(row, cutoff):
            continue
        data = {"row": msgspec.Raw(row.encoded)}
        facts.append(Fact(op="run.archived", id=row.id, rev=draft.next_rev("runs", row.id), data=data))
        size_bytes += len(row.encoded)
        if len(facts) == SLICE or size_bytes >= SLICE_BYTES:
            break
    return Slice(Decision(tuple(facts), ()), last)


def _number(draft: Draft) -> int:
    """Return how many runs there are when everything pending is durable."""
    changed = draft.changed("runs")
    known = draft.tables.runs.rows
    made = sum(1 for run_id, row in changed.items() if row is not None and run_id not in known)
    gone = sum(1 for run_id, row in changed.items() if row is None and run_id in known)
    return len(known) + made - gone


def _may_leave(draft: Draft, row: RunRow) -> bool:
    if row.status in LIVE:
        return False
    task = draft.row("tasks", row.task_id or "")
    return not (isinstance(task, TaskRow) and task.status in {"pending", "running"})


def _is_overdue(row: RunRow, cutoff: str) -> bool:
    ended_at = msgspec.json.decode(row.encoded, type=_Ended).ended_at
    return ended_at is not None and ended_at < cutoff
